//! A batch as it came: JSON text, decoded when it is its turn.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::TelemetryEvent;

/// A batch, in the memory that its text takes.
pub(super) struct Batch {
    text: Box<str>,
    shape: Shape,
}

/// What a body holds.
#[derive(Clone, Copy)]
enum Shape {
    /// So many events (D 2710).
    Array(u64),
    /// One event by itself; the pages do not say that this comes.
    Object,
}

impl Batch {
    /// Reads a body without a look at the events, so that none of them can have the batch refused.
    ///
    /// Bytes that are not UTF-8 are replaced. Commas before a closing bracket, which the pages' examples have, are
    /// left out.
    ///
    /// # Errors
    ///
    /// If it is no JSON, or neither array nor object.
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        let text = String::from_utf8_lossy(body);
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            return Err("the body is empty, where telemetry should be".to_owned());
        }
        let (text, shape) = match serde_json::from_str(text) {
            Ok(shape) => (Cow::Borrowed(text), shape),
            Err(error) => {
                let repaired = without_trailing_commas(text);
                let shape = serde_json::from_str(&repaired)
                    .map_err(|_| format!("the body is no telemetry: {error}"))?;
                (Cow::Owned(repaired), shape)
            }
        };
        Ok(Self {
            text: text.into(),
            shape,
        })
    }

    /// How many events there are.
    pub(super) fn events(&self) -> u64 {
        match self.shape {
            Shape::Array(events) => events,
            Shape::Object => 1,
        }
    }

    /// The memory that it takes.
    pub(super) fn bytes(&self) -> usize {
        self.text.len() + size_of::<Self>()
    }

    /// The events; those that no JSON value can hold are kept as text.
    pub(super) fn decode(&self) -> Vec<TelemetryEvent> {
        match self.shape {
            Shape::Array(_) => serde_json::from_str(&self.text).unwrap_or_else(|_| {
                // One of them does not decode, so each is looked at on its own.
                let elements: Vec<&RawValue> = serde_json::from_str(&self.text).unwrap_or_default();
                let texts = elements.into_iter().map(RawValue::get);
                texts.map(decode).collect()
            }),
            Shape::Object => vec![decode(&self.text)],
        }
    }
}

fn decode(event: &str) -> TelemetryEvent {
    serde_json::from_str(event).unwrap_or_else(|_| TelemetryEvent::Unknown(event.into()))
}

/// The text without commas that are followed by a closing bracket.
fn without_trailing_commas(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for (position, c) in text.char_indices() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if c == ',' && text[position + 1..].trim_start().starts_with([']', '}']) {
            continue;
        } else {
            in_string = c == '"';
        }
        kept.push(c);
    }
    kept
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
        let mut events = 0;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            events += 1;
        }
        Ok(Shape::Array(events))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Shape::Object)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Batch;
    use crate::TelemetryEvent;

    fn decode(body: &[u8]) -> Vec<TelemetryEvent> {
        let batch = Batch::read(body).unwrap();
        let events = batch.decode();
        assert_eq!(batch.events(), events.len() as u64);
        events
    }

    fn values(events: &[TelemetryEvent]) -> Value {
        serde_json::to_value(events).unwrap()
    }

    #[test]
    fn quirks_of_the_page_are_read() {
        let body = r#"
            [{
                "name": "platform.initStart ",
                "startTime": "2023-06-25T00:00:00.25Z",
                "traceId": "a,] \"b,}",
            }, ]
        "#;
        assert_eq!(
            values(&decode(body.as_bytes())),
            json!([{
                "name": "platform.initStart",
                "startTime": "2023-06-25T00:00:00.25Z",
                "traceId": "a,] \"b,}",
            }])
        );
    }

    #[test]
    fn one_event_is_a_batch() {
        assert_eq!(
            values(&decode(b"\xef\xbb\xbf{\"a\": 1}")),
            json!([{"a": 1}])
        );
    }

    #[test]
    fn strange_elements_are_kept() {
        let body = r#"[null, true, 1, -1, 1.5, "text", [1, [2]], {}, {"name": 5}]"#;
        let events = decode(body.as_bytes());
        assert_eq!(
            values(&events),
            serde_json::from_str::<Value>(body).unwrap()
        );
        assert!(
            events
                .iter()
                .all(|event| matches!(event, TelemetryEvent::Unknown(_)))
        );
    }

    #[test]
    fn what_no_value_can_hold_is_kept_as_text() {
        let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
        let body =
            format!(r#"[{{"type":"function","record":"a"}}, {{"a":1e999}}, "\ud800", {deep}]"#);
        let events = decode(body.as_bytes());
        assert!(matches!(&events[0], TelemetryEvent::Function(log) if log.text() == "a"));
        for (event, text) in events[1..]
            .iter()
            .zip([r#"{"a":1e999}"#, r#""\ud800""#, &deep])
        {
            assert_eq!(*event, TelemetryEvent::Unknown(text.into()));
        }
        assert_eq!(
            values(&decode(br#"{"type":"function","record":1e999}"#)),
            json!([r#"{"type":"function","record":1e999}"#])
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        let events = decode(b"[{\"type\":\"function\",\"record\":\"a\xffb\"}]");
        assert!(matches!(&events[0], TelemetryEvent::Function(log) if log.text() == "a\u{fffd}b"));
    }

    #[test]
    fn what_is_no_batch_is_refused() {
        for (body, told) in [
            ("", "the body is empty, where telemetry should be"),
            (" ", "the body is empty, where telemetry should be"),
            (
                "[{]",
                "the body is no telemetry: key must be a string at line 1 column 3",
            ),
            (
                "[1",
                "the body is no telemetry: EOF while parsing a list at line 1 column 2",
            ),
            (
                "[] []",
                "the body is no telemetry: trailing characters at line 1 column 4",
            ),
            (
                "5",
                "the body is no telemetry: invalid type: integer `5`, expected an array of events at line 1 column 1",
            ),
            (
                "null",
                "the body is no telemetry: invalid type: null, expected an array of events at line 1 column 4",
            ),
        ] {
            assert_eq!(
                Batch::read(body.as_bytes()).err().as_deref(),
                Some(told),
                "{body}"
            );
        }
        assert_eq!(Batch::read(b"[]").unwrap().events(), 0);
    }
}
