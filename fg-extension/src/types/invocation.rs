//! The invoke event that the platform posts.

use std::borrow::Cow;

use hyper::body::{Buf, Bytes};
use serde::de::{Error as _, IgnoredAny};
use serde::ser::{Error as _, SerializeMap};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::http::body::TEXT_LIMIT;
use crate::http::offload::MAX_INLINE;
use crate::json::{Field, name_of};
use crate::{FunctionUrn, json};

const TRACE_ID: &str = "traceId";
const URN: &str = "invokedFunctionUrn";

/// The maximum length of the JSON of the trace ID and of the URN, which are decoded into memory.
const MAX_STRING: usize = 64 * 1024;
/// The length of the longer name, with all of its characters escaped.
const MAX_ESCAPED_NAME: usize = URN.len() * r"\u0000".len();

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
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Invocation {
    /// The field `traceId`: the ID of the request, a UUID in the page's example (D).
    pub trace_id: String,
    /// The field `invokedFunctionUrn`: the function that was invoked (D).
    pub invoked_function_urn: FunctionUrn,
    /// The text of the event, if it has any other fields.
    text: Option<Box<str>>,
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
            text: None,
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
        let (_, json) = self.other().filter(|(field, _)| field == name).last()?;
        serde_json::from_str(json).ok()
    }

    /// Returns the names and the JSON of all other fields, in order.
    ///
    /// This includes an `invokedFunctionUrn` that is not a string, or longer than 64 KB.
    pub fn other(&self) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
        json::fields(self.text.as_deref().unwrap_or_default())
            .filter(|(name, json)| name != TRACE_ID && !(name == URN && is_short_string(json)))
    }

    /// Reads an invoke event from the body of a request.
    ///
    /// Only the trace ID must be as documented, since the response contains it. Everything else is kept as its
    /// text. Bytes that are not UTF-8 are replaced, and control characters in strings are escaped. A byte order mark
    /// is ignored.
    ///
    /// It keeps the body if there are other fields. A body that must be changed is dropped as soon as it is copied, so all
    /// of this takes at most twice the memory of the largest body.
    ///
    /// # Errors
    ///
    /// Returns an error message if the body is not a JSON object with a string `traceId`.
    pub(crate) fn read(mut body: Bytes) -> Result<Self, String> {
        while body.starts_with("\u{feff}".as_bytes()) {
            body.advance("\u{feff}".len());
        }
        let Ok(text) = str::from_utf8(&body) else {
            let text = json::replace_invalid_utf8(&body, TEXT_LIMIT)
                .ok_or("invalid invocation: too many bytes are not UTF-8")?;
            drop(body);
            return Self::read(text.into());
        };
        if text.trim_ascii().is_empty() {
            return Err("the body is empty; expected an invocation".to_owned());
        }
        let error = match Self::read_text(text) {
            Ok((invocation, false)) => return Ok(invocation),
            Ok((mut invocation, true)) => {
                let text = String::from_utf8(body.into());
                invocation.text = text.ok().map(String::into_boxed_str);
                return Ok(invocation);
            }
            Err(error) => error,
        };
        match json::escape_controls(text, TEXT_LIMIT) {
            Some(escaped) => {
                drop(body);
                Self::read(escaped.into())
            }
            None => Err(format!("invalid invocation: {error}")),
        }
    }

    /// Reads an invoke event without its other fields. Also returns whether there are any.
    fn read_text(text: &str) -> Result<(Self, bool), String> {
        let (mut trace_id, mut urn) = (None, None);
        let mut has_other = false;
        let visit = |field: Field| {
            let raw = &text[field.name.clone()];
            let value = &text[field.value.clone()];
            let name = match raw.len() <= MAX_ESCAPED_NAME {
                true => name_of(text, &field),
                false => Cow::Borrowed(raw),
            };
            match &*name {
                TRACE_ID => trace_id = Some(value),
                URN if is_short_string(value) => urn = Some(value),
                _ => has_other = true,
            }
        };
        if json::scan(text, visit).is_none() {
            // A large text is not worth the time and the memory.
            let reason = match text.len() > MAX_INLINE {
                true => Ok(IgnoredAny),
                false => serde_json::from_str(text),
            };
            return Err(match reason {
                Ok(IgnoredAny) => "expected a valid JSON object".to_owned(),
                Err(error) => error.to_string(),
            });
        }
        let trace_id = trace_id.ok_or("missing field `traceId`")?;
        if trace_id.len() > MAX_STRING {
            return Err("`traceId` is longer than 64 KB".to_owned());
        }
        let trace_id = json::text(trace_id).ok_or("`traceId` must be a string")?;
        let urn = urn.and_then(json::text).unwrap_or_default();
        Ok((Self::new(trace_id, urn.into_owned()), has_other))
    }
}

