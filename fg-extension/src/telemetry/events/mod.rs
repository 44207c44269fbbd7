//! Telemetry events: platform events, and log lines of the function and of extensions.

mod log_event;
mod platform_event;
#[cfg(test)]
mod tests;
mod timestamp;

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

pub use log_event::LogEvent;
pub use platform_event::{Metrics, PlatformEvent, PlatformRecord};
pub use timestamp::Timestamp;

/// A telemetry event, which is one element of a batch (D 2711 to 2713).
///
/// Every JSON value can be deserialized: unknown events and fields are preserved, and so are known fields with
/// unexpected values. Serializing an event writes all fields that were received. The strings of known fields are
/// trimmed, since the examples of the documentation contain stray spaces. As with [`serde_json::Value`], the last of
/// several fields with the same name wins, and an integer of more than 64 bits becomes a float.
///
/// ```
/// use fg_extension::{PlatformEvent, TelemetryEvent};
///
/// let events: Vec<TelemetryEvent> = serde_json::from_str(
///     r#"[
///         {
///             "name": "platform.report ",
///             "startTime": "2023-06-25T00:00:00.250Z",
///             "endTime": "2023-06-25T00:00:00.263Z",
///             "traceId": "3da1f2dc-3222-475e-9205-e2e6c6318895",
///             "metrics": {"durationMs": 12.5}
///         },
///         {"type": "function", "time": "2023-06-25T00:00:00.255Z", "record": "no stock left"},
///         null
///     ]"#,
/// )?;
/// let mut lines = Vec::new();
/// for event in &events {
///     lines.push(match event {
///         TelemetryEvent::Platform(PlatformEvent::Report(report)) => {
///             let took = report.metrics.as_ref().and_then(|metrics| metrics.duration_ms());
///             format!("took {took:?} ms")
///         }
///         TelemetryEvent::Function(log) => log.text().into_owned(),
///         other => serde_json::to_string(other)?,
///     });
/// }
/// assert_eq!(lines, ["took Some(12.5) ms", "no stock left", "null"]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum TelemetryEvent {
    /// An event of the platform about the lifecycle of the instance or about an invocation.
    Platform(PlatformEvent),
    /// A log line of the function.
    Function(LogEvent),
    /// A log line of an extension.
    Extension(LogEvent),
    /// Any other value, unchanged.
    ///
    /// An element that cannot be represented as a [`Value`], such as a number that exceeds the range of floats or an
    /// unpaired surrogate, is a string that contains the JSON of that element.
    Unknown(Value),
}

/// The field that determines the kind of an event, and its value.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tag {
    key: KindKey,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum KindKey {
    Name,
    Type,
}

impl Tag {
    pub(super) fn key(&self) -> &'static str {
        match self.key {
            KindKey::Name => "name",
            KindKey::Type => "type",
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }
}

impl<'de> Deserialize<'de> for TelemetryEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EventVisitor)
    }
}

struct EventVisitor;

impl<'de> Visitor<'de> for EventVisitor {
    type Value = TelemetryEvent;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a telemetry event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TelemetryEvent, A::Error> {
        let mut fields = EventFields::default();
        while let Some(field) = map.next_key()? {
            let slot = match field {
                Field::Name => &mut fields.name,
                Field::Type => &mut fields.kind,
                Field::StartTime => &mut fields.start_time,
                Field::EndTime => &mut fields.end_time,
                Field::TraceId => &mut fields.trace_id,
                Field::Status => &mut fields.status,
                Field::Metrics => &mut fields.metrics,
                Field::Time => &mut fields.time,
                Field::Record => &mut fields.record,
                Field::Other(name) => {
                    fields.other.insert(name, map.next_value()?);
                    continue;
                }
            };
            *slot = Some(map.next_value()?);
        }
        Ok(fields.into_event())
    }

