//! The parameters of an invocation, as `dev` sends it, `invoke` requests it, and a recording stores it.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use fg_emulator::{FunctionOutcome, InvokeRequest};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The largest body of a request (D user guide).
pub(crate) const MAX_PAYLOAD_BYTES: usize = 6 * 1024 * 1024;

/// The message about a larger payload.
pub(crate) const PAYLOAD_TOO_LARGE: &str =
    "the payload is too large: FunctionGraph accepts at most 6 MB";

/// The parameters of an invocation. A real function ignores the outcome, the duration and the logs; the synthetic
/// function ignores the payload.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct InvocationSpec {
    /// The trace ID; if `None`, `dev` generates one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trace_id: Option<String>,
    #[serde(default)]
    pub(crate) payload: Payload,
    /// The outcome of the synthetic function.
    #[serde(default = "ok", with = "text")]
    pub(crate) outcome: FunctionOutcome,
    /// The time that the synthetic function runs.
    #[serde(default, with = "duration")]
    pub(crate) duration: Duration,
    /// The lines that the synthetic function logs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) logs: Vec<String>,
}

/// A request body of any bytes. In JSON it is a string, or `{"base64": "…"}` if it is not UTF-8.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "PayloadJson", into = "PayloadJson")]
pub(crate) struct Payload(pub(crate) Vec<u8>);

#[derive(Deserialize, Serialize)]
#[serde(untagged, expecting = "a payload is a text or `{\"base64\": …}`")]
enum PayloadJson {
    Text(String),
    Bytes { base64: String },
}

impl InvocationSpec {
    /// Returns the invocation in the form that the emulator takes.
    pub(crate) fn invocation(&self, trace_id: &str) -> InvokeRequest {
        let invocation = InvokeRequest::new()
            .trace_id(trace_id)
            .payload(self.payload.0.clone())
            .duration(self.duration)
            .outcome(self.outcome);
        self.logs.iter().fold(invocation, InvokeRequest::log)
    }

    /// Returns whether the synthetic function succeeds at once.
    pub(crate) fn is_trivial(&self) -> bool {
        self.outcome == FunctionOutcome::Ok && self.duration.is_zero()
    }
}

impl Default for InvocationSpec {
    fn default() -> Self {
        Self {
            trace_id: None,
            payload: Payload::default(),
            outcome: ok(),
            duration: Duration::ZERO,
            logs: Vec::new(),
        }
    }
}

impl Default for Payload {
    fn default() -> Self {
        Self(b"{}".to_vec())
    }
}

fn ok() -> FunctionOutcome {
    FunctionOutcome::Ok
}

impl From<Payload> for PayloadJson {
    fn from(payload: Payload) -> Self {
        match String::from_utf8(payload.0) {
            Ok(text) => Self::Text(text),
            Err(error) => Self::Bytes {
                base64: BASE64_STANDARD.encode(error.as_bytes()),
            },
        }
    }
}

impl TryFrom<PayloadJson> for Payload {
    type Error = String;

    fn try_from(json: PayloadJson) -> Result<Self, Self::Error> {
        Ok(Self(match json {
            PayloadJson::Text(text) => text.into_bytes(),
            PayloadJson::Bytes { base64 } => BASE64_STANDARD
                .decode(base64)
                .map_err(|error| format!("the payload is not base64: {error}"))?,
        }))
    }
}

/// Serializes a duration in the form of the command line, such as `1.5s`.
mod duration {
    use fg_util::duration::{HINT, format, parse_with_unit};

    use super::{Deserialize, Deserializer, Duration, Serializer, de};

    pub(super) fn serialize<S: Serializer>(
        value: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format(*value))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        let duration = parse_with_unit(&text);
        duration
            .ok_or_else(|| de::Error::custom(format_args!("`{text}` is not a duration; {HINT}")))
    }
}

/// Serializes a value as text, with `Display` and `FromStr`.
mod text {
    use super::{Deserialize, Deserializer, Display, FromStr, Serializer, de};

    pub(super) fn serialize<T: Display, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{InvocationSpec, Payload};

    #[test]
    fn specs_round_trip() {
        for payload in [&b"{\"a\": 1}"[..], b"", b"\xff\x00"] {
            let spec = InvocationSpec {
                trace_id: Some("a".to_owned()),
                payload: Payload(payload.to_vec()),
                outcome: "timeout".parse().unwrap(),
                duration: Duration::from_micros(1_500_500),
                logs: vec!["b".to_owned()],
            };
            let text = serde_json::to_string(&spec).unwrap();
            let read: InvocationSpec = serde_json::from_str(&text).unwrap();
            assert_eq!(read.payload, spec.payload);
            assert_eq!(read.duration, spec.duration);
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
        }
        assert_eq!(
            serde_json::to_string(&InvocationSpec::default()).unwrap(),
            r#"{"payload":"{}","outcome":"ok","duration":"0s"}"#
        );
    }

    #[test]
    fn invalid_fields_are_rejected() {
        for (text, message) in [
            (r#"{"outcome": "maybe"}"#, "maybe"),
            (
                r#"{"duration": "long"}"#,
                "`long` is not a duration; write it as `500ms`",
            ),
            (
                r#"{"payload": {"base64": "?"}}"#,
                "the payload is not base64",
            ),
        ] {
            let error = serde_json::from_str::<InvocationSpec>(text)
                .unwrap_err()
                .to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
