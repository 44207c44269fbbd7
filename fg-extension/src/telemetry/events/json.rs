//! Reads JSON text on demand: strings, numbers, and the fields of objects.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// Returns the text of a JSON string, or `None` if `json` is not a string. An unpaired surrogate is replaced, since no
/// Rust string can contain it.
pub(super) fn text(json: &str) -> Option<Cow<'_, str>> {
    if !json.contains('\\') {
        return unescaped_text(json).map(Cow::Borrowed);
    }
    if !json.starts_with('"') {
        return None;
    }
    let Unescaped(text) = serde_json::from_str(json).ok()?;
    Some(Cow::Owned(text))
}

/// Returns the text of a JSON string without escapes.
pub(super) fn unescaped_text(json: &str) -> Option<&str> {
    json.strip_prefix('"')?.strip_suffix('"')
}

/// Returns a number. It may also be in a string.
pub(super) fn number(json: &str) -> Option<f64> {
    let number: f64 = match text(json) {
        Some(text) => text.trim().parse(),
        None => json.parse(),
    }
    .ok()?;
    number.is_finite().then_some(number)
}

/// Returns the JSON of the last field of a JSON object with the given name.
pub(super) fn field<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    let field = fields(object).rfind(|(field, _)| field == name)?;
    Some(field.1)
}

/// Deserializes the last field of a JSON object with the given name.
pub(super) fn parse_field<'a, T: Deserialize<'a>>(object: &'a str, name: &str) -> Option<T> {
    serde_json::from_str(field(object, name)?).ok()
}

/// Returns the names and the JSON of all fields of a JSON object, in order. Any other value has none.
pub(super) fn fields(object: &str) -> impl DoubleEndedIterator<Item = (Cow<'_, str>, &str)> {
    let Fields(fields) = serde_json::from_str(object).unwrap_or_default();
    fields.into_iter()
}

#[derive(Default)]
struct Fields<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            fields.push((name, map.next_value::<&RawValue>()?.get()));
        }
        Ok(Fields(fields))
    }
}

/// A field name, borrowed if it contains no escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The text of a JSON string with escapes.
struct Unescaped(String);

impl<'de> Deserialize<'de> for Unescaped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // As bytes, a string may contain unpaired surrogates.
        deserializer.deserialize_bytes(UnescapedVisitor)
    }
}

struct UnescapedVisitor;

impl Visitor<'_> for UnescapedVisitor {
    type Value = Unescaped;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Unescaped, E> {
        Ok(Unescaped(String::from_utf8_lossy(bytes).into_owned()))
    }
}
