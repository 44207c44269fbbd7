//! Reads the kind and the trace ID of each telemetry event.

use std::sync::Mutex;

use lambda_extension::LambdaTelemetryRecord::{PlatformReport, PlatformRuntimeDone, PlatformStart};
use lambda_extension::{Error, Extension, LambdaTelemetry, SharedService, service_fn};

static COUNTER: Mutex<Counter> = Mutex::new(Counter::new());

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    Extension::new()
        .with_telemetry_port_number(8081)
        .with_telemetry_processor(SharedService::new(service_fn(handle)))
        .run()
        .await
}

async fn handle(events: Vec<LambdaTelemetry>) -> Result<(), Error> {
    if let Ok(mut counter) = COUNTER.lock() {
        for event in &events {
            let (kind, trace_id) = match &event.record {
                PlatformStart { request_id, .. } => ("platform.start", request_id.as_str()),
                PlatformRuntimeDone { request_id, .. } => {
                    ("platform.runtimeDone", request_id.as_str())
                }
                PlatformReport { request_id, .. } => ("platform.report", request_id.as_str()),
                _ => ("", ""),
            };
            counter.add(kind, trace_id);
        }
    }
    Ok(())
}

include!("../../../counter.rs");
