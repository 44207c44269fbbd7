//! Reads JSON that others wrote. Error messages describe the JSON, not the parser.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;
use serde_json::{Map, Value};

/// Parses a JSON object. Rejects a key that occurs twice, because it is unknown which value counts.
pub(crate) fn parse_object(text: &[u8]) -> Result<Map<String, Value>, String> {
    if text.trim_ascii().is_empty() {
        return Err("the body is empty; expected a JSON object".to_owned());
    }
    let value = serde_json::from_slice::<UniqueKeys>(text).map_err(|error| {
        let place = format!("line {} column {}", error.line(), error.column());
        match error.classify() {
            Category::Eof => format!("the body is not valid JSON: it ends too early, at {place}"),
            Category::Data => format!("the body is not valid: {error}"),
            Category::Syntax | Category::Io => format!("the body is not valid JSON: {error}"),
        }
    })?;
    match value.0 {
        Value::Object(object) => Ok(object),
        other => Err(format!(
            "the body must be a JSON object, not {}",
            kind(&other)
        )),
    }
}

/// Returns the kind of a value with its article.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A value in which no object has a key twice.
struct UniqueKeys(Value);

impl<'de> Deserialize<'de> for UniqueKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueKeysVisitor).map(Self)
    }
}

struct UniqueKeysVisitor;

impl<'de> Visitor<'de> for UniqueKeysVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(UniqueKeys(value)) = sequence.next_element()? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom(format_args!("key `{key}` occurs twice")));
            }
            let UniqueKeys(value) = map.next_value()?;
            object.insert(key, value);
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::parse_object;

    #[test]
    fn objects_are_parsed() {
        let text = br#"{"a": [null, true, -1, 2, 2.5, "b\n", {"c": {}}]}"#;
        let expected = json!({"a": [null, true, -1, 2, 2.5, "b\n", {"c": {}}]});
        assert_eq!(&parse_object(text).unwrap(), expected.as_object().unwrap());
    }

    #[test]
    fn invalid_bodies_are_described_without_terms_of_the_parser() {
        for (text, message) in [
            (" \n", "the body is empty; expected a JSON object"),
            (
                r#"{"a""#,
                "the body is not valid JSON: it ends too early, at line 1 column 4",
            ),
            (
                "{a: 1}",
                "the body is not valid JSON: key must be a string at line 1 column 2",
            ),
            ("[]", "the body must be a JSON object, not an array"),
            ("\"a\"", "the body must be a JSON object, not a string"),
            (
                r#"{"a": {"b": 1, "b": 1}}"#,
                "the body is not valid: key `b` occurs twice at line 1 column 18",
            ),
        ] {
            assert_eq!(parse_object(text.as_bytes()), Err(message.to_owned()));
        }
    }
}
