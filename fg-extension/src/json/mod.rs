//! Reads JSON text without building values: strings, numbers, and the fields of objects.

mod scanner;
mod trailing_commas;
mod unescape;

use std::borrow::Cow;

use serde::Deserialize;

pub(crate) use scanner::{Field, Invalid, Scanner};
pub(crate) use trailing_commas::blank_trailing_commas;

/// Returns the text of a JSON string, or `None` if `json` is not a string. An unpaired surrogate is replaced, since no
/// Rust string can contain it.
pub(crate) fn text(json: &str) -> Option<Cow<'_, str>> {
    let text = unescaped_text(json)?;
    if has_escapes(text) {
        return unescape::unescape(text).map(Cow::Owned);
    }
    Some(Cow::Borrowed(text))
}

/// Returns whether a text contains escapes. It does not stop at the first one, which makes it faster for short texts.
fn has_escapes(text: &str) -> bool {
    let bytes = text.bytes();
    bytes.fold(false, |found, byte| found | (byte == b'\\'))
}

/// Returns the text of a JSON string without escapes.
pub(crate) fn unescaped_text(json: &str) -> Option<&str> {
    json.strip_prefix('"')?.strip_suffix('"')
}

/// Returns a number. It may also be in a string.
pub(crate) fn number(json: &str) -> Option<f64> {
    let number: f64 = match text(json) {
        Some(text) => text.trim().parse(),
        None => json.parse(),
    }
    .ok()?;
    number.is_finite().then_some(number)
}

/// Returns the JSON of the last field of a JSON object with the given name. Any other text has no fields.
pub(crate) fn field<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    let mut last = None;
    let mut visit = |field: Field| {
        if name_of(object, &field) == name {
            last = Some(field.value);
        }
    };
    scan_any(object, &mut visit)?;
    object.get(last?)
}

/// Deserializes the last field of a JSON object with the given name.
pub(crate) fn parse_field<'a, T: Deserialize<'a>>(object: &'a str, name: &str) -> Option<T> {
    serde_json::from_str(field(object, name)?).ok()
}

/// Returns the names and the JSON of all fields of a JSON object, in order. Any other JSON value has no fields.
pub(crate) fn fields(object: &str) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
    let mut scanner = Scanner::new(object);
    let mut position = 0;
    std::iter::from_fn(move || {
        let (field, end) = scanner.next_field(position)?;
        position = end;
        Some((name_of(object, &field), &object[field.value]))
    })
}

/// Escapes the control characters in the strings of a text that is JSON otherwise. Returns `None` if there are none, or if
/// the text would be longer than `limit`.
pub(crate) fn escape_controls(text: &str, limit: usize) -> Option<String> {
    let bytes = || {
        let (mut in_string, mut is_escaped) = (false, false);
        text.bytes().map(move |byte| {
            let is_control = in_string && byte < b' ';
            let is_quote = byte == b'"' && !is_escaped;
            in_string ^= is_quote;
            is_escaped = in_string && !is_escaped && byte == b'\\';
            (byte, is_control)
        })
    };
    let controls = bytes().filter(|(_, is_control)| *is_control).count();
    let length = text.len() + controls * (r"\u0000".len() - 1);
    if controls == 0 || length > limit {
        return None;
    }
    let mut escaped = Vec::with_capacity(length);
    for (byte, is_control) in bytes() {
        if is_control {
            let hex = |digit: u8| b"0123456789abcdef"[usize::from(digit)];
            escaped.extend(b"\\u00");
            escaped.extend([hex(byte >> 4), hex(byte & 15)]);
        } else {
            escaped.push(byte);
        }
    }
    // ASCII characters were replaced by others, so the text is still UTF-8.
    String::from_utf8(escaped).ok()
}

