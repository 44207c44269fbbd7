//! What the function or an extension logged.

use std::borrow::Cow;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::Tag;
use super::Timestamp;
use super::platform_event::entry;

/// A log line of the function or of an extension (its shape is `?`; `type`, `time` and `record` are inferred).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LogEvent {
    pub(super) tag: Tag,
    /// `time`: when it was logged.
    pub time: Option<Timestamp>,
    /// `record`: a line of text, or any other JSON.
    pub record: Option<Value>,
    /// Any further fields.
    pub other: Map<String, Value>,
}

impl LogEvent {
    /// Returns the record as text: a line as it is, anything else as JSON; empty if there is no record.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match &self.record {
            Some(Value::String(text)) => text.into(),
            Some(other) => other.to_string().into(),
            None => "".into(),
        }
    }

    /// Returns the request ID of the invocation that it belongs to, if the event or its record has a `traceId` or
    /// `requestId` (I).
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        let record = self.record.as_ref().and_then(Value::as_object);
        id(&self.other).or_else(|| id(record?))
    }
}

fn id(fields: &Map<String, Value>) -> Option<&str> {
    ["traceId", "requestId"].iter().find_map(|name| {
        let id = fields.get(*name)?.as_str()?.trim();
        (!id.is_empty()).then_some(id)
    })
}

impl Serialize for LogEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            tag,
            time,
            record,
            other,
        } = self;
        let mut map = serializer.serialize_map(None)?;
        entry(&mut map, "time", time)?;
        map.serialize_entry(tag.key(), tag.text())?;
        entry(&mut map, "record", record)?;
        for (name, value) in other {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
