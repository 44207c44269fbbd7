//! The telemetry subscription, parsed from its request (D 2710).

use std::fmt;
use std::net::SocketAddr;

use hyper::Uri;
use serde::Deserialize;

use crate::is_extension_address;
use crate::port::{FIRST_PORT, LAST_PORT};
use crate::state::Rejection;

/// A subscription to telemetry: the types that an extension receives, and the URI that they are posted to.
///
/// The request does not identify the extension that sent it (?).
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Subscription {
    /// The URI of the subscriber, such as `http://127.0.0.1:8082`.
    pub uri: String,
    /// The subscribed types in the order of the request, at least one and without duplicates.
    pub types: Vec<TelemetryType>,
    pub(super) address: SocketAddr,
    pub(super) path: String,
}

/// A type of telemetry (D 2710). Displayed in lower case, as in the request: `platform`, `function` or `extension`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum TelemetryType {
    /// Events about the lifecycle of the instance and each invocation.
    Platform,
    /// Log lines of the function.
    Function,
    /// Lines that the extensions print.
    Extension,
}

impl Subscription {
    /// Parses the body of the request.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Rejection> {
        let body: SubscriptionBody = serde_json::from_slice(body).map_err(|error| {
            let message = format!("invalid subscription: {error}");
            Rejection::new("InvalidSubscription", message)
        })?;
        let Subscriber { protocol, uri } = body.subscriber;
        if protocol != "POST" {
            let message = format!("unsupported protocol `{protocol}`; use POST");
            return Err(Rejection::new("InvalidProtocol", message));
        }
        let Some((address, path)) = target(&uri) else {
            let message = format!(
                "uri `{uri}` is outside the range http://127.0.0.1:{FIRST_PORT} to http://127.0.0.1:{LAST_PORT}"
            );
            return Err(Rejection::new("InvalidUri", message));
        };
        if body.types.is_empty() {
            let message = "`types` is empty".to_owned();
            return Err(Rejection::new("InvalidTypes", message));
        }
        for (i, kind) in body.types.iter().enumerate() {
            if body.types[..i].contains(kind) {
                let message = format!("type `{kind}` is listed twice");
                return Err(Rejection::new("InvalidTypes", message));
            }
        }
        Ok(Self {
            uri,
            types: body.types,
            address,
            path,
        })
    }
}

impl fmt::Display for TelemetryType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Platform => "platform",
            Self::Function => "function",
            Self::Extension => "extension",
        })
    }
}

#[derive(Deserialize)]
struct SubscriptionBody {
    subscriber: Subscriber,
    types: Vec<TelemetryType>,
}

#[derive(Deserialize)]
struct Subscriber {
    protocol: String,
    uri: String,
}

fn target(uri: &str) -> Option<(SocketAddr, String)> {
    let uri: Uri = uri.parse().ok()?;
    let address = uri.authority()?.as_str().parse().ok()?;
    let path = uri.path_and_query()?.as_str().to_owned();
    (uri.scheme_str() == Some("http") && is_extension_address(address)).then_some((address, path))
}

#[cfg(test)]
mod tests {
    use super::{Subscription, TelemetryType};

    fn parse(protocol: &str, uri: &str, types: &str) -> Result<Subscription, String> {
        let body = format!(
            r#"{{"subscriber": {{"protocol": "{protocol}", "uri": "{uri}"}}, "types": {types}}}"#
        );
        Subscription::parse(body.as_bytes()).map_err(|rejection| rejection.error_message)
    }

    #[test]
    fn golden_subscription_is_parsed() {
        let body = include_bytes!("../../../tests/golden/telemetry-subscription.json");
        let subscription = Subscription::parse(body).unwrap();
        assert_eq!(subscription.uri, "http://127.0.0.1:8082");
        assert_eq!(
            subscription.types,
            [
                TelemetryType::Platform,
                TelemetryType::Function,
                TelemetryType::Extension
            ]
        );
    }

    #[test]
    fn uri_must_be_in_the_range() {
        for (uri, path) in [
            ("http://127.0.0.1:8081", "/"),
            ("http://127.0.0.1:8090/", "/"),
            ("http://127.0.0.1:8082/telemetry?x", "/telemetry?x"),
        ] {
            assert_eq!(parse("POST", uri, r#"["platform"]"#).unwrap().path, path);
        }
        for uri in [
            "http://127.0.0.1:8080",
            "http://127.0.0.1:8091",
            "http://127.0.0.1",
            "https://127.0.0.1:8082",
            "http://localhost:8082",
            "http://sandbox:8082",
            "http://me@127.0.0.1:8082",
            "127.0.0.1:8082",
            "/telemetry",
            "",
        ] {
            assert_eq!(
                parse("POST", uri, r#"["platform"]"#),
                Err(format!(
                    "uri `{uri}` is outside the range http://127.0.0.1:8081 to http://127.0.0.1:8090"
                ))
            );
        }
    }

    #[test]
    fn invalid_subscriptions_are_rejected() {
        let uri = "http://127.0.0.1:8082";
        for (protocol, types, message) in [
            (
                "HTTP",
                r#"["platform"]"#,
                "unsupported protocol `HTTP`; use POST",
            ),
            ("POST", "[]", "`types` is empty"),
            (
                "POST",
                r#"["platform", "function", "platform"]"#,
                "type `platform` is listed twice",
            ),
            (
                "POST",
                r#"["logs"]"#,
                "invalid subscription: unknown variant `logs`, expected one of `platform`, \
                 `function`, `extension` at line 1 column 85",
            ),
        ] {
            assert_eq!(parse(protocol, uri, types), Err(message.to_owned()));
        }
        for (body, message) in [
            ("", "EOF while parsing a value at line 1 column 0"),
            ("{}", "missing field `subscriber` at line 1 column 2"),
            (
                r#"{"subscriber": {"protocol": "POST", "uri": "http://127.0.0.1:8082"}}"#,
                "missing field `types` at line 1 column 68",
            ),
        ] {
            let rejection = Subscription::parse(body.as_bytes()).unwrap_err();
            assert_eq!(
                rejection.error_message,
                format!("invalid subscription: {message}")
            );
        }
    }
}
