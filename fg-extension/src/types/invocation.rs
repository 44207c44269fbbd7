//! The invoke event that the platform posts.

use serde::de::{Error as _, IgnoredAny};
use serde::ser::{Error as _, SerializeMap};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::{FunctionUrn, json};

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

impl Invocation {
    /// Reads an invoke event from the body of a request.
    ///
    /// Only the trace ID must be as documented, since an event without it cannot be answered. Everything else is kept as
    /// its text. Bytes that are not UTF-8 are replaced, and control characters in strings are escaped. A byte order mark
    /// is ignored.
    ///
    /// # Errors
    ///
    /// Returns an error message if the body is not a JSON object with a string `traceId`.
    pub(crate) fn read(body: &[u8]) -> Result<Self, String> {
        let text = String::from_utf8_lossy(body);
        let text = text.trim_start_matches('\u{feff}').trim_ascii();
        if text.is_empty() {
            return Err("the body is empty; expected an invocation".to_owned());
        }
        let read = Self::read_text(text).or_else(|error| {
            let escaped = json::escape_controls(text).ok_or(error)?;
            Self::read_text(&escaped)
        });
        read.map_err(|error| format!("invalid invocation: {error}"))
    }

    fn read_text(text: &str) -> Result<Self, String> {
        let Some(fields) = json::fields(text) else {
            return Err(match serde_json::from_str::<IgnoredAny>(text) {
                Ok(_) => "expected a JSON object".to_owned(),
                Err(error) => error.to_string(),
            });
        };
        let mut trace_id = None;
        let mut invoked_function_urn = None;
        let mut other = Vec::new();
        for (name, json) in fields {
            match (&*name, json::text(json)) {
                ("traceId", Some(text)) => trace_id = Some(text.into_owned()),
                ("traceId", None) => return Err("`traceId` must be a string".to_owned()),
                ("invokedFunctionUrn", Some(urn)) => invoked_function_urn = Some(urn.into_owned()),
                _ => other.push((name.into_owned(), json.into())),
            }
        }
        Ok(Self {
            trace_id: trace_id.ok_or("missing field `traceId`")?,
            invoked_function_urn: invoked_function_urn.unwrap_or_default().into(),
            other,
        })
    }
}

/// Writes the two known fields first, then all other fields as they were received.
impl Serialize for Invocation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("traceId", &self.trace_id)?;
        // A URN that was not a string is one of the other fields.
        if self.other().all(|(name, _)| name != "invokedFunctionUrn") {
            map.serialize_entry("invokedFunctionUrn", &self.invoked_function_urn)?;
        }
        for (name, json) in &self.other {
            let json: &RawValue = serde_json::from_str(json).map_err(S::Error::custom)?;
            map.serialize_entry(name, json)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Invocation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Box::<RawValue>::deserialize(deserializer)?;
        Self::read_text(json.get()).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Invocation;

    #[test]
    fn only_the_trace_id_must_be_valid() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        let event = |field: &str| {
            let text = format!(r#"{{"traceId": "1", "invokedFunctionUrn": "a:b", "x": {field}}}"#);
            Invocation::read(text.as_bytes()).unwrap()
        };
        for json in ["1e400", "-0", r#""\ud800""#, "null", &deep] {
            let invocation = event(json);
            assert_eq!(invocation.trace_id, "1");
            assert_eq!(invocation.other().collect::<Vec<_>>(), [("x", json)]);
        }
        // Not valid in JSON.
        let invocation = event("\"a\nb\t\u{1}\"");
        assert_eq!(invocation.field("x"), Some("a\nb\t\u{1}".to_owned()));
        let body = b"\xef\xbb\xbf {\"traceId\": \"\xff\", \"invokedFunctionUrn\": \"a\nb\", \"x\": \"\xff\"}\r\n";
        let invocation = Invocation::read(body).unwrap();
        assert_eq!(invocation.trace_id, "\u{fffd}");
        assert_eq!(invocation.invoked_function_urn.as_str(), "a\nb");
        assert_eq!(invocation.field("x"), Some("\u{fffd}"));
    }

    #[test]
    fn urn_that_is_not_a_string_is_empty() {
        for (event, other) in [
            (r#"{"traceId":"1","invokedFunctionUrn":null}"#, 1),
            (r#"{"traceId":"1","invokedFunctionUrn":{"a":1}}"#, 1),
            (r#"{"traceId":"1"}"#, 0),
        ] {
            let invocation = Invocation::read(event.as_bytes()).unwrap();
            assert_eq!(invocation.invoked_function_urn.as_str(), "");
            assert_eq!(invocation.other().count(), other);
            let again: Invocation =
                serde_json::from_str(&serde_json::to_string(&invocation).unwrap()).unwrap();
            assert_eq!(again.invoked_function_urn.as_str(), "");
            assert_eq!(again.other().count(), other);
        }
    }

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
