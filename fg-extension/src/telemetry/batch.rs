//! A batch of telemetry, kept as JSON until it is delivered.

use std::borrow::Cow;
use std::fmt;

use fg_util::error::excerpt;
use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::TelemetryEvent;

/// A batch of telemetry events, kept as JSON since decoded events take several times the memory.
pub(super) struct Batch {
    /// A JSON array.
    text: Box<str>,
    events: u64,
}

/// The maximum number of events that one call of the handler receives.
///
/// Decoding takes memory, and blocks the thread that invocations are handled on.
pub(super) const MAX_BATCH_EVENTS: u64 = 4096;
/// The maximum size of the JSON that one call of the handler receives. A single larger event is delivered alone.
pub(super) const MAX_BATCH_BYTES: usize = 256 * 1024;

impl Batch {
    /// Reads a request body, which is an array of events (D 2710). A large array is split into several batches.
    ///
    /// The events themselves are not checked, so that an unexpected event does not make the whole batch invalid. Bytes
    /// that are not UTF-8 are replaced. Trailing commas are ignored, since the examples of the documentation contain
    /// them (D 2711).
    ///
    /// # Errors
    ///
    /// Returns an error message if the body is not a JSON array.
    pub(super) fn read(body: &[u8]) -> Result<Vec<Self>, String> {
        let text = String::from_utf8_lossy(body.trim_ascii());
        if text.is_empty() {
            return Err("the body is empty; expected a JSON array of telemetry events".to_owned());
        }
        let (text, EventCount(events)) = parse(text)
            // The error message may quote the whole body.
            .map_err(|error| excerpt(&format!("invalid telemetry: {error}")))?;
        if events > MAX_BATCH_EVENTS || events > 1 && text.len() > MAX_BATCH_BYTES {
            return Ok(parts(&text));
        }
        Ok(vec![Self {
            text: text.into(),
            events,
        }])
    }

    /// Returns the number of events.
    pub(super) fn events(&self) -> u64 {
        self.events
    }

    /// Returns the memory that the batch takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.text.len() + size_of::<Self>()
    }

    /// Decodes the events. An event that cannot be represented as a JSON value becomes a string that contains its JSON.
    pub(super) fn decode(&self) -> Vec<TelemetryEvent> {
        serde_json::from_str(&self.text).unwrap_or_else(|_| {
            // At least one event cannot be decoded, so each is decoded separately.
            let elements: Vec<&RawValue> = serde_json::from_str(&self.text).unwrap_or_default();
            let texts = elements.into_iter().map(RawValue::get);
            texts.map(decode).collect()
        })
    }
}

fn decode(event: &str) -> TelemetryEvent {
    serde_json::from_str(event).unwrap_or_else(|_| TelemetryEvent::Unknown(event.into()))
}

/// Counts the events in a JSON array. If the array is only valid without trailing commas, it also replaces these by
/// spaces.
fn parse(text: Cow<'_, str>) -> serde_json::Result<(Cow<'_, str>, EventCount)> {
    match serde_json::from_str(&text) {
        Ok(events) => Ok((text, events)),
        Err(error) => {
            let blanked = blank_trailing_commas(&text).ok_or(error)?;
            let events = serde_json::from_str(&blanked)?;
            Ok((blanked.into(), events))
        }
    }
}

/// Replaces each trailing comma by a space, so that positions in error messages stay correct. Returns `None` if there
/// is no trailing comma.
fn blank_trailing_commas(text: &str) -> Option<String> {
    let mut blanked = text.as_bytes().to_vec();
    let mut scan = Scan::default();
    let mut any = false;
    // The last two bytes outside of strings that are not white space, and the position of the last one.
    let (mut before, mut last, mut last_position) = (b'[', b'[', 0);
    for (position, byte) in text.bytes().enumerate() {
        if !scan.is_outside_strings(byte) || byte.is_ascii_whitespace() {
            continue;
        }
        if last == b',' && b"]}".contains(&byte) && !b"[{,".contains(&before) {
            blanked[last_position] = b' ';
            any = true;
        }
        (before, last, last_position) = (last, byte, position);
    }
    // One ASCII character replaces another, so the text is still UTF-8.
    any.then(|| String::from_utf8(blanked).ok())?
}