/// Returns whether the JSON is a string that may be decoded into memory.
fn is_short_string(json: &str) -> bool {
    json.len() <= MAX_STRING && json.starts_with('"')
}

/// Invocations are equal if their trace IDs and URNs are, and if they have the same other fields in the same order, with
/// the same JSON.
impl PartialEq for Invocation {
    fn eq(&self, other: &Self) -> bool {
        self.trace_id == other.trace_id
            && self.invoked_function_urn == other.invoked_function_urn
            && self.other().eq(other.other())
    }
}

impl Eq for Invocation {}

/// Writes the two known fields first, then all other fields as they were received.
impl Serialize for Invocation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(TRACE_ID, &self.trace_id)?;
        // A URN that was not a string is one of the other fields. There may be one that was a string beside it.
        let has_urn = !self.invoked_function_urn.as_str().is_empty();
        if has_urn || self.other().all(|(name, _)| name != URN) {
            map.serialize_entry(URN, &self.invoked_function_urn)?;
        }
        for (name, json) in self.other() {
            let json: &RawValue = serde_json::from_str(json).map_err(S::Error::custom)?;
            map.serialize_entry(&name, json)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Invocation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Box::<RawValue>::deserialize(deserializer)?;
        let (mut invocation, has_other) = Self::read_text(json.get()).map_err(D::Error::custom)?;
        invocation.text = has_other.then(|| json.into());
        Ok(invocation)
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
            Invocation::read(text.into()).unwrap()
        };
        for json in ["1e400", "-0", r#""\ud800""#, "null", &deep] {
            let invocation = event(json);
            assert_eq!(invocation.trace_id, "1");
            assert_eq!(invocation.other().collect::<Vec<_>>(), [("x".into(), json)]);
        }
        // Not valid in JSON.
        let invocation = event("\"a\nb\t\u{1}\"");
        assert_eq!(invocation.field("x"), Some("a\nb\t\u{1}".to_owned()));
        let body = b"\xef\xbb\xbf {\"traceId\": \"\xff\", \"invokedFunctionUrn\": \"a\nb\", \"x\": \"\xff\"}\r\n";
        let invocation = Invocation::read(body.as_slice().into()).unwrap();
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
            let invocation = Invocation::read(event.into()).unwrap();
            assert_eq!(invocation.invoked_function_urn.as_str(), "");
            assert_eq!(invocation.other().count(), other);
            let again: Invocation =
                serde_json::from_str(&serde_json::to_string(&invocation).unwrap()).unwrap();
            assert_eq!(again.invoked_function_urn.as_str(), "");
            assert_eq!(again.other().count(), other);
        }
    }

    #[test]
    fn urn_is_preserved_beside_one_that_is_not_a_string() {
        for event in [
            r#"{"traceId":"1","invokedFunctionUrn":"a","invokedFunctionUrn":5}"#,
            r#"{"traceId":"1","invokedFunctionUrn":5,"invokedFunctionUrn":"a"}"#,
        ] {
            let invocation = Invocation::read(event.into()).unwrap();
            assert_eq!(invocation.invoked_function_urn.as_str(), "a");
            let again = serde_json::to_string(&invocation).unwrap();
            assert_eq!(Invocation::read(again.into()), Ok(invocation));
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
