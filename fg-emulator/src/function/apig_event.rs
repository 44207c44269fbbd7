//! Converts the payload of an HTTP function, an event of the platform's API gateway, to an HTTP request.
//!
//! HTTP functions can only have triggers of the API gateway, APIG (D functiongraph_01_1442). The fields of its event are
//! documented (D, user guide): `httpMethod`, `path`, `headers`, `queryStringParameters`, `body` and `isBase64Encoded`. How
//! the platform converts them is inferred from the open engine (I).

use base64::prelude::{BASE64_STANDARD, Engine as _};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, Uri};
use serde_json::{Map, Value};

use super::http_server::ADDRESS;
use crate::json;

/// Headers that describe the connection to the gateway.
const CONNECTION_HEADERS: [HeaderName; 3] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
];

/// Returns the request that an event describes, with additional headers. Missing fields are `GET`, `/` and an empty body.
pub(super) fn to_request(
    payload: &[u8],
    headers: &[(&'static str, String)],
) -> Result<Request<Full<Bytes>>, String> {
    let event = json::parse_object(payload).map_err(|error| {
        format!(
            "the payload of an HTTP function must be an event of the API gateway, such as {{\"httpMethod\": \"GET\", \
             \"path\": \"/\"}}: {error}"
        )
    })?;
    let method = string(&event, "httpMethod")?.unwrap_or("GET");
    let method: Method = method
        .parse()
        .map_err(|_| format!("`httpMethod` is not an HTTP method: `{method}`"))?;
    let body = body(&event)?;
    let mut request = Request::new(Full::new(body.clone()));
    *request.method_mut() = method;
    *request.uri_mut() = uri(&event)?;
    let map = request.headers_mut();
    for (name, values) in multi_map(&event, "headers")? {
        let invalid = || format!("`headers` has an invalid header: `{name}`");
        let header: HeaderName = name.parse().map_err(|_| invalid())?;
        if !CONNECTION_HEADERS.contains(&header) {
            for value in values {
                map.append(&header, value.parse().map_err(|_| invalid())?);
            }
        }
    }
    for (name, value) in headers {
        let value = HeaderValue::try_from(value).map_err(|_| format!("invalid header {name}"))?;
        map.insert(
            HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| format!("invalid header {name}"))?,
            value,
        );
    }
    if !map.contains_key(header::HOST) {
        let host = HeaderValue::try_from(ADDRESS.to_string()).map_err(|error| error.to_string())?;
        map.insert(header::HOST, host);
    }
    // hyper omits the length of an empty body, which not every server treats as 0.
    map.insert(header::CONTENT_LENGTH, body.len().into());
    Ok(request)
}

fn uri(event: &Map<String, Value>) -> Result<Uri, String> {
    let path = string(event, "path")?.unwrap_or_default();
    let mut uri = String::new();
    if !path.starts_with('/') {
        uri.push('/');
    }
    uri.push_str(path);
    let mut separator = if path.contains('?') { '&' } else { '?' };
    for (name, values) in multi_map(event, "queryStringParameters")? {
        for value in values {
            uri.push(separator);
            uri.push_str(&percent_encoded(name));
            uri.push('=');
            uri.push_str(&percent_encoded(value));
            separator = '&';
        }
    }
    uri.parse()
        .map_err(|_| format!("`path` is not the path of a URL: `{path}`"))
}

fn body(event: &Map<String, Value>) -> Result<Bytes, String> {
    let body = string(event, "body")?.unwrap_or_default();
    match event.get("isBase64Encoded") {
        None | Some(Value::Null | Value::Bool(false)) => {
            Ok(Bytes::copy_from_slice(body.as_bytes()))
        }
        Some(Value::Bool(true)) => BASE64_STANDARD
            .decode(body)
            .map(Bytes::from)
            .map_err(|_| "`body` is not valid Base64, but `isBase64Encoded` is true".to_owned()),
        Some(other) => Err(format!(
            "`isBase64Encoded` must be a boolean, not {}",
            json::kind(other)
        )),
    }
}

fn string<'a>(event: &'a Map<String, Value>, key: &str) -> Result<Option<&'a str>, String> {
    match event.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(format!(
            "`{key}` must be a string, not {}",
            json::kind(other)
        )),
    }
}

