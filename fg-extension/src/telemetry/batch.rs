//! A batch as it came: JSON text, decoded when it is its turn.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::TelemetryEvent;
use fg_util::error::excerpt;

/// A batch, in the memory that its text takes.
pub(super) struct Batch {
    text: Box<str>,
    shape: Shape,
}

/// The events, and the bytes, that one call of the handler is to have: decoded they take several times the memory,
/// and invocations wait meanwhile.
pub(super) const MOST_EVENTS: u64 = 4096;
pub(super) const MOST_BYTES: usize = 256 * 1024;

/// What a body holds.
#[derive(Clone, Copy)]
enum Shape {
    /// So many events (D 2710).
    Array(u64),
    /// One event by itself; the pages do not say that this comes.
    Object,
}

impl Batch {
    /// Reads a body without a look at the events, so that none of them can have the batch refused; a large one in
    /// parts.
    ///
    /// Bytes that are not UTF-8 are replaced. Commas before a closing bracket, which the pages' examples have, are
    /// left out; line breaks and the like in a text are escaped; an element that is no JSON all the same is kept as
    /// text, if there is another that is.
    ///
    /// # Errors
    ///
    /// If it is no JSON, or neither array nor object.
    pub(super) fn read(body: &[u8]) -> Result<Vec<Self>, String> {
        let text = String::from_utf8_lossy(body);
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            return Err("the body is empty, where telemetry should be".to_owned());
        }
        let (text, shape) = match serde_json::from_str(text) {
            Ok(shape) => (Cow::Borrowed(text), shape),
            Err(error) => repair(text)
                .and_then(|text| Some((serde_json::from_str(&text).ok()?, text)))
                .map(|(shape, text)| (Cow::Owned(text), shape))
                // The words may quote all of the text.
                .ok_or_else(|| excerpt(&format!("the body is no telemetry: {error}")))?,
        };
        match shape {
            Shape::Array(events) if events > MOST_EVENTS || text.len() > MOST_BYTES => {
                Ok(parts(&text))
            }
            shape => Ok(vec![Self {
                text: text.into(),
                shape,
            }]),
        }
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

/// An array in parts of which each is within the bounds, or has one element.
fn parts(array: &str) -> Vec<Batch> {
    let elements = &array[1..array.len() - 1];
    let mut batches = Vec::new();
    let mut part = String::from("[");
    let mut events = 0;
    let mut finish = |part: &mut String, events: &mut u64| {
        part.push(']');
        batches.push(Batch {
            text: std::mem::replace(part, String::from("[")).into(),
            shape: Shape::Array(std::mem::take(events)),
        });
    };
    for element in split(elements) {
        if events == MOST_EVENTS || events > 0 && part.len() + element.len() > MOST_BYTES {
            finish(&mut part, &mut events);
        }
        if events > 0 {
            part.push(',');
        }
        part.push_str(element);
        events += 1;
    }
    finish(&mut part, &mut events);
    batches
}

/// JSON out of what is nearly JSON.
fn repair(text: &str) -> Option<String> {
    let escaped = escape(text);
    let is_json = |text: &str| serde_json::from_str::<IgnoredAny>(text).is_ok();
    if is_json(&escaped) {
        return Some(escaped);
    }
    let elements = escaped.strip_prefix('[')?.strip_suffix(']')?;
    let mut kept = Vec::new();
    let mut any = false;
    for element in split(elements) {
        if is_json(element) {
            any = true;
            kept.push(element.to_owned());
        } else {
            kept.push(serde_json::to_string(element.trim()).ok()?);
        }
    }
    any.then(|| format!("[{}]", kept.join(",")))
}

/// The text without commas that are followed by a closing bracket, and with the control characters of its strings
/// escaped.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut scan = Scan::default();
    for (position, c) in text.char_indices() {
        let in_string = scan.in_string;
        scan.next(c);
        if in_string && c < ' ' {
            // Writing to a string does not fail.
            let _ = write!(escaped, "\\u{:04x}", u32::from(c));
        } else if in_string
            || c != ','
            || !text[position + 1..].trim_start().starts_with([']', '}'])
        {
            escaped.push(c);
        }
    }
    escaped
}

/// The elements of an array.
fn split(elements: &str) -> impl Iterator<Item = &str> {
    let mut scan = Scan::default();
    elements.split(move |c| scan.next(c) && c == ',' && scan.depth == 0)
}

/// Where a text of JSON is.
#[derive(Default)]
struct Scan {
    in_string: bool,
    escaped: bool,
    depth: i32,
}

impl Scan {
    /// Whether the character is not of a string.
    fn next(&mut self, c: char) -> bool {
        if self.in_string {
            self.in_string = self.escaped || c != '"';
            self.escaped = !self.escaped && c == '\\';
            return false;
        }
        match c {
            '"' => self.in_string = true,
            '[' | '{' => self.depth += 1,
            ']' | '}' => self.depth -= 1,
            _ => {}
        }
        !self.in_string
    }
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

    use super::{Batch, MOST_BYTES, MOST_EVENTS};
    use crate::TelemetryEvent;

    fn decode(body: &[u8]) -> Vec<TelemetryEvent> {
        let mut all = Vec::new();
        for batch in Batch::read(body).unwrap() {
            let mut events = batch.decode();
            assert_eq!(batch.events(), events.len() as u64);
            all.append(&mut events);
        }
        all
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
    fn element_that_is_no_json_is_kept_as_text() {
        assert_eq!(
            values(&decode(
                b"[{\"type\":\"function\",\"record\":\"a\n\tb\"}, {\"a\": 1,}]"
            )),
            json!([{"type": "function", "record": "a\n\tb"}, {"a": 1}])
        );
        assert_eq!(
            values(&decode(
                br#"[{"a": "\x"}, {"b": [1, "],"]}, {"c": NaN, "d": 1}, oops]"#
            )),
            json!([r#"{"a": "\x"}"#, {"b": [1, "],"]}, r#"{"c": NaN, "d": 1}"#, "oops"])
        );
    }

    #[test]
    fn large_batch_is_read_in_parts() {
        let element = |i: usize| json!({"record": format!("], {i} {}", "x".repeat(i % 100)), "type": "function"});
        let large: Vec<_> = (0..10_000).map(element).collect();
        let small: Vec<_> = (0..10_000).map(Value::from).collect();
        let huge = vec![element(1), json!(["x".repeat(MOST_BYTES)]), element(2)];
        for (events, parts) in [(large, 4), (small, 3), (huge, 3)] {
            let body = json!(events).to_string();
            let batches = Batch::read(body.as_bytes()).unwrap();
            assert_eq!(batches.len(), parts);
            for batch in &batches {
                assert!(batch.events() <= MOST_EVENTS);
                assert!(batch.events() == 1 || batch.text.len() <= MOST_BYTES + 2);
            }
            assert_eq!(values(&decode(body.as_bytes())), json!(events));
        }
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
        let quoted = Batch::read(format!("\"{}\"", "x".repeat(5000)).as_bytes());
        assert!(quoted.is_err_and(|error| error.chars().count() == 301));
        assert_eq!(Batch::read(b"[]").unwrap()[0].events(), 0);
    }
}
