//! A batch of telemetry, kept as JSON text, with the positions of its events.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use fg_util::error::excerpt;
use hyper::body::Bytes;
use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};

use super::TelemetryEvent;
use super::events::{Events, Layout, Layouts};
use crate::http::body::TEXT_LIMIT;
use crate::json::{Invalid, blank_trailing_commas, escape_controls, replace_invalid_utf8};

/// A batch of telemetry events.
pub(super) struct Batch {
    /// The events. Those of a part of a split batch are read when they are delivered, except for a single large event.
    events: Arc<Events>,
    count: u64,
}

/// The maximum number of events that one call of the handler receives.
///
/// Events take memory, and creating them blocks the thread that invocations are handled on.
pub(super) const MAX_BATCH_EVENTS: u64 = 4096;
/// The maximum size of the JSON that one call of the handler receives. A single larger event is delivered alone.
pub(super) const MAX_BATCH_BYTES: usize = 256 * 1024;

/// The size of a small event. The layouts of a batch of such events are allocated at once.
const TYPICAL_EVENT_BYTES: usize = 128;

impl Batch {
    /// Reads a request body, which is an array of events (D 2713). A large array is split into several batches.
    ///
    /// It takes little memory beside the body and the batches, even for a body that is invalid.
    ///
    /// The events can be any JSON values, so that an unexpected event does not make the whole batch invalid. Bytes
    /// that are not UTF-8 are replaced. Trailing commas are ignored, since the examples of the documentation contain
    /// them (D 2713).
    ///
    /// # Errors
    ///
    /// Returns an error message if the body is not a JSON array.
    pub(super) fn read(body: Bytes) -> Result<Vec<Self>, String> {
        // Much faster than `from_utf8_lossy` for text that is valid.
        if let Ok(text) = str::from_utf8(&body) {
            let text = text.trim_start_matches('\u{feff}');
            let error = match Self::read_text(text) {
                Ok(batches) => return Ok(batches),
                Err(error) => error,
            };
            let escaped = escape_controls(text, TEXT_LIMIT).ok_or(error)?;
            drop(body);
            return Self::read_text(&escaped);
        }
        // The text must not become much longer than the largest body.
        let Some(text) = replace_invalid_utf8(&body, TEXT_LIMIT) else {
            return Err("invalid telemetry: too many bytes are not UTF-8".to_owned());
        };
        drop(body);
        Self::read(text.into())
    }

    fn read_text(text: &str) -> Result<Vec<Self>, String> {
        let text = text.trim_matches([' ', '\n', '\r', '\t']);
        if text.is_empty() {
            return Err("the body is empty; expected a JSON array of telemetry events".to_owned());
        }
        Self::read_array(text).map_err(|Invalid| error_message(text))
    }

    fn read_array(text: &str) -> Result<Vec<Self>, Invalid> {
        let elements = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'));
        let elements = elements.ok_or(Invalid)?;
        let mut parts: Vec<(Range<usize>, u64)> = Vec::new();
        let mut part = 0..0;
        let mut count = 0;
        // Layouts can take more memory than the text, so those of a split batch are created again for each part.
        let mut layouts =
            Vec::with_capacity(elements.len().min(MAX_BATCH_BYTES) / TYPICAL_EVENT_BYTES);
        let mut all = Layouts::new(elements)?;
        while all.next(&mut layouts)? {
            let event = layouts.last().map(Layout::range).unwrap_or_default();
            if count == MAX_BATCH_EVENTS || count > 0 && event.end - part.start > MAX_BATCH_BYTES {
                parts.push((part, count));
                part = event.clone();
                count = 0;
            }
            part.end = event.end;
            count += 1;
            if !parts.is_empty() {
                layouts.clear();
                all.forget_unescaped();
            }
        }
        let new = |events, count| Self {
            events: Arc::new(events),
            count,
        };
        if count == 0 {
            return Ok(Vec::new());
        }
        if parts.is_empty() {
            return Ok(vec![new(all.into_events(layouts), count)]);
        }
        parts.push((part, count));
        let has_trailing_commas = all.has_trailing_commas();
        drop((all, layouts));
        let parts = parts.into_iter();
        let new_part = |(part, count): (Range<usize>, u64)| {
            let text = &elements[part];
            // A single large event is read again at once: its delivery must not take that time.
            if text.len() > MAX_BATCH_BYTES
                && let Ok(events) = Layouts::read(text)
            {
                return new(events, count);
            }
            let mut text = text.to_owned();
            if has_trailing_commas {
                text = blank_trailing_commas(text);
            }
            new(Events::new(text.into(), Vec::new()), count)
        };
        Ok(parts.map(new_part).collect())
    }

    /// Returns the number of events.
    pub(super) fn events(&self) -> u64 {
        self.count
    }

