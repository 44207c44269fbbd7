//! Limits on the JSON that is decoded. A decoded value can take a hundred times as much memory as its text.

use std::borrow::Cow;
use std::fmt;

use fg_util::json_escape;
use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The maximum length of JSON that is decoded.
pub(super) const MAX_JSON_BYTES: usize = 64 << 10;

/// The maximum length of the text of a log record.
///
/// A longer one would make its request larger than all others, and collectors limit the size of requests.
pub(super) const MAX_TEXT_BYTES: usize = 1 << 20;

/// The maximum number of values in JSON that is decoded.
const MAX_VALUES: usize = 4096;

/// Decodes JSON. Returns `None` if it exceeds the limits, or if a [`Value`] cannot represent it, such as the number
/// `1e999`.
pub(super) fn decode(json: &str) -> Option<Value> {
    is_within_limits(json).then(|| serde_json::from_str(json).ok())?
}

/// Decodes JSON. JSON that cannot be [decoded](decode) becomes a string that contains it.
pub(super) fn value(json: &str) -> Value {
    decode(json).unwrap_or_else(|| json.into())
}

/// The body of a log record. A text is cut at [`MAX_TEXT_BYTES`].
///
/// Of a long text, only what is kept is copied, and a string is read only once, since no other task runs in the
/// meantime.
#[derive(Debug, PartialEq)]
pub(super) struct Body {
    pub(super) value: Value,
    /// The length of the text if it was cut.
    pub(super) original_len: Option<usize>,
}

impl Body {
    /// Decodes JSON. JSON that cannot be [decoded](decode) becomes a text that contains it.
    pub(super) fn of_json(json: &str) -> Self {
        let decoded = match string_contents(json) {
            Some(escaped) if json.len() > MAX_JSON_BYTES => {
                let (text, len) = unescape(escaped, MAX_TEXT_BYTES);
                let original_len = (text.len() < len).then_some(len);
                return Self {
                    value: text.into(),
                    original_len,
                };
            }
            _ => decode(json),
        };
        decoded.map_or_else(
            || Self::of_text(json),
            |value| Self {
                value,
                original_len: None,
            },
        )
    }

    pub(super) fn of_text(text: &str) -> Self {
        let cut = prefix(text, MAX_TEXT_BYTES);
        Self {
            value: cut.into(),
            original_len: (cut.len() < text.len()).then_some(text.len()),
        }
    }
}

fn string_contents(json: &str) -> Option<&str> {
    json.strip_prefix('"')?.strip_suffix('"')
}

/// Decodes the contents of a JSON string up to a length of `max`. Also returns the whole length.
///
/// Half a surrogate pair becomes a replacement character.
fn unescape(escaped: &str, max: usize) -> (String, usize) {
    let mut text = String::with_capacity(max.min(escaped.len()));
    let (mut len, mut rest) = (0, escaped);
    while let Some((plain, escape)) = rest.split_once('\\') {
        if len == text.len() {
            text.push_str(prefix(plain, max - len));
        }
        len += plain.len();
        // The JSON is valid, so every escape can be decoded.
        let decoded = json_escape::decode(escape);
        let (char, after) = decoded.unwrap_or((char::REPLACEMENT_CHARACTER, escape));
        if len == text.len() && len + char.len_utf8() <= max {
            text.push(char);
        }
        len += char.len_utf8();
        rest = after;
    }
    if len == text.len() {
        text.push_str(prefix(rest, max - len));
    }
    (text, len + rest.len())
}

/// Returns whether JSON can be decoded without taking much memory.
pub(super) fn is_within_limits(json: &str) -> bool {
    // A string takes as much memory as its text.
    json.starts_with('"') || are_few_values(json.len(), || count_values(json))
}

/// Returns whether the fields of a JSON object, except for this one, can be decoded without taking much memory.
pub(super) fn are_other_fields_within_limits(object: &str, field: &str) -> bool {
    let count = || count_values(object).saturating_sub(count_values(field));
    are_few_values(object.len().saturating_sub(field.len()), count)
}

/// Decodes the short fields at the start of a JSON object that exceeds the limits, or whose end is missing.
pub(super) fn short_fields(json: &str) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut deserializer = serde_json::Deserializer::from_str(prefix(json, MAX_JSON_BYTES));
    // The error is that the end is missing. What precedes it has been read.
    let _ = deserializer.deserialize_map(ShortFields(&mut fields));
    fields
}

/// Collects the short fields of an object.
struct ShortFields<'a>(&'a mut Map<String, Value>);

impl<'de> Visitor<'de> for ShortFields<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        const MAX_FIELDS: usize = 64;
        const MAX_FIELD_BYTES: usize = 1024;
        while let Some((name, value)) = map.next_entry::<Cow<'de, str>, &'de RawValue>()? {
            let is_short = name.len() + value.get().len() <= MAX_FIELD_BYTES;
            if is_short && self.0.len() < MAX_FIELDS {
                let value = serde_json::from_str(value.get()).ok();
                self.0.extend(value.map(|value| (name.into_owned(), value)));
            }
        }
        Ok(())
    }
}

