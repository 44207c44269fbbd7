//! The invoke event that the platform posts.

use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::{Error as _, SerializeMap};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::FunctionUrn;

/// An invocation of the function, deserialized from the invoke event that the platform posts (D 2707).
///
/// ```
/// use fg_extension::Invocation;
///
/// let invocation: Invocation = serde_json::from_str(
///     r#"{
///         "traceId": "3da1f2dc-3222-475e-9205-e2e6c6318895",
///         "invokedFunctionUrn": "sn:cn:yrk:1111:function:0@test@hello:latest"
///     }"#,
/// )?;
/// assert_eq!(invocation.trace_id, "3da1f2dc-3222-475e-9205-e2e6c6318895");
/// assert_eq!(invocation.invoked_function_urn.name(), Some("hello"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Invocation {
    /// The field `traceId`: the ID of the request, a UUID in the page's example (D).
    pub trace_id: String,
    /// The field `invokedFunctionUrn`: the function that was invoked (D).
    pub invoked_function_urn: FunctionUrn,
    /// The names and the JSON of all other fields.
    other: Vec<(String, Box<str>)>,
}

impl Invocation {
    /// Creates an invocation without other fields, for unit tests of a handler.
    ///
    /// ```
    /// use fg_extension::Invocation;
    ///
    /// let invocation = Invocation::new("1", "urn:fss:cn-north-4:0a1b:function:default:hello");
    /// assert_eq!(invocation.invoked_function_urn.name(), Some("hello"));
    /// ```
    #[must_use]
    pub fn new(trace_id: impl Into<String>, invoked_function_urn: impl Into<FunctionUrn>) -> Self {
        Self {
            trace_id: trace_id.into(),
            invoked_function_urn: invoked_function_urn.into(),
            other: Vec::new(),
        }
    }

    /// Deserializes another field of the invoke event. Returns `None` if there is no such field, or if it is not a `T`.
    ///
    /// The page does not document any other fields (?).
    ///
    /// ```
    /// use fg_extension::Invocation;
    ///
    /// let invocation: Invocation =
    ///     serde_json::from_str(r#"{"traceId": "1", "invokedFunctionUrn": "", "deadlineMs": 3000}"#)?;
    /// assert_eq!(invocation.field("deadlineMs"), Some(3000));
    /// assert_eq!(invocation.field::<String>("deadlineMs"), None);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn field<'a, T: Deserialize<'a>>(&'a self, name: &str) -> Option<T> {
        // Of several fields with the same name, the last one wins, as in any JSON object.
        let (_, json) = self.other().filter(|(field, _)| *field == name).last()?;
        serde_json::from_str(json).ok()
    }

    /// Returns the names and the JSON of all other fields, in order.
    pub fn other(&self) -> impl Iterator<Item = (&str, &str)> {
        self.other.iter().map(|(name, json)| (&**name, &**json))
    }
}

/// Writes the two known fields first, then all other fields as they were received.
impl Serialize for Invocation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("traceId", &self.trace_id)?;
        map.serialize_entry("invokedFunctionUrn", &self.invoked_function_urn)?;
        for (name, json) in &self.other {
            let json: &RawValue = serde_json::from_str(json).map_err(S::Error::custom)?;
            map.serialize_entry(name, json)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Invocation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InvocationVisitor)
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Field {
    TraceId,
    InvokedFunctionUrn,
    Other(String),
}

struct InvocationVisitor;

impl<'de> Visitor<'de> for InvocationVisitor {
    type Value = Invocation;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object with `traceId` and `invokedFunctionUrn`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Invocation, A::Error> {
        let mut trace_id = None;
        let mut invoked_function_urn = None;
        let mut other = Vec::new();
        while let Some(name) = fields.next_key()? {
            match name {
                Field::TraceId => trace_id = Some(fields.next_value()?),
                Field::InvokedFunctionUrn => invoked_function_urn = Some(fields.next_value()?),
                Field::Other(name) => {
                    let json: Box<RawValue> = fields.next_value()?;
                    other.push((name, json.into()));
                }
            }
        }
        Ok(Invocation {
            trace_id: trace_id.ok_or_else(|| A::Error::missing_field("traceId"))?,
            invoked_function_urn: invoked_function_urn
                .ok_or_else(|| A::Error::missing_field("invokedFunctionUrn"))?,
            other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Invocation;

    #[test]
    fn every_received_field_is_preserved() {
        let event = concat!(
            r#"{"traceId":"1","invokedFunctionUrn":"sn:cn:yrk:1111:function:0@test@hello:latest","#,
            r#""deadlineMs":1,"nested":[{"z":null, "a":1.50}],"big":123456789012345678901234567890,"huge":1e999,"#,
            r#""deadlineMs":2,"surrogate":"\ud800"}"#,
        );
        let invocation: Invocation = serde_json::from_str(event).unwrap();
        assert_eq!(invocation.other().count(), 6);
        assert_eq!(invocation.field("deadlineMs"), Some(2));
        assert_eq!(
            invocation.field("big"),
            Some(123_456_789_012_345_678_901_234_567_890_u128)
        );
        assert_eq!(invocation.field::<u8>("traceId"), None);
        assert_eq!(serde_json::to_string(&invocation).unwrap(), event);
        let other = serde_json::from_str(&event.replace("1.50", "1.5")).unwrap();
        assert_ne!(invocation, other);
    }
}
