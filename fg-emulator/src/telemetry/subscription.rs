//! The telemetry subscription, parsed from its request (D 2712).

use std::fmt;
use std::net::SocketAddr;

use hyper::Uri;
use serde_json::Value;

use crate::port::{FIRST_PORT, LAST_PORT};
use crate::state::Rejection;
use crate::{is_extension_address, json};

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

/// A type of telemetry (D 2712). Displayed in lower case, as in the request: `platform`, `function` or `extension`.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum TelemetryType {
    /// Events about the lifecycle of the instance and each invocation.
    Platform,
    /// Log lines of the function.
    Function,
    /// Lines that the extensions print.
    Extension,
}

const ALL_TYPES: [TelemetryType; 3] = [
    TelemetryType::Platform,
    TelemetryType::Function,
    TelemetryType::Extension,
];

impl Subscription {
    /// Parses the body of the request.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Rejection> {
        let invalid = |message| {
            let message = format!("invalid subscription: {message}");
            Rejection::new("InvalidSubscription", message)
        };
        let body = json::parse_object(body).map_err(invalid)?;
        let subscriber = match body.get("subscriber") {
            Some(Value::Object(subscriber)) => subscriber,
            other => return Err(invalid(wrong_kind("subscriber", "an object", other))),
        };
        let string = |key| match subscriber.get(key) {
            Some(Value::String(text)) => Ok(text.as_str()),
            other => Err(invalid(wrong_kind(key, "a string", other))),
        };
        let (protocol, uri) = (string("protocol")?, string("uri")?);
        let types = match body.get("types") {
            Some(Value::Array(types)) => types,
            other => return Err(invalid(wrong_kind("types", "an array", other))),
        };
        if protocol != "POST" {
            let message = format!("unsupported protocol `{protocol}`; use POST");
            return Err(Rejection::new("InvalidProtocol", message));
        }
        let (address, path) = target(uri).map_err(|problem| {
            let message = format!(
                "uri `{uri}` {problem}; use http://127.0.0.1:{FIRST_PORT} to http://127.0.0.1:{LAST_PORT}"
            );
            Rejection::new("InvalidUri", message)
        })?;
        Ok(Self {
            uri: uri.to_owned(),
            types: parse_types(types).map_err(|error| Rejection::new("InvalidTypes", error))?,
            address,
            path,
        })
    }
}

/// Returns the message about a value that is missing or of another kind.
fn wrong_kind(key: &str, expected: &str, value: Option<&Value>) -> String {
    match value {
        None => format!("`{key}` is missing; expected {expected}"),
        Some(value) => format!("`{key}` must be {expected}, not {}", json::kind(value)),
    }
}

fn parse_types(values: &[Value]) -> Result<Vec<TelemetryType>, String> {
    let mut types = Vec::new();
    for value in values {
        let Value::String(name) = value else {
            let kind = json::kind(value);
            return Err(format!("`types` must contain strings, not {kind}"));
        };
        let mut all = ALL_TYPES.into_iter();
        let Some(kind) = all.find(|kind| kind.to_string() == *name) else {
            return Err(format!(
                "unknown type `{name}`; expected platform, function or extension"
            ));
        };
        if types.contains(&kind) {
            return Err(format!("type `{name}` is listed twice"));
        }
        types.push(kind);
    }
    match types.is_empty() {
        true => Err("`types` is empty".to_owned()),
        false => Ok(types),
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

/// Returns the address and the path of a URI, or what is wrong with it.
fn target(uri: &str) -> Result<(SocketAddr, String), &'static str> {
    let parsed: Uri = uri.parse().map_err(|_| "is not a URI")?;
    if parsed.scheme_str() != Some("http") {
        return Err("does not start with http://");
    }
    let authority = parsed.authority().ok_or("has no host")?;
    let address = authority.as_str().parse().ok();
    let address = address.filter(|address| is_extension_address(*address));
    let path = parsed.path_and_query().map_or("/", |path| path.as_str());
    match address {
        Some(address) => Ok((address, path.to_owned())),
        None => Err("is not in the range of the platform"),
    }
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
        for (problem, uris) in [
            (
                "is not in the range of the platform",
                &[
                    "http://127.0.0.1:8080",
                    "http://127.0.0.1:8091",
                    "http://127.0.0.1",
                    "http://127.0.0.1:80820/",
                    "http://localhost:8082",
                    "http://sandbox:8082",
                    "http://me@127.0.0.1:8082",
                ][..],
            ),
            (
                "does not start with http://",
                &["https://127.0.0.1:8082", "127.0.0.1:8082", "/telemetry"],
            ),
            ("is not a URI", &["", "http:// a"]),
        ] {
            for uri in uris {
                assert_eq!(
                    parse("POST", uri, r#"["platform"]"#),
                    Err(format!(
                        "uri `{uri}` {problem}; use http://127.0.0.1:8081 to http://127.0.0.1:8090"
                    ))
                );
            }
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
                "unknown type `logs`; expected platform, function or extension",
            ),
            (
                "POST",
                r#"["Platform"]"#,
                "unknown type `Platform`; expected platform, function or extension",
            ),
            (
                "POST",
                r#"[{"platform": true}]"#,
                "`types` must contain strings, not an object",
            ),
        ] {
            assert_eq!(parse(protocol, uri, types), Err(message.to_owned()));
        }
        for (body, message) in [
            ("", "the body is empty; expected a JSON object"),
            ("[]", "the body must be a JSON object, not an array"),
            ("{}", "`subscriber` is missing; expected an object"),
            (
                r#"{"subscriber": "http://127.0.0.1:8082"}"#,
                "`subscriber` must be an object, not a string",
            ),
            (
                r#"{"subscriber": {"protocol": null}}"#,
                "`protocol` must be a string, not null",
            ),
            (
                r#"{"subscriber": {"protocol": "POST"}}"#,
                "`uri` is missing; expected a string",
            ),
            (
                r#"{"subscriber": {"protocol": "POST", "uri": "http://127.0.0.1:8082"}}"#,
                "`types` is missing; expected an array",
            ),
            (
                r#"{"subscriber": {"protocol": "POST", "uri": "http://127.0.0.1:8082"}, "types": "platform"}"#,
                "`types` must be an array, not a string",
            ),
            (
                r#"{"types": [], "types": []}"#,
                "the body is not valid: key `types` occurs twice at line 1 column 21",
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