    fn visit_bool<E>(self, value: bool) -> Result<TelemetryEvent, E> {
        Ok(TelemetryEvent::Unknown(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<TelemetryEvent, E> {
        Ok(TelemetryEvent::Unknown(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<TelemetryEvent, E> {
        Ok(TelemetryEvent::Unknown(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<TelemetryEvent, E> {
        Ok(TelemetryEvent::Unknown(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<TelemetryEvent, E> {
        Ok(TelemetryEvent::Unknown(value.into()))
    }

    fn visit_unit<E>(self) -> Result<TelemetryEvent, E> {
        Ok(TelemetryEvent::Unknown(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<TelemetryEvent, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element()? {
            values.push(value);
        }
        Ok(TelemetryEvent::Unknown(Value::Array(values)))
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Field {
    Name,
    Type,
    StartTime,
    EndTime,
    TraceId,
    Status,
    Metrics,
    Time,
    Record,
    Other(String),
}

/// The fields of an object whose kind is not known yet, since the field that determines it may come last.
#[derive(Default)]
struct EventFields {
    name: Option<Value>,
    kind: Option<Value>,
    start_time: Option<Value>,
    end_time: Option<Value>,
    trace_id: Option<Value>,
    status: Option<Value>,
    metrics: Option<Value>,
    time: Option<Value>,
    record: Option<Value>,
    other: Map<String, Value>,
}

#[derive(Clone, Copy)]
enum EventKind {
    Platform,
    Function,
    Extension,
}

impl EventFields {
    fn into_event(mut self) -> TelemetryEvent {
        match self.kind() {
            Some((EventKind::Platform, key)) => {
                let tag = self.take_tag(key);
                self.preserve_as_other(["time", "record"]);
                TelemetryEvent::Platform(self.into_platform(tag))
            }
            Some((kind, key)) => {
                let tag = self.take_tag(key);
                self.preserve_as_other(["startTime", "endTime", "traceId", "status", "metrics"]);
                let log = self.into_log(tag);
                match kind {
                    EventKind::Extension => TelemetryEvent::Extension(log),
                    _ => TelemetryEvent::Function(log),
                }
            }
            None => {
                self.preserve_as_other([
                    "name",
                    "type",
                    "startTime",
                    "endTime",
                    "traceId",
                    "status",
                    "metrics",
                    "time",
                    "record",
                ]);
                TelemetryEvent::Unknown(Value::Object(self.other))
            }
        }
    }

    /// Returns the kind of the event, and the field that determines it.
    ///
    /// Platform events have a `name` (D 2711), and log events have a `type` (I). Both fields are accepted for both
    /// kinds.
    fn kind(&self) -> Option<(EventKind, KindKey)> {
        let of = |value: &Option<Value>| {
            let text = value.as_ref()?.as_str()?.trim();
            let is = |word: &str| text.eq_ignore_ascii_case(word);
            if is("function") {
                Some(EventKind::Function)
            } else if is("extension") {
                Some(EventKind::Extension)
            } else if is("platform") || subtype(text).is_some() {
                Some(EventKind::Platform)
            } else {
                None
            }
        };
        match (of(&self.name), of(&self.kind)) {
            (Some(EventKind::Platform), _) => Some((EventKind::Platform, KindKey::Name)),
            // For example `{"type": "platform", "name": "start"}`.
            (None, Some(EventKind::Platform))
                if self.name.as_ref().is_some_and(Value::is_string) =>
            {
                Some((EventKind::Platform, KindKey::Name))
            }
            (_, Some(kind)) => Some((kind, KindKey::Type)),
            (Some(kind), None) => Some((kind, KindKey::Name)),
            (None, None) => None,
        }
    }

    fn take_tag(&mut self, key: KindKey) -> Tag {
        let (tag, left, left_name) = match key {
            KindKey::Name => (self.name.take(), self.kind.take(), "type"),
            KindKey::Type => (self.kind.take(), self.name.take(), "name"),
        };
        if let Some(left) = left {
            self.other.insert(left_name.to_owned(), left);
        }
        let text = match tag.map(trimmed) {
            Some(Value::String(text)) => text,
            // Unreachable, since only a string determines the kind.
            _ => String::new(),
        };
        Tag { key, text }
    }

    fn into_platform(mut self, tag: Tag) -> PlatformEvent {
        let start_time = self.known("startTime", Timestamp::read);
        let end_time = self.known("endTime", Timestamp::read);
        let trace_id = self.known("traceId", text);
        let status = self.known("status", text);
        let metrics = self.known("metrics", |value| match value {
            Value::Object(fields) => Ok(Metrics(fields)),
            other => Err(other),
        });
        let name = tag.text.clone();
        PlatformEvent::new(
            subtype(&name).unwrap_or(&name),
            PlatformRecord {
                tag,
                start_time,
                end_time,
                trace_id,
                status,
                metrics,
                other: self.other,
            },
        )
    }

    fn into_log(mut self, tag: Tag) -> LogEvent {
        LogEvent {
            tag,
            time: self.known("time", Timestamp::read),
            record: self.record,
            other: self.other,
        }
    }

    /// Takes a field if it has the expected type. Otherwise, moves it to `other`.
    fn known<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(Value) -> Result<T, Value>,
    ) -> Option<T> {
        match read(self.slot(name).take()?) {
            Ok(value) => Some(value),
            Err(value) => {
                self.other.insert(name.to_owned(), value);
                None
            }
        }
    }

    /// Moves fields that do not belong to this kind of event to `other`.
    fn preserve_as_other<const N: usize>(&mut self, names: [&'static str; N]) {
        for name in names {
            if let Some(value) = self.slot(name).take() {
                self.other.insert(name.to_owned(), value);
            }
        }
    }

    fn slot(&mut self, name: &'static str) -> &mut Option<Value> {
        match name {
            "name" => &mut self.name,
            "type" => &mut self.kind,
            "startTime" => &mut self.start_time,
            "endTime" => &mut self.end_time,
            "traceId" => &mut self.trace_id,
            "status" => &mut self.status,
            "metrics" => &mut self.metrics,
            "time" => &mut self.time,
            _ => &mut self.record,
        }
    }
}

/// Returns the part of a name after `platform.`.
fn subtype(name: &str) -> Option<&str> {
    let (prefix, subtype) = name.split_at_checked("platform.".len())?;
    prefix
        .eq_ignore_ascii_case("platform.")
        .then_some(subtype.trim_start())
}

fn text(value: Value) -> Result<String, Value> {
    match trimmed(value) {
        Value::String(text) => Ok(text),
        other => Err(other),
    }
}

/// Trims a string. Does not copy it if there is no surrounding white space.
fn trimmed(value: Value) -> Value {
    match value {
        Value::String(text) if text.trim().len() < text.len() => text.trim().into(),
        value => value,
    }
}
