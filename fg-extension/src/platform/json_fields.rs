//! The fields of a JSON object, without assumptions about their types.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The names and values of an object's fields.
#[derive(Debug, Default)]
pub(crate) struct JsonFields<'a>(Vec<(String, &'a RawValue)>);

impl<'a> JsonFields<'a> {
    /// Returns the fields of an object. A value that is not an object, or not JSON, has none.
    pub(crate) fn parse(json: &'a [u8]) -> Self {
        serde_json::from_slice(json).unwrap_or_default()
    }

    /// Returns the value of a field. If the object has several fields of this name, the last one counts.
    fn get(&self, name: &str) -> Option<&'a str> {
        let (_, json) = self.0.iter().rfind(|(field, _)| field == name)?;
        Some(json.get())
    }

    /// Returns the fields of an object in a field.
    pub(crate) fn object(&self, name: &str) -> Self {
        self.get(name)
            .map(|json| Self::parse(json.as_bytes()))
            .unwrap_or_default()
    }

    /// Returns the string in a field, or `None` if it is missing, empty or not a string.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let text: String = serde_json::from_str(self.get(name)?).ok()?;
        Some(text).filter(|text| !text.is_empty())
    }
}

impl<'de> Deserialize<'de> for JsonFields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;

        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = JsonFields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(JsonFields(fields))
            }
        }

        deserializer.deserialize_map(FieldsVisitor)
    }
}
