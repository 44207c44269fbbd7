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
    if text.contains('\\') {
        return unescape::unescape(text).map(Cow::Owned);
    }
    Some(Cow::Borrowed(text))
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
    let visit = |field: Field| {
        if name_of(object, &field) == name {
            last = Some(field.value);
        }
    };
    scan(object, visit)?;
    object.get(last?)
}

/// Deserializes the last field of a JSON object with the given name.
pub(crate) fn parse_field<'a, T: Deserialize<'a>>(object: &'a str, name: &str) -> Option<T> {
    serde_json::from_str(field(object, name)?).ok()
}

/// Returns the names and the JSON of all fields of a JSON object, in order, or `None` for any other text.
pub(crate) fn fields(object: &str) -> Option<Vec<(Cow<'_, str>, &str)>> {
    let mut fields = Vec::new();
    let visit = |field: Field| fields.push((name_of(object, &field), &object[field.value]));
    scan(object, visit)?;
    Some(fields)
}

/// Escapes the control characters in the strings of a text that is JSON otherwise. Returns `None` if there are none.
pub(crate) fn escape_controls(text: &str) -> Option<String> {
    let (mut in_string, mut is_escaped) = (false, false);
    let mut escaped = String::with_capacity(text.len());
    let mut any = false;
    for character in text.chars() {
        if in_string && character < ' ' {
            any = true;
            escaped.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            escaped.push(character);
        }
        let is_quote = character == '"' && !is_escaped;
        in_string ^= is_quote;
        is_escaped = in_string && !is_escaped && character == '\\';
    }
    any.then_some(escaped)
}

/// Returns whether the text is a JSON object.
pub(crate) fn is_object(text: &str) -> bool {
    scan(text, |_| ()).is_some()
}

/// Returns the name of a field of an object.
pub(crate) fn name_of<'a>(object: &'a str, field: &Field) -> Cow<'a, str> {
    let name = &object[field.name.clone()];
    if !name.contains('\\') {
        return Cow::Borrowed(name);
    }
    unescape::unescape(name).map_or(Cow::Borrowed(name), Cow::Owned)
}

fn scan(object: &str, visit: impl FnMut(Field)) -> Option<()> {
    let mut scanner = Scanner::new(object);
    let end = scanner.object(0, visit).ok()?;
    (scanner.token(end) == object.len()).then_some(())
}

#[cfg(test)]
mod tests {
    use super::{escape_controls, field, fields, is_object, number, text};

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
        let names: Vec<_> = fields(object).unwrap().into_iter().map(|it| it.0).collect();
        assert_eq!(names, ["a", "a", "b\n", "\u{fffd}"]);
        for other in ["", "[]", "\"a\"", "{", "{\"a\":1} x", "{\"a\":1}}"] {
            assert_eq!((field(other, "a"), is_object(other)), (None, false));
            assert_eq!(fields(other), None);
        }
    }

    #[test]
    fn control_characters_in_strings_are_escaped() {
        let text = "{\n\"a\": \"\\\"\n\\\\\",\r\"b\t\":\n1}";
        let escaped = "{\n\"a\": \"\\\"\\u000a\\\\\",\r\"b\\u0009\":\n1}";
        assert_eq!(escape_controls(text).as_deref(), Some(escaped));
        assert_eq!(escape_controls(escaped), None);
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
