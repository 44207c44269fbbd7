//! Reads the kind and the trace ID of each telemetry event, decoded into structs that borrow from the body.

use std::sync::Mutex;

use peer_hyper::{Job, Result};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    name: &'a str,
    trace_id: &'a str,
}

static COUNTER: Mutex<Counter> = Mutex::new(Counter::new());

static JOB: Job = Job {
    name: "extensionTelemetry.sh",
    path: "/",
    subscription: Some(
        r#"{"subscriber":{"protocol":"POST","uri":"http://127.0.0.1:8081"},"types":["platform","function","extension"]}"#,
    ),
    handle: |_, body| {
        // One pass checks the UTF-8 of the whole body, instead of one for each string.
        let events: Vec<Event<'_>> = serde_json::from_str(str::from_utf8(&body)?)?;
        if let Ok(mut counter) = COUNTER.lock() {
            for event in &events {
                counter.add(event.name, event.trace_id);
            }
        }
        Ok(Default::default())
    },
};

fn main() -> Result<()> {
    peer_hyper::run(&JOB)
}

include!("../../../counter.rs");
