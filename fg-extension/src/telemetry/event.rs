use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::{LogEvent, Metrics, PlatformEvent, PlatformRecord, Timestamp};

/// One element of a batch of telemetry (D 2711 to 2713).
///
/// Every JSON value is one: what is not known, or not as the pages have it, is kept. Serialised it has every field that
/// came, with the text of known ones trimmed, since the pages' examples have stray spaces. Values are those of
/// [`serde_json::Value`]: of a field that came twice the last, and an integer of more than 64 bits as the nearest float.
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
    /// What the platform tells of an instance's life, and of each invocation.
    Platform(PlatformEvent),
    /// What the function logged.
    Function(LogEvent),
    /// What an extension logged.
    Extension(LogEvent),
    /// Anything else, as it came; an element that no JSON value can hold (a number beyond all floats, half of a
    /// surrogate pair) as its text.
    Unknown(Value),
}

/// The field that told what an event is, and what it said.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Tag {
    key: Key,
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Key {
    Name,
    Type,
}

impl Tag {
    pub(super) fn key(&self) -> &'static str {
        match self.key {
            Key::Name => "name",
            Key::Type => "type",
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
        f.write_str("an event of telemetry")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TelemetryEvent, A::Error> {
        let mut fields = Fields::default();
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

/// An object, before it is known what it is: what tells may come last.
#[derive(Default)]
struct Fields {
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
enum Kind {
    Platform,
    Function,
    Extension,
}

impl Fields {
    fn into_event(mut self) -> TelemetryEvent {
        match self.kind() {
            Some((Kind::Platform, key)) => {
                let tag = self.take_tag(key);
                self.keep_as_other(["time", "record"]);
                TelemetryEvent::Platform(self.into_platform(tag))
            }
            Some((kind, key)) => {
                let tag = self.take_tag(key);
                self.keep_as_other(["startTime", "endTime", "traceId", "status", "metrics"]);
                let log = self.into_log(tag);
                match kind {
                    Kind::Extension => TelemetryEvent::Extension(log),
                    _ => TelemetryEvent::Function(log),
                }
            }
            None => {
                self.keep_as_other([
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

    /// What it is, and which field tells.
    ///
    /// Platform events have a `name` (D 2711); logs have a `type` (I). Either is taken for the other.
    fn kind(&self) -> Option<(Kind, Key)> {
        let of = |value: &Option<Value>| {
            let text = value.as_ref()?.as_str()?.trim();
            let is = |word: &str| text.eq_ignore_ascii_case(word);
            if is("function") {
                Some(Kind::Function)
            } else if is("extension") {
                Some(Kind::Extension)
            } else if is("platform") || subtype(text).is_some() {
                Some(Kind::Platform)
            } else {
                None
            }
        };
        match (of(&self.name), of(&self.kind)) {
            (Some(Kind::Platform), _) => Some((Kind::Platform, Key::Name)),
            // `"type": "platform", "name": "start"`.
            (None, Some(Kind::Platform)) if self.name.as_ref().is_some_and(Value::is_string) => {
                Some((Kind::Platform, Key::Name))
            }
            (_, Some(kind)) => Some((kind, Key::Type)),
            (Some(kind), None) => Some((kind, Key::Name)),
            (None, None) => None,
        }
    }

    fn take_tag(&mut self, key: Key) -> Tag {
        let (told, left, left_name) = match key {
            Key::Name => (self.name.take(), self.kind.take(), "type"),
            Key::Type => (self.kind.take(), self.name.take(), "name"),
        };
        if let Some(left) = left {
            self.other.insert(left_name.to_owned(), left);
        }
        let text = match told.map(trimmed) {
            Some(Value::String(text)) => text,
            // Only a text tells.
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

    /// A field, if it is of the type that it should be.
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

    fn keep_as_other<const N: usize>(&mut self, names: [&'static str; N]) {
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

/// What comes after `platform.`.
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

/// A text without the spaces around it; nothing is copied if there are none.
pub(super) fn trimmed(value: Value) -> Value {
    match value {
        Value::String(text) if text.trim().len() < text.len() => text.trim().into(),
        value => value,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::{PlatformEvent, TelemetryEvent};

    fn read(value: &Value) -> TelemetryEvent {
        serde_json::from_str(&value.to_string()).unwrap()
    }

    fn platform(value: &Value) -> PlatformEvent {
        match read(value) {
            TelemetryEvent::Platform(event) => event,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn subtypes_are_known_in_any_case() {
        type Is = fn(&PlatformEvent) -> bool;
        let subtypes: [(&str, Is); 11] = [
            ("platform.initStart", |it| {
                matches!(it, PlatformEvent::InitStart(_))
            }),
            ("platform.initRuntimeDone", |it| {
                matches!(it, PlatformEvent::InitRuntimeDone(_))
            }),
            ("platform.initReport", |it| {
                matches!(it, PlatformEvent::InitReport(_))
            }),
            ("platform.start", |it| matches!(it, PlatformEvent::Start(_))),
            ("platform.RuntimeDone", |it| {
                matches!(it, PlatformEvent::RuntimeDone(_))
            }),
            ("platform.report", |it| {
                matches!(it, PlatformEvent::Report(_))
            }),
            ("platform.restoreStart", |it| {
                matches!(it, PlatformEvent::RestoreStart(_))
            }),
            ("platform.restoreRuntimeDone", |it| {
                matches!(it, PlatformEvent::RestoreRuntimeDone(_))
            }),
            ("platform.restoreReport", |it| {
                matches!(it, PlatformEvent::RestoreReport(_))
            }),
            ("platform.fault", |it| {
                matches!(it, PlatformEvent::Unknown(_))
            }),
            ("platform.", |it| matches!(it, PlatformEvent::Unknown(_))),
        ];
        for (name, is) in subtypes {
            for name in [name.to_owned(), name.to_uppercase(), format!(" {name} ")] {
                for key in ["name", "type"] {
                    let event = platform(&json!({key: name, "traceId": "1"}));
                    assert!(is(&event), "{event:?}");
                    assert_eq!(event.name(), name.trim());
                    assert_eq!(
                        serde_json::to_value(&event).unwrap(),
                        json!({key: name.trim(), "traceId": "1"})
                    );
                }
            }
        }
    }

    #[test]
    fn fields_of_a_report() {
        let report = json!({
            "name": "platform.report",
            "startTime": "2023-06-25T00:00:00.250Z",
            "endTime": "2023-06-25T00:00:00.2632Z",
            "traceId": "3da1f2dc-3222-475e-9205-e2e6c6318895",
            "status": "success",
            "metrics": {
                "durationMs": 13.2,
                "billedDurationMs": 14,
                "memorySizeMB": "128",
                "maxMemoryUsedMB": null,
                "threads": 3,
            },
            "spans": [{"a": 1}],
        });
        let event = platform(&report);
        let record = event.record();
        let took = record
            .end_time
            .as_ref()
            .unwrap()
            .time()
            .unwrap()
            .duration_since(record.start_time.as_ref().unwrap().time().unwrap());
        assert_eq!(took.unwrap().as_micros(), 13_200);
        assert_eq!(
            record.trace_id.as_deref(),
            Some("3da1f2dc-3222-475e-9205-e2e6c6318895")
        );
        assert_eq!(record.is_success(), Some(true));
        let metrics = record.metrics.as_ref().unwrap();
        assert_eq!(
            (
                metrics.duration_ms(),
                metrics.billed_duration_ms(),
                metrics.memory_size_mb(),
                metrics.max_memory_used_mb(),
                metrics.init_duration_ms(),
            ),
            (Some(13.2), Some(14.0), Some(128.0), None, None)
        );
        assert_eq!(metrics.get("threads"), Some(&json!(3)));
        assert_eq!(metrics.iter().count(), 5);
        assert_eq!(record.other["spans"], json!([{"a": 1}]));
        assert_eq!(serde_json::to_value(&event).unwrap(), report);
    }

    #[test]
    fn status_is_trimmed() {
        let status = |status: Value| {
            let event = platform(&json!({"name": "platform.RuntimeDone", "status": status}));
            event.record().is_success()
        };
        assert_eq!(status(json!(" success ")), Some(true));
        assert_eq!(status(json!("OK")), Some(true));
        assert_eq!(status(json!("timeout")), Some(false));
        assert_eq!(status(json!("200")), Some(true));
        assert_eq!(status(json!("500")), Some(false));
        assert_eq!(status(json!(" ")), None);
        assert_eq!(status(json!(200)), None);
    }

    #[test]
    fn fields_of_strange_types_are_kept() {
        let event = json!({
            "name": "platform.report",
            "type": 7,
            "startTime": null,
            "endTime": [],
            "traceId": 5,
            "status": {},
            "metrics": "none",
            "time": "now",
            "record": {"a": "b"},
        });
        let platform = platform(&event);
        let record = platform.record();
        assert!(
            record.start_time.is_none() && record.trace_id.is_none() && record.metrics.is_none()
        );
        assert_eq!(record.other.len(), 8);
        assert_eq!(serde_json::to_value(&platform).unwrap(), event);
    }

    #[test]
    fn logs_have_a_record_of_any_kind() {
        for (kind, record) in [
            ("function", json!("a line\n")),
            (" Function", json!({"requestId": " 1 ", "stage": "invoke"})),
            ("extension", json!(null)),
            ("EXTENSION", json!([1.5, "a"])),
        ] {
            let value =
                json!({"time": "2023-06-25T00:00:00Z", "type": kind, "record": record, "x": 1});
            let event = read(&value);
            let log = match &event {
                TelemetryEvent::Function(log) if kind.trim().eq_ignore_ascii_case("function") => {
                    log
                }
                TelemetryEvent::Extension(log) if kind.eq_ignore_ascii_case("extension") => log,
                other => panic!("{other:?}"),
            };
            assert!(log.time.as_ref().unwrap().time().is_some());
            let text = record.as_str().map_or(record.to_string(), str::to_owned);
            assert_eq!(
                (log.record.as_ref(), &*log.text()),
                (Some(&record), text.as_str())
            );
            assert_eq!(log.trace_id(), record.get("requestId").map(|_| "1"));
            let mut kept = value.clone();
            kept["type"] = kind.trim().into();
            assert_eq!(serde_json::to_value(&event).unwrap(), kept);
        }
        let TelemetryEvent::Function(log) = read(&json!({"type": "function", "traceId": "2"}))
        else {
            panic!("no log");
        };
        assert_eq!(
            (log.record.as_ref(), &*log.text(), log.trace_id()),
            (None, "", Some("2"))
        );
    }

    #[test]
    fn what_tells_may_stand_in_either_field() {
        assert!(matches!(
            read(&json!({"type": "platform", "name": "start"})),
            TelemetryEvent::Platform(PlatformEvent::Start(_))
        ));
        assert!(matches!(
            read(&json!({"name": "function"})),
            TelemetryEvent::Function(_)
        ));
        assert!(matches!(
            read(&json!({"name": "function", "type": "extension"})),
            TelemetryEvent::Extension(_)
        ));
        assert!(matches!(
            read(&json!({"type": "platform"})),
            TelemetryEvent::Platform(PlatformEvent::Unknown(_))
        ));
    }

    #[test]
    fn anything_else_is_kept() {
        for value in [
            json!({}),
            json!({"name": "start", "startTime": "now", "metrics": {"a": null}, "record": 1}),
            json!({"type": ["function"], "time": 5}),
            json!({"type": "functions"}),
            json!([]),
            json!(u64::MAX),
            json!(i64::MIN),
            json!(0.1),
        ] {
            let event = read(&value);
            assert_eq!(event, TelemetryEvent::Unknown(value.clone()));
            assert_eq!(serde_json::to_value(event).unwrap(), value);
        }
    }
}