/// Returns the text with replacements for the bytes that are not UTF-8, or `None` if it would be longer than `limit`.
pub(crate) fn replace_invalid_utf8(bytes: &[u8], limit: usize) -> Option<String> {
    let parts = || {
        bytes.utf8_chunks().flat_map(|chunk| {
            let replacement = match chunk.invalid() {
                [] => "",
                _ => "\u{fffd}",
            };
            [chunk.valid(), replacement]
        })
    };
    let length = parts().map(str::len).sum();
    if length > limit {
        return None;
    }
    let mut text = String::with_capacity(length);
    text.extend(parts());
    Some(text)
}

/// Does what [`scan`] does, with one function for all visitors, which makes every extension smaller.
fn scan_any(object: &str, visit: &mut dyn FnMut(Field)) -> Option<()> {
    scan(object, visit)
}

/// Returns whether the text is a JSON object.
pub(crate) fn is_object(text: &str) -> bool {
    scan_any(text, &mut |_| ()).is_some()
}

/// Returns the name of a field of an object.
pub(crate) fn name_of<'a>(object: &'a str, field: &Field) -> Cow<'a, str> {
    let name = &object[field.name.clone()];
    if !has_escapes(name) {
        return Cow::Borrowed(name);
    }
    unescape::unescape(name).map_or(Cow::Borrowed(name), Cow::Owned)
}

/// Passes the fields of a JSON object to `visit`, in order. Returns `None` for any other text.
pub(crate) fn scan(object: &str, visit: impl FnMut(Field)) -> Option<()> {
    let mut scanner = Scanner::new(object);
    let end = scanner.object(0, visit).ok()?;
    (scanner.token(end) == object.len()).then_some(())
}

#[cfg(test)]
mod tests {
    use super::{escape_controls, field, fields, is_object, number, replace_invalid_utf8, text};

    #[test]
    fn fields_are_found_by_their_decoded_names() {
        let object = r#" {"a": 1, "\u0061" : "2", "b\n": null, "\ud800": {}} "#;
        assert_eq!(field(object, "a"), Some("\"2\""));
        assert_eq!(field(object, "b\n"), Some("null"));
        assert_eq!(field(object, "\u{fffd}"), Some("{}"));
        // These are not names, but how names are written.
        for other in ["b", r"b\n", r"\u0061", r"\ud800"] {
            assert_eq!(field(object, other), None, "{other}");
        }
        let names: Vec<_> = fields(object).map(|it| it.0).collect();
        assert_eq!(names, ["a", "a", "b\n", "\u{fffd}"]);
        for other in ["", "[]", "\"a\"", "{", "{\"a\":1} x", "{\"a\":1}}"] {
            assert_eq!((field(other, "a"), is_object(other)), (None, false));
        }
    }

    #[test]
    fn control_characters_in_strings_are_escaped() {
        let text = "{\n\"a\": \"\\\"\n\\\\\",\r\"b\t\":\n1}";
        let escaped = "{\n\"a\": \"\\\"\\u000a\\\\\",\r\"b\\u0009\":\n1}";
        let length = escaped.len();
        assert_eq!(escape_controls(text, length).as_deref(), Some(escaped));
        assert_eq!(escape_controls(text, length - 1), None);
        assert_eq!(escape_controls(escaped, length), None);
    }

    #[test]
    fn bytes_that_are_not_utf8_are_replaced() {
        let (bytes, text) = (b"\xffa\xe4\xb8\xc3\xa9", "\u{fffd}a\u{fffd}\u{e9}");
        assert_eq!(
            replace_invalid_utf8(bytes, text.len()).as_deref(),
            Some(text)
        );
        assert_eq!(replace_invalid_utf8(bytes, text.len() - 1), None);
    }

    #[test]
    fn texts_and_numbers_are_read() {
        assert_eq!(text(r#""a""#).as_deref(), Some("a"));
        assert_eq!(text(r#""\u0061\n""#).as_deref(), Some("a\n"));
        assert_eq!((text("1"), text("[\"\\n\"]")), (None, None));
        assert_eq!(number("12.5"), Some(12.5));
        assert_eq!(number(r#"" 1e2 ""#), Some(100.0));
        for json in ["1e999", "\"inf\"", "null", "[]", "\"\""] {
            assert_eq!(number(json), None, "{json}");
        }
    }
}
