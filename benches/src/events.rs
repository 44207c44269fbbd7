//! The bodies that are posted: an invoke event, and batches of telemetry events.

use std::fmt::Write;

use crate::http;

/// The length of a trace ID.
pub(crate) const TRACE_ID_BYTES: u64 = 36;

/// How many events are written before they repeat. They belong to 3,000 invocations, more than a forwarder remembers.
const EVENTS: usize = 9000;

/// The shape of telemetry events.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Schema {
    FunctionGraph,
    Lambda,
}

/// Returns the request that posts an invocation.
pub(crate) fn invocation() -> Vec<u8> {
    let body = br#"{"traceId":"3da1f2dc-3222-475e-9205-e2e6c6318895","invokedFunctionUrn":"sn:cn:yrk:1111:function:0@test@hello:latest"}"#;
    http::post("/extension/invoke", body)
}

/// Returns the requests that post `platform.start`, `platform.RuntimeDone` and `platform.report` of many invocations,
/// in batches of this size.
pub(crate) fn batches(schema: Schema, size: usize) -> Vec<Vec<u8>> {
    let events: Vec<_> = (0..EVENTS).map(|it| event(schema, it)).collect();
    let batches = events.chunks(size);
    batches
        .map(|it| http::post("/", format!("[{}]", it.join(",")).as_bytes()))
        .collect()
}

fn event(schema: Schema, index: usize) -> String {
    let id = format!("3da1f2dc-3222-475e-9205-{:012x}", index / 3);
    let time = "2026-11-27T09:30:00.123Z";
    let mut event = String::new();
    let _ = match (schema, index % 3) {
        (Schema::FunctionGraph, 0) => write!(
            event,
            r#"{{"name":"platform.start","startTime":"{time}","traceId":"{id}"}}"#
        ),
        (Schema::FunctionGraph, 1) => write!(
            event,
            r#"{{"name":"platform.RuntimeDone","startTime":"{time}","traceId":"{id}","status":"success"}}"#
        ),
        (Schema::FunctionGraph, _) => write!(
            event,
            r#"{{"name":"platform.report","startTime":"{time}","endTime":"{time}","traceId":"{id}","status":"success","metrics":{{"durationMs":12.5,"billedDurationMs":13,"memorySizeMB":128,"maxMemoryUsedMB":36.5}}}}"#
        ),
        (Schema::Lambda, 0) => write!(
            event,
            r#"{{"time":"{time}","type":"platform.start","record":{{"requestId":"{id}"}}}}"#
        ),
        (Schema::Lambda, 1) => write!(
            event,
            r#"{{"time":"{time}","type":"platform.runtimeDone","record":{{"requestId":"{id}","status":"success"}}}}"#
        ),
        (Schema::Lambda, _) => write!(
            event,
            r#"{{"time":"{time}","type":"platform.report","record":{{"requestId":"{id}","status":"success","metrics":{{"durationMs":12.5,"billedDurationMs":13,"memorySizeMB":128,"maxMemoryUsedMB":36}}}}}}"#
        ),
    };
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_json_arrays_of_the_given_size() {
        for schema in [Schema::FunctionGraph, Schema::Lambda] {
            for size in [1, 100, 1000] {
                let batches = batches(schema, size);
                assert_eq!(batches.len(), EVENTS / size);
                let message = http::parse(&batches[1]).unwrap();
                let events: Vec<serde_json::Value> =
                    serde_json::from_slice(&batches[1][message.body]).unwrap();
                assert_eq!(events.len(), size);
            }
        }
    }

    #[test]
    fn trace_ids_have_the_length_of_a_uuid() {
        let event: serde_json::Value =
            serde_json::from_str(&event(Schema::FunctionGraph, 5)).unwrap();
        assert_eq!(
            event["traceId"].as_str().unwrap().len() as u64,
            TRACE_ID_BYTES
        );
    }
}
