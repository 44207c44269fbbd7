//! Reads the kind and the trace ID of each telemetry event, decoded by the extractor `Json`.

use std::sync::Mutex;

use axum::extract::DefaultBodyLimit;
use axum::routing::post;
use axum::{Json, Router};
use peer_axum::Result;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    name: String,
    trace_id: String,
}

static COUNTER: Mutex<Counter> = Mutex::new(Counter::new());

const SUBSCRIPTION: &str = r#"{"subscriber":{"protocol":"POST","uri":"http://127.0.0.1:8081"},"types":["platform","function","extension"]}"#;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let router = Router::new()
        .route("/", post(telemetry))
        .layer(DefaultBodyLimit::disable());
    peer_axum::run("extensionTelemetry.sh", Some(SUBSCRIPTION), router).await
}

async fn telemetry(Json(events): Json<Vec<Event>>) {
    if let Ok(mut counter) = COUNTER.lock() {
        for event in &events {
            counter.add(&event.name, &event.trace_id);
        }
    }
}

include!("../../../counter.rs");