/// Returns the start of a text, with at most `max` bytes.
pub(super) fn prefix(text: &str, max: usize) -> &str {
    let mut ends = (0..=max.min(text.len())).rev();
    let end = ends.find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

fn are_few_values(bytes: usize, count: impl FnOnce() -> usize) -> bool {
    // Each value takes at least one byte, so the values of a short text need not be counted.
    bytes <= MAX_VALUES || bytes <= MAX_JSON_BYTES && count() <= MAX_VALUES
}

/// Returns an upper bound of the number of values: each one, except for the first, follows a comma or a bracket.
pub(super) fn count_values(json: &str) -> usize {
    let may_precede_value = |byte: &u8| matches!(byte, b',' | b'[' | b'{');
    json.bytes().filter(|byte| may_precede_value(byte)).count() + 1
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{
        Body, MAX_JSON_BYTES, MAX_TEXT_BYTES, MAX_VALUES, are_other_fields_within_limits, prefix,
        short_fields, unescape, value,
    };

    #[test]
    fn json_within_the_limits_is_decoded() {
        let longest = format!("[{}]", " ".repeat(MAX_JSON_BYTES - 2));
        assert_eq!(value(&longest), json!([]));
        let long = format!("[{}]", " ".repeat(MAX_JSON_BYTES - 1));
        assert_eq!(value(&long), Value::String(long));

        let most = format!("[{}0]", "0,".repeat(MAX_VALUES - 2));
        assert!(value(&most).is_array());
        let too_many = format!("[{}0]", "0,".repeat(MAX_VALUES - 1));
        assert_eq!(value(&too_many), Value::String(too_many));

        // A string of any length is decoded.
        let text = ",".repeat(2 * MAX_JSON_BYTES);
        assert_eq!(value(&format!("\"{text}\"")), Value::String(text));
        assert_eq!(value("1e999"), json!("1e999"));
    }

    #[test]
    fn short_fields_of_a_long_object_are_decoded() {
        let long = "x".repeat(2000);
        let longer = "x".repeat(MAX_JSON_BYTES);
        let json = format!(
            r#"{{"level": "error", "ctx": {{"a": [1]}}, "long": "{long}", "t\u0073": 5, "longer": "{longer}", "late": 1}}"#
        );
        let expected = json!({"level": "error", "ctx": {"a": [1]}, "ts": 5});
        assert_eq!(Value::from(short_fields(&json)), expected);
        for json in ["", "{", "[1]", "5", "{]", "{\"a"] {
            assert!(short_fields(json).is_empty(), "{json}");
        }
    }

    #[test]
    fn long_body_is_cut() {
        let is_body = |json: &str, value: Value, original_len| {
            let body = Body {
                value,
                original_len,
            };
            Body::of_json(json) == body
        };
        for part in ["a", "é", "\n", "\"\\", "\u{1}", "\u{1f600}"] {
            let text = part.repeat(3 * MAX_TEXT_BYTES / 2 / part.len());
            let cut = Value::from(prefix(&text, MAX_TEXT_BYTES));
            let json = serde_json::to_string(&text).unwrap();
            assert!(is_body(&json, cut, Some(text.len())), "{part}");

            let text = &text[..MAX_JSON_BYTES / 4 * 4];
            let json = serde_json::to_string(text).unwrap();
            assert!(is_body(&json, text.into(), None), "{part}");
        }
        let array = format!("[{}0]", "0,".repeat(MAX_TEXT_BYTES));
        let cut = Value::from(&array[..MAX_TEXT_BYTES]);
        assert!(is_body(&array, cut, Some(array.len())));
    }

    #[test]
    fn every_escape_is_decoded() {
        for (escaped, text) in [
            (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r"a\u00e9\u20AC\ud83d\ude00b", "aé€\u{1f600}b"),
            (r"\ud83d\u0041", "\u{fffd}A"),
            (r"\ud83d", "\u{fffd}"),
            (r"\ude00a", "\u{fffd}a"),
            (r"\u00", "\u{fffd}u00"),
            (r"\é", "\u{fffd}é"),
            (r"\", "\u{fffd}"),
        ] {
            assert_eq!(unescape(escaped, 100), (text.to_owned(), text.len()));
            for max in 0..text.len() {
                let cut = prefix(text, max).to_owned();
                assert_eq!(unescape(escaped, max), (cut, text.len()), "{max}");
            }
        }
    }

    #[test]
    fn large_field_does_not_count_with_the_others() {
        let large = format!("[{}0]", "0,".repeat(MAX_JSON_BYTES));
        let object = |other: &str| format!("{{\"record\":{large},\"other\":{other}}}");
        assert!(are_other_fields_within_limits(&object("1"), &large));
        let many = format!("[{}0]", "0,".repeat(MAX_VALUES));
        assert!(!are_other_fields_within_limits(&object(&many), &large));
        assert!(!are_other_fields_within_limits(&object(&large), &large));
    }

    #[test]
    fn prefix_ends_between_characters() {
        for (max, expected) in [
            (0, ""),
            (1, "a"),
            (2, "a"),
            (3, "aé"),
            (4, "aéb"),
            (9, "aéb"),
        ] {
            assert_eq!(prefix("aéb", max), expected);
        }
    }
}
