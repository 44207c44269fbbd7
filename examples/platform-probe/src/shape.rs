//! [`Shape`]: the shape of a JSON text: fields in their order, types, and known words, without values.

use std::collections::BTreeSet;
use std::fmt::{self, Display};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::redact::{Name, class, known_word};

/// How many fields of an object are shown.
const MAX_FIELDS: usize = 40;

/// The shape of a JSON value.
#[derive(Debug)]
pub(crate) enum Shape {
    Null,
    Bool,
    Integer,
    Float,
    /// A known word, or the class of the string.
    Text(String),
    /// The different shapes of the elements.
    Array(BTreeSet<String>),
    Object(Vec<(Name, Shape)>, usize),
}

impl Shape {
    /// Describes a body, whether it is JSON or not.
    pub(crate) fn of_body(body: &[u8]) -> String {
        if body.is_empty() {
            return "empty body".to_owned();
        }
        let Ok(text) = std::str::from_utf8(body) else {
            return "body that is not UTF-8".to_owned();
        };
        match serde_json::from_str::<Self>(text) {
            Ok(shape) => shape.to_string(),
            Err(_) => match serde_json::from_str::<Self>(&without_trailing_commas(text)) {
                Ok(shape) => format!("{shape}, with trailing commas"),
                Err(_) => "body that is not JSON".to_owned(),
            },
        }
    }
}

/// Removes commas before `]` and `}`, which the examples of the platform's documentation contain.
pub(crate) fn without_trailing_commas(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let (mut in_string, mut escaped) = (false, false);
    for character in text.chars() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if character == '"' {
            in_string = true;
        } else if matches!(character, ']' | '}') {
            let end = result.trim_end().len();
            if result[..end].ends_with(',') {
                result.truncate(end - 1);
            }
        }
        result.push(character);
    }
    result
}

impl Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool => f.write_str("boolean"),
            Self::Integer => f.write_str("integer"),
            Self::Float => f.write_str("float"),
            Self::Text(text) => f.write_str(text),
            Self::Array(shapes) if shapes.is_empty() => f.write_str("empty array"),
            Self::Array(shapes) => {
                let shapes: Vec<_> = shapes.iter().map(String::as_str).collect();
                write!(f, "array of {}", shapes.join(" or "))
            }
            Self::Object(fields, others) => {
                f.write_str("{")?;
                for (index, (name, shape)) in fields.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{name}: {shape}")?;
                }
                if *others > 0 {
                    write!(f, ", {others} more")?;
                }
                f.write_str("}")
            }
        }
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
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
        Ok(Shape::Bool)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
        Ok(Shape::Integer)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
        Ok(Shape::Integer)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
        Ok(Shape::Float)
    }

    fn visit_str<E>(self, text: &str) -> Result<Shape, E> {
        Ok(Shape::Text(match known_word(text) {
            Some(word) if word.len() == text.len() => format!("\"{word}\""),
            Some(word) => format!("\"{word}\" with white space around it"),
            None => class(text),
        }))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Shape, A::Error> {
        let mut shapes = BTreeSet::new();
        while let Some(element) = elements.next_element::<Shape>()? {
            if shapes.len() < MAX_FIELDS {
                shapes.insert(element.to_string());
            }
        }
        Ok(Shape::Array(shapes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Shape, A::Error> {
        let (mut fields, mut others) = (Vec::new(), 0);
        while let Some((name, shape)) = entries.next_entry::<String, Shape>()? {
            if fields.len() < MAX_FIELDS {
                fields.push((Name::new(&name), shape));
            } else {
                others += 1;
            }
        }
        Ok(Shape::Object(fields, others))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_order() {
        let body = br#"{"name": "platform.report", "status": " success ", "traceId": "3da1f2dc-3222-475e-9205-e2e6c6318895",
            "metrics": {"durationMs": 12.5, "billedDurationMs": 13}, "record": ["Smith", 4711, null, "Jones"],
            "e": [], "f": true, "kontonummer 4711": "DE02"}"#;
        assert_eq!(
            Shape::of_body(body),
            r#"{name: "platform.report", status: "success" with white space around it, traceId: UUID, metrics: {durationMs: float, billedDurationMs: integer}, record: array of integer or null or text, e: empty array, f: boolean, <name of 16 characters>: text}"#
        );
    }

    #[test]
    fn bodies_that_are_not_json_are_described() {
        assert_eq!(Shape::of_body(b""), "empty body");
        assert_eq!(Shape::of_body(b"\xff"), "body that is not UTF-8");
        assert_eq!(Shape::of_body(b"{\"a\": "), "body that is not JSON");
        assert_eq!(
            Shape::of_body(br#"[{"a": ",]\",}",} , ]"#),
            "array of {a: text}, with trailing commas"
        );
    }
}
