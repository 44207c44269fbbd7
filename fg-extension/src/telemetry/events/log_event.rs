//! Log events of the function and of extensions.

use std::borrow::Cow;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::Tag;
use super::Timestamp;
use super::platform_event::entry;

/// A log line of the function or of an extension.
///
/// The format is not documented (?). The fields `type`, `time` and `record` are inferred (I).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LogEvent {
    pub(super) tag: Tag,
    /// The field `time`: when the line was logged.
    pub time: Option<Timestamp>,
    /// The field `record`: the text of the line, or any other JSON value.
    pub record: Option<Value>,
    /// All other fields.
    pub other: Map<String, Value>,
}

impl LogEvent {
    /// Returns the record as text: a string unchanged, any other value as JSON. If there is no record, the text is
    /// empty.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        match &self.record {
            Some(Value::String(text)) => text.into(),
            Some(other) => other.to_string().into(),
            None => "".into(),
        }
    }

    /// Returns the request ID of the invocation that logged the line (I).
    ///
    /// It is the `traceId` or `requestId` of the event or of its record, or `None` if there is neither.
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