    /// Returns the memory that the batch takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.events.bytes()
    }

    /// Returns the size of the JSON text, in bytes.
    pub(super) fn text_bytes(&self) -> usize {
        self.events.text_bytes()
    }

    /// Adds the events to `events`.
    pub(super) fn append_to(&self, events: &mut Vec<TelemetryEvent>) {
        self.events.append_to(events);
    }
}

/// Returns the message for a body that is not an array of events.
fn error_message(text: &str) -> String {
    // Not worth the time for a body that is much larger than those of the platform.
    if text.len() > MAX_BATCH_BYTES {
        return "invalid telemetry: the body is not a valid JSON array".to_owned();
    }
    match serde_json::from_str::<Array>(&blank_trailing_commas(text.to_owned())) {
        // The error message may quote the whole body.
        Err(error) => excerpt(&format!("invalid telemetry: {error}")),
        Ok(Array) => "invalid telemetry".to_owned(),
    }
}

/// An array, deserialized without storing its elements, for the error message.
struct Array;

impl<'de> Deserialize<'de> for Array {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ArrayVisitor)
    }
}

struct ArrayVisitor;

impl<'de> Visitor<'de> for ArrayVisitor {
    type Value = Array;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Array, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Array)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::{Batch, MAX_BATCH_BYTES, MAX_BATCH_EVENTS};
    use crate::TelemetryEvent;
    use crate::http::body::LIMIT;

    fn batches(body: &[u8]) -> Result<Vec<Batch>, String> {
        Batch::read(body.to_vec().into())
    }

    fn read(body: &[u8]) -> Vec<TelemetryEvent> {
        let mut all = Vec::new();
        for batch in batches(body).unwrap() {
            let others = all.len() as u64;
            batch.append_to(&mut all);
            assert_eq!(others + batch.events(), all.len() as u64);
        }
        all
    }

    fn texts(events: &[TelemetryEvent]) -> Vec<&str> {
        events.iter().map(TelemetryEvent::json).collect()
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
            values(&read(body.as_bytes())),
            json!([{
                "name": "platform.initStart ",
                "startTime": "2023-06-25T00:00:00.25Z",
                "traceId": "a,] \"b,}",
            }])
        );
    }

    #[test]
    fn trailing_commas_are_ignored_at_any_depth() {
        let body = r#"[ { "a" : [ 1 , [2,], "," , ] , "b,": "\\",} , {}, [], "é,}" , ]"#;
        assert_eq!(
            values(&read(body.as_bytes())),
            json!([{"a": [1, [2], ","], "b,": "\\"}, {}, [], "é,}"])
        );
        assert_eq!(
            texts(&read(br#"[{"a": 1e999,}, 1,]"#)),
            [r#"{"a": 1e999 }"#, "1"]
        );
        // In a batch that is split.
        let large = format!("[{}]", "[1,],".repeat(10_000));
        assert_eq!(read(large.as_bytes()).len(), 10_000);
    }

    #[test]
    fn hostile_body_is_rejected() {
        for part in [",", ",]", "[1,],", "\",", "\\\"", "[", "{", "{\"a\":[1,"] {
            let body = format!("[{}", part.repeat(200_000));
            assert!(batches(body.as_bytes()).is_err(), "{part}");
        }
    }

    #[test]
    fn replacements_do_not_make_a_body_larger_than_the_limit() {
        let body = |bytes: usize| [b"[\"", vec![0xff; bytes].as_slice(), b"\"]"].concat();
        assert_eq!(read(&body(LIMIT / 4)).len(), 1);
        assert_eq!(
            batches(&body(LIMIT / 2)).err().as_deref(),
            Some("invalid telemetry: too many bytes are not UTF-8")
        );
    }

    #[test]
    fn large_batch_is_split() {
        let element = |i: usize| json!({"record": format!("], {i} {}", "x".repeat(i % 100)), "type": "function"});
        let large: Vec<_> = (0..10_000).map(element).collect();
        let small: Vec<_> = (0..10_000).map(Value::from).collect();
        let huge = vec![element(1), json!(["x".repeat(MAX_BATCH_BYTES)]), element(2)];
        for (events, parts) in [(large, 4), (small, 3), (huge, 3)] {
            let body = json!(events).to_string();
            let batches = batches(body.as_bytes()).unwrap();
            assert_eq!(batches.len(), parts);
            for batch in &batches {
                assert!(batch.events() <= MAX_BATCH_EVENTS);
                assert!(batch.events() == 1 || batch.bytes() <= MAX_BATCH_BYTES + 100);
            }
            assert_eq!(values(&read(body.as_bytes())), json!(events));
        }
    }

    #[test]
    fn every_element_is_preserved_byte_by_byte() {
        let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
        let long = format!(r#"{{"record": "{}\n"}}"#, "x".repeat(MAX_BATCH_BYTES));
        let elements = [
            "null",
            "true",
            "1",
            "-1.50",
            "1E+2",
            "123456789012345678901234567890.5",
            "1e999",
            r#""text, with \" and \\""#,
            r#""\ud800""#,
            r#""\u00e9é""#,
            "[1, [ 2]]",
            "{}",
            r#"{ "name" :5, "name": 6 }"#,
            r#"{"\ud800": 1, "type": "function"}"#,
            r#"{"type":"function","record":"\ud800", "z": 1, "a": 1e999}"#,
            "{\t\"name\": \"platform.\\u0073tart \",\r\n\"traceId\" : \"\\u0031\" }",
            &deep,
            &long,
        ];
        let body = format!(" [\n{} ]\r\n", elements.join(" ,\t"));
        assert_eq!(texts(&read(body.as_bytes())), elements);
        for element in elements {
            let body = format!("[{element}]");
            let events = read(body.as_bytes());
            assert_eq!(texts(&events), [element]);
            assert_eq!(serde_json::to_string(&events).unwrap(), body);
            let again: Vec<TelemetryEvent> = serde_json::from_str(&body).unwrap();
            assert_eq!(again, events);
            assert_eq!(again[0].trace_id(), events[0].trace_id());
        }
    }

    #[test]
    fn batch_counts_with_its_json_and_60_bytes_for_each_event() {
        let bytes = |body: &[u8]| batches(body).unwrap()[0].bytes();
        assert_eq!(bytes(b"[{},{},{}]") - bytes(b"[{}]"), 2 * (60 + 3));
    }

    #[test]
    fn events_of_a_split_batch_are_typed() {
        let event = r#"{"name": "platform.\u0073tart", "traceId": "\u0031 "}"#;
        let body = format!("[{event}{}]", format!(",{event}").repeat(9999));
        assert_eq!(batches(body.as_bytes()).unwrap().len(), 3);
        let events = read(body.as_bytes());
        assert_eq!(events.len(), 10_000);
        for event in events {
            assert!(
                matches!(&event, TelemetryEvent::Platform(start) if start.name() == "platform.start")
            );
            assert_eq!(event.trace_id(), Some("1"));
        }
    }

    #[test]
    fn events_share_the_buffer_of_their_batch() {
        let body =
            br#"[{"type": "function", "record": "a"}, {"name": "platform.start", "traceId": "1"}]"#;
        let mut batches = batches(body).unwrap();
        let batch = batches.remove(0);
        let mut events = Vec::new();
        batch.append_to(&mut events);
        let clones = events.clone();
        assert_eq!(Arc::strong_count(&batch.events), 5);
        for (event, clone) in events.iter().zip(&clones) {
            assert_eq!(event.json().as_ptr(), clone.json().as_ptr());
        }
        // An event outlives its batch.
        drop(batch);
        drop(events);
        assert_eq!(
            clones[1].json(),
            r#"{"name": "platform.start", "traceId": "1"}"#
        );
        assert_eq!(clones[1].trace_id(), Some("1"));
    }

    #[test]
    fn bytes_that_are_not_utf8_are_replaced() {
        let events = read(b"[{\"type\":\"function\",\"record\":\"a\xffb\"}]");
        assert!(matches!(&events[0], TelemetryEvent::Function(log) if log.text() == "a\u{fffd}b"));
    }

    #[test]
    fn byte_order_mark_and_control_characters_are_accepted() {
        let record = |body: &[u8]| {
            let events = read(body);
            assert_eq!(events.len(), 2);
            match &events[0] {
                TelemetryEvent::Function(log) => log.text().into_owned(),
                other => panic!("{other:?}"),
            }
        };
        for body in [
            "\u{feff}[{\"type\": \"function\", \"record\": \"a\nb\"}, 1]".as_bytes(),
            b"\xef\xbb\xbf[{\"type\":\"function\",\n\"record\":\"a\nb\"},\"\xff\"]",
        ] {
            assert_eq!(record(body), "a\nb");
        }
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
            // Nearly valid: an invalid element, an invalid escape, a line break in a string, commas without values.
            ("[1, oops]", "expected value at line 1 column 5"),
            (r#"[{"a": "\x"}]"#, "invalid escape at line 1 column 10"),
            ("[,]", "expected value at line 1 column 2"),
            ("[1,,]", "expected value at line 1 column 4"),
            // The position is that in the original body, even after a trailing comma.
            ("[[1,], oops]", "expected value at line 1 column 8"),
        ] {
            assert_eq!(
                batches(body.as_bytes()).err(),
                Some(format!("invalid telemetry: {problem}")),
                "{body}"
            );
        }
        for empty in ["", " \r\n"] {
            assert_eq!(
                batches(empty.as_bytes()).err().as_deref(),
                Some("the body is empty; expected a JSON array of telemetry events")
            );
        }
        let quoted = batches(format!("\"{}\"", "x".repeat(5000)).as_bytes());
        assert!(quoted.is_err_and(|error| error.chars().count() == 301));
        for empty in [
            "[]".to_owned(),
            format!("[{}]", " ".repeat(MAX_BATCH_BYTES)),
        ] {
            assert!(read(empty.as_bytes()).is_empty());
        }
    }
}
