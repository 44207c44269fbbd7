//! The invoke event that the platform posts.

use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

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
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Invocation {
    /// The field `traceId`: the ID of the request, a UUID in the page's example (D).
    pub trace_id: String,
    /// The field `invokedFunctionUrn`: the function that was invoked (D).
    pub invoked_function_urn: FunctionUrn,
    /// All other fields. The page does not document any (?).
    #[serde(flatten)]
    pub other: Map<String, Value>,
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
            other: Map::new(),
        }
    }
}

/// Implemented by hand, since a derived implementation with `flatten` would buffer every field twice.
impl<'de> Deserialize<'de> for Invocation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InvocationVisitor)
    }
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
        let mut other = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            match name.as_str() {
                "traceId" => trace_id = Some(fields.next_value()?),
                "invokedFunctionUrn" => invoked_function_urn = Some(fields.next_value()?),
                _ => {
                    other.insert(name, fields.next_value()?);
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
    use serde_json::json;

    use super::Invocation;

    #[test]
    fn every_received_field_is_preserved() {
        let event = json!({
            "traceId": "1",
            "invokedFunctionUrn": "sn:cn:yrk:1111:function:0@test@hello:latest",
            "deadlineMs": 1,
            "nested": [{"a": null}],
        });
        let invocation: Invocation = serde_json::from_value(event.clone()).unwrap();
        assert_eq!(invocation.other["deadlineMs"], 1);
        assert_eq!(invocation.other.len(), 2);
        assert_eq!(serde_json::to_value(invocation).unwrap(), event);
    }
}