/// Splits an array into batches that are within the limits or have a single event.
fn parts(array: &str) -> Vec<Batch> {
    let elements = &array[1..array.len() - 1];
    let mut batches = Vec::new();
    let mut part = String::from("[");
    let mut events = 0;
    let mut finish = |part: &mut String, events: &mut u64| {
        part.push(']');
        batches.push(Batch {
            text: std::mem::replace(part, String::from("[")).into(),
            events: std::mem::take(events),
        });
    };
    for element in split(elements) {
        if events == MAX_BATCH_EVENTS || events > 0 && part.len() + element.len() > MAX_BATCH_BYTES
        {
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

/// Splits the text between the brackets of an array into its elements.
fn split(elements: &str) -> impl Iterator<Item = &str> {
    let mut scan = Scan::default();
    elements.split(move |c: char| {
        // A character that is not ASCII ends neither a string nor an element.
        scan.is_outside_strings(u8::try_from(c).unwrap_or_default()) && c == ',' && scan.depth == 0
    })
}

/// A minimal JSON scanner, which tracks whether the next byte is in a string and how deeply it is nested.
#[derive(Default)]
struct Scan {
    in_string: bool,
    escaped: bool,
    depth: i32,
}

impl Scan {
    /// Moves past a byte. Returns `true` if the byte is outside of strings, or if it is the quote that ends one.
    fn is_outside_strings(&mut self, byte: u8) -> bool {
        if self.in_string {
            self.in_string = self.escaped || byte != b'"';
            self.escaped = !self.escaped && byte == b'\\';
            return !self.in_string;
        }
        match byte {
            b'"' => self.in_string = true,
            b'[' | b'{' => self.depth += 1,
            b']' | b'}' => self.depth -= 1,
            _ => {}
        }
        !self.in_string
    }
}

/// The number of elements of an array, deserialized without storing them.
struct EventCount(u64);

impl<'de> Deserialize<'de> for EventCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(EventCountVisitor)
    }
}

struct EventCountVisitor;

impl<'de> Visitor<'de> for EventCountVisitor {
    type Value = EventCount;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<EventCount, A::Error> {
        let mut events = 0;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            events += 1;
        }
        Ok(EventCount(events))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Batch, MAX_BATCH_BYTES, MAX_BATCH_EVENTS};
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
    fn malformed_example_of_the_documentation_is_accepted() {
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
    fn trailing_commas_are_ignored_at_any_depth() {
        let body = r#"[ { "a" : [ 1 , [2,], "," , ] , "b,": "\\",} , {}, [], "é,}" , ]"#;
        assert_eq!(
            values(&decode(body.as_bytes())),
            json!([{"a": [1, [2], ","], "b,": "\\"}, {}, [], "é,}"])
        );
        // Next to an element that cannot be represented, and in a batch that is split.
        assert_eq!(
            values(&decode(br#"[{"a": 1e999,}, 1,]"#)),
            json!([r#"{"a": 1e999 }"#, 1])
        );
        let large = format!("[{}]", "[1,],".repeat(10_000));
        assert_eq!(decode(large.as_bytes()).len(), 10_000);
    }

    #[test]
    fn hostile_body_is_rejected() {
        for part in [",", ",]", "[1,],", "\",", "\\\"", "[", "{", "{\"a\":[1,"] {
            let body = format!("[{}", part.repeat(200_000));
            assert!(Batch::read(body.as_bytes()).is_err(), "{part}");
        }
    }

    #[test]
    fn large_batch_is_split() {
        let element = |i: usize| json!({"record": format!("], {i} {}", "x".repeat(i % 100)), "type": "function"});
        let large: Vec<_> = (0..10_000).map(element).collect();
        let small: Vec<_> = (0..10_000).map(Value::from).collect();
        let huge = vec![element(1), json!(["x".repeat(MAX_BATCH_BYTES)]), element(2)];
        for (events, parts) in [(large, 4), (small, 3), (huge, 3)] {
            let body = json!(events).to_string();
            let batches = Batch::read(body.as_bytes()).unwrap();
            assert_eq!(batches.len(), parts);
            for batch in &batches {
                assert!(batch.events() <= MAX_BATCH_EVENTS);
                assert!(batch.events() == 1 || batch.text.len() <= MAX_BATCH_BYTES + 2);
            }
            assert_eq!(values(&decode(body.as_bytes())), json!(events));
        }
    }

    #[test]
    fn unexpected_elements_are_preserved() {
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
    fn unrepresentable_values_are_preserved_as_text() {
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
    }

    #[test]
    fn bytes_that_are_not_utf8_are_replaced() {
        let events = decode(b"[{\"type\":\"function\",\"record\":\"a\xffb\"}]");
        assert!(matches!(&events[0], TelemetryEvent::Function(log) if log.text() == "a\u{fffd}b"));
    }

    #[test]
    fn body_that_is_not_an_array_is_rejected() {
        for (body, problem) in [
            ("[{]", "key must be a string at line 1 column 3"),
            ("[1", "EOF while parsing a list at line 1 column 2"),
            ("[] []", "trailing characters at line 1 column 4"),
            (
                "5",
                "invalid type: integer `5`, expected an array of events at line 1 column 1",
            ),
            (
                "null",
                "invalid type: null, expected an array of events at line 1 column 4",
            ),
            (
                r#"{"name": "platform.start"}"#,
                "invalid type: map, expected an array of events at line 1 column 0",
            ),
            ("\u{feff}[]", "expected value at line 1 column 1"),
            // Nearly valid: an invalid element, an invalid escape, a line break in a string, commas without values.
            ("[1, oops]", "expected value at line 1 column 5"),
            (r#"[{"a": "\x"}]"#, "invalid escape at line 1 column 10"),
            (
                "[{\"record\": \"a\nb\"}]",
                "control character (\\u0000-\\u001F) found while parsing a string at line 1 column 14",
            ),
            ("[,]", "expected value at line 1 column 2"),
            ("[1,,]", "expected value at line 1 column 4"),
            // The position is that in the original body, even after a trailing comma.
            ("[[1,], oops]", "expected value at line 1 column 8"),
        ] {
            assert_eq!(
                Batch::read(body.as_bytes()).err(),
                Some(format!("invalid telemetry: {problem}")),
                "{body}"
            );
        }
        for empty in ["", " \r\n"] {
            assert_eq!(
                Batch::read(empty.as_bytes()).err().as_deref(),
                Some("the body is empty; expected a JSON array of telemetry events")
            );
        }
        let quoted = Batch::read(format!("\"{}\"", "x".repeat(5000)).as_bytes());
        assert!(quoted.is_err_and(|error| error.chars().count() == 301));
        for empty in [
            "[]".to_owned(),
            format!("[{}]", " ".repeat(MAX_BATCH_BYTES)),
        ] {
            assert!(decode(empty.as_bytes()).is_empty());
        }
    }
}
