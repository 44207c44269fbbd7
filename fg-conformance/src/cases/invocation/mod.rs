//! INV: invocations: concurrent, on shared connections, malformed, with unknown fields, and many.

mod bodies;
mod concurrent;
mod connections;
mod documented;
mod endurance;
mod responses;

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::time::timeout;

pub(crate) use self::bodies::{check_malformed, check_unknown_fields};
pub(crate) use self::concurrent::check_concurrent;
pub(crate) use self::connections::{Connections, check_connections};
pub(crate) use self::documented::check_documented;
pub(crate) use self::endurance::check_many;
pub(crate) use self::responses::check_responses;
use crate::harness::client::post;
use crate::harness::{CallRecorder, Recorded};

/// The path that events are posted to (D 2707).
pub(super) const INVOKE_PATH: &str = "/extension/invoke";
/// A part of the warning that fg-extension logs.
const BLOCKED_WARNING: &str = "the handler blocked its thread for";
/// How long that warning may take after the response.
const WARNING_WITHIN: Duration = Duration::from_millis(200);

/// Returns whether the extension responds to an event within this time.
pub(crate) async fn responds(address: SocketAddr, within: Duration) -> bool {
    let response = timeout(within, post(address, INVOKE_PATH, event())).await;
    matches!(response, Ok(Ok(response)) if response.status == 200)
}

/// Returns the event from the documentation (D 2707), with a new trace ID.
pub(super) fn event() -> String {
    event_with(&json!({}))
}

fn event_with(fields: &serde_json::Value) -> String {
    let mut event = json!({
        "traceId": uuid::Uuid::new_v4().to_string(),
        "invokedFunctionUrn": "sn:cn:yrk:1111:function:0@test@hello:latest",
    });
    if let (Some(event), Some(fields)) = (event.as_object_mut(), fields.as_object()) {
        event.extend(fields.clone());
    }
    event.to_string()
}

/// Returns the line in which an extension built with fg-extension reports a handler that blocks.
async fn blocked_warning(recorder: &CallRecorder) -> Option<String> {
    let find = |recorded: &Recorded| {
        let mut lines = recorded.stderr.iter();
        lines.find(|line| line.contains(BLOCKED_WARNING)).cloned()
    };
    // The line may arrive after the response.
    let arrives = recorder.until(|recorded| find(recorded).is_some());
    let _ = timeout(WARNING_WITHIN, arrives).await;
    find(&recorder.recorded())
}
