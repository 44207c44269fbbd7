//! Reads the IDs of spans and log records.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;

use crate::translate::ids::TraceId;
use crate::translate::{MAX_ID_BYTES, any_value};

/// `faas.invocation_id`, and its names in older versions of the semantic conventions.
const INVOCATION_ID: &str = "faas.invocation_id";
const INVOCATION_IDS: [&str; 4] = [
    INVOCATION_ID,
    "faas.execution",
    "aws.request_id",
    "aws.requestId",
];

/// Returns a trace ID or a span ID, or `None` if it is invalid.
pub(super) fn id<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    let id: [u8; N] = bytes.try_into().ok()?;
    id.iter().any(|byte| *byte != 0).then_some(id)
}

/// Returns the invocation that attributes name.
pub(super) fn invocation_id(attributes: &[KeyValue]) -> Option<TraceId> {
    let text = |attribute: &KeyValue| match attribute.value.as_ref()?.value.as_ref()? {
        Any::StringValue(text) if (1..=MAX_ID_BYTES).contains(&text.trim().len()) => {
            Some(TraceId::of(text))
        }
        _ => None,
    };
    INVOCATION_IDS.iter().find_map(|name| {
        let mut named = attributes.iter().filter(|it| it.key == *name);
        named.find_map(text)
    })
}

/// Adds `faas.invocation_id`, unless the attributes contain it.
pub(super) fn add_invocation_id(attributes: &mut Vec<KeyValue>, request_id: Option<&str>) {
    let Some(request_id) = request_id else {
        return;
    };
    if attributes.iter().all(|it| it.key != INVOCATION_ID) {
        attributes.push(any_value::attribute(INVOCATION_ID, request_id));
    }
}

/// Converts a time of OTLP. Returns `None` if it is unknown.
pub(super) fn time(unix_nanos: u64) -> Option<SystemTime> {
    let time = || UNIX_EPOCH.checked_add(Duration::from_nanos(unix_nanos));
    (unix_nanos != 0).then(time).flatten()
}
