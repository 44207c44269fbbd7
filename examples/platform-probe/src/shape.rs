//! [`Shape`]: the shape of a JSON text: fields in their order, types, and known words, without values.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt::{self, Display};

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use crate::redact::{Name, class, known_word};

/// How many fields of an object are shown.
const MAX_FIELDS: usize = 40;

/// How many values of a text are described. A platform can post 6 MB of them.
const MAX_VALUES: usize = 300;

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
    /// There are more than [`MAX_VALUES`] values.
    Omitted,
}

impl Shape {
    /// Describes a JSON text.
    pub(crate) fn parse(json: &str) -> serde_json::Result<Self> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let budget = Cell::new(MAX_VALUES);
        let shape = Seed(&budget).deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(shape)
    }

    /// Describes a body, whether it is JSON or not.
    pub(crate) fn of_body(body: &[u8]) -> String {
        if body.is_empty() {
            return "empty body".to_owned();
        }
        let Ok(text) = std::str::from_utf8(body) else {
            return "body that is not UTF-8".to_owned();
        };
        match Self::parse(text) {
            Ok(shape) => shape.to_string(),
            Err(_) => match Self::parse(&without_trailing_commas(text)) {
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
            Self::Omitted => f.write_str("…"),
        }
    }
}

/// Describes a value, with this number of values left to describe.
#[derive(Clone, Copy)]
struct Seed<'a>(&'a Cell<usize>);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Shape;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shape, D::Error> {
        let Some(left) = self.0.get().checked_sub(1) else {
            IgnoredAny::deserialize(deserializer)?;
            return Ok(Shape::Omitted);
        };
        self.0.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
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
        let mut left = self.0.get();
        while let Some(element) = elements.next_element_seed(self)? {
            if shapes.len() < MAX_FIELDS && shapes.insert(element.to_string()) {
                left = self.0.get();
            }
            // Elements of a shape that is known already do not count.
            self.0.set(left);
        }
        Ok(Shape::Array(shapes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Shape, A::Error> {
        let (mut fields, mut others) = (Vec::new(), 0);
        while fields.len() < MAX_FIELDS {
            let Some(name) = entries.next_key::<String>()? else {
                return Ok(Shape::Object(fields, others));
            };
            fields.push((Name::new(&name), entries.next_value_seed(self)?));
        }
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            others += 1;
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
            r#"{name: "platform.report", status: "success" with white space around it, traceId: UUID, metrics: {durationMs: float, billedDurationMs: integer}, record: array of integer or null or text, e: empty array, f: boolean, (name of 16 characters): text}"#
        );
    }

    #[test]
    fn shapes_are_bounded() {
        fn nested(depth: u32) -> String {
            let inner = if depth == 0 {
                "1".to_owned()
            } else {
                nested(depth - 1)
            };
            let fields: Vec<_> = (0..12).map(|it| format!("\"f{it}\": {inner}")).collect();
            format!("{{{}}}", fields.join(", "))
        }
        let shape = Shape::of_body(nested(3).as_bytes());
        assert!(shape.ends_with("f11: …}") && shape.len() < 8_000, "{shape}");
        let array = format!("[{}{{\"last\": 1}}]", "[1], ".repeat(1_000));
        assert_eq!(
            Shape::of_body(array.as_bytes()),
            "array of array of integer or {last: integer}"
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
