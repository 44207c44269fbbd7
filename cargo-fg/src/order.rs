//! One invocation that is to be sent: by `dev`, to `dev` from `invoke`, and in a recording.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use fg_emulator::{FunctionOutcome, InvokeRequest};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The parameters of an invocation. Those of the synthetic function say nothing to a real one, and the other
/// way round.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Order {
    /// A fresh one if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trace_id: Option<String>,
    #[serde(default)]
    pub(crate) payload: Payload,
    /// How the synthetic function ends.
    #[serde(default = "ok", with = "text")]
    pub(crate) outcome: FunctionOutcome,
    /// For how long it runs.
    #[serde(default = "zero", with = "text")]
    pub(crate) duration: humantime::Duration,
    /// What it logs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) logs: Vec<String>,
}

/// A body of any kind; in JSON a string, or, if it is no text, `{"base64": "…"}`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "Written", into = "Written")]
pub(crate) struct Payload(pub(crate) Vec<u8>);

#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Bytes { base64: String },
}

impl Order {
    /// For the emulator.
    pub(crate) fn invocation(&self, trace_id: &str) -> InvokeRequest {
        let invocation = InvokeRequest::new()
            .trace_id(trace_id)
            .payload(self.payload.0.clone())
            .duration(self.duration.into())
            .outcome(self.outcome);
        self.logs.iter().fold(invocation, InvokeRequest::log)
    }

    /// Whether the synthetic function has nothing to do.
    pub(crate) fn is_trivial(&self) -> bool {
        self.outcome == FunctionOutcome::Ok && Duration::is_zero(&self.duration)
    }
}

impl Default for Order {
    fn default() -> Self {
        Self {
            trace_id: None,
            payload: Payload::default(),
            outcome: ok(),
            duration: zero(),
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

fn zero() -> humantime::Duration {
    Duration::ZERO.into()
}

impl From<Payload> for Written {
    fn from(payload: Payload) -> Self {
        match String::from_utf8(payload.0) {
            Ok(text) => Self::Text(text),
            Err(error) => Self::Bytes {
                base64: BASE64_STANDARD.encode(error.as_bytes()),
            },
        }
    }
}

impl TryFrom<Written> for Payload {
    type Error = base64::DecodeError;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        Ok(Self(match written {
            Written::Text(text) => text.into_bytes(),
            Written::Bytes { base64 } => BASE64_STANDARD.decode(base64)?,
        }))
    }
}

/// What has a written form has it in JSON, too.
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
    use super::{Order, Payload};

    #[test]
    fn reads_what_it_writes() {
        for payload in [&b"{\"a\": 1}"[..], b"", b"\xff\x00"] {
            let order = Order {
                trace_id: Some("a".to_owned()),
                payload: Payload(payload.to_vec()),
                outcome: "timeout".parse().unwrap(),
                duration: "1s 500ms".parse().unwrap(),
                logs: vec!["b".to_owned()],
            };
            let text = serde_json::to_string(&order).unwrap();
            let read: Order = serde_json::from_str(&text).unwrap();
            assert_eq!(read.payload, order.payload);
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
        }
        assert_eq!(
            serde_json::to_string(&Order::default()).unwrap(),
            r#"{"payload":"{}","outcome":"ok","duration":"0s"}"#
        );
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, told) in [
            (r#"{"outcome": "maybe"}"#, "maybe"),
            (r#"{"duration": "long"}"#, "number"),
            (r#"{"payload": {"base64": "?"}}"#, "Invalid"),
        ] {
            let error = serde_json::from_str::<Order>(text).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