/// Returns the entries of an object whose values are strings or arrays of strings.
fn multi_map<'a>(
    event: &'a Map<String, Value>,
    key: &str,
) -> Result<Vec<(&'a str, Vec<&'a str>)>, String> {
    let entries = match event.get(key) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(entries)) => entries,
        Some(other) => {
            return Err(format!(
                "`{key}` must be an object, not {}",
                json::kind(other)
            ));
        }
    };
    let text = |name: &str, value: &'a Value| match value {
        Value::String(text) => Ok(text.as_str()),
        other => Err(format!(
            "`{key}` must contain strings, but `{name}` is {}",
            json::kind(other)
        )),
    };
    entries
        .iter()
        .map(|(name, value)| {
            let values = match value {
                Value::Array(values) => values.iter().map(|value| text(name, value)).collect(),
                value => text(name, value).map(|value| vec![value]),
            };
            Ok((name.as_str(), values?))
        })
        .collect()
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::to_request;

    #[tokio::test]
    async fn event_becomes_a_request() {
        let event = br#"{"httpMethod": "PUT", "path": "/orders", "body": "aGk=", "isBase64Encoded": true,
            "headers": {"accept": "*/*", "x-tag": ["a", "b"], "content-length": "99", "x-cff-memory": "1"},
            "queryStringParameters": {"q": "a b&c", "n": ["1", "2"]}, "requestContext": {"stage": "RELEASE"}}"#;
        let request = to_request(event, &[("X-CFF-Memory", "128".to_owned())]).unwrap();
        assert_eq!(
            (request.method().as_str(), request.uri().to_string()),
            ("PUT", "/orders?n=1&n=2&q=a%20b%26c".to_owned())
        );
        let headers = request.headers();
        let tags: Vec<_> = headers.get_all("x-tag").iter().collect();
        assert_eq!(tags, ["a", "b"]);
        for (name, value) in [
            ("accept", "*/*"),
            ("content-length", "2"),
            ("host", "127.0.0.1:8000"),
            ("x-cff-memory", "128"),
        ] {
            let values: Vec<_> = headers.get_all(name).iter().collect();
            assert_eq!(values, [value], "{name}");
        }
        let body = request.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "hi");
    }

    #[test]
    fn missing_fields_are_a_get_of_the_root() {
        for event in [
            "{}",
            r#"{"path": null, "body": "", "isBase64Encoded": true}"#,
        ] {
            let request = to_request(event.as_bytes(), &[]).unwrap();
            assert_eq!(
                (request.method().as_str(), request.uri().path()),
                ("GET", "/")
            );
        }
    }

    #[test]
    fn invalid_events_are_described() {
        for (event, message) in [
            ("[]", "the body must be a JSON object, not an array"),
            (
                "hello",
                "the body is not valid JSON: expected value at line 1 column 1",
            ),
            (r#"{"path": 1}"#, "`path` must be a string, not a number"),
            (
                r#"{"path": "/a b"}"#,
                "`path` is not the path of a URL: `/a b`",
            ),
            (
                r#"{"httpMethod": "G T"}"#,
                "`httpMethod` is not an HTTP method: `G T`",
            ),
            (
                r#"{"headers": {"a": 1}}"#,
                "`headers` must contain strings, but `a` is a number",
            ),
            (
                r#"{"headers": {"a b": ""}}"#,
                "`headers` has an invalid header: `a b`",
            ),
            (
                r#"{"body": "?", "isBase64Encoded": true}"#,
                "`body` is not valid Base64, but `isBase64Encoded` is true",
            ),
        ] {
            let error = to_request(event.as_bytes(), &[]).unwrap_err();
            assert!(error.ends_with(message), "{error}");
        }
    }
}
