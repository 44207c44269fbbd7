//! The client of the platform's API. Each request uses a new connection.

use std::fmt;
use std::time::Duration;

use fg_util::error::{excerpt, one_line};
use hyper::StatusCode;

use super::exchange::{Exchange, Head};
use super::resolve::resolve;
use super::stopwatch::Stopwatch;
use crate::Error;
use crate::config::PlatformAddress;
use crate::http::body::LIMIT;
use crate::json;
use crate::net::TcpStream;

/// The time limit for the body of a response, once its status has arrived.
const BODY_TIMEOUT: Duration = Duration::from_secs(2);

/// The number of bytes that are enough for an excerpt of a body.
const EXCERPT_BYTES: usize = 4 * 1024;

/// A POST request to the platform's API.
pub(crate) struct ApiRequest<'a> {
    pub(crate) platform: &'a PlatformAddress,
    pub(crate) path: &'static str,
    pub(crate) headers: &'a [(&'static str, &'a str)],
    pub(crate) body: Vec<u8>,
    /// The purpose of the request, for log lines.
    pub(crate) purpose: &'static str,
}

/// A response that is not a success: its status, and the platform's message in one line.
#[derive(Debug)]
pub(crate) struct Rejection {
    pub(crate) status: StatusCode,
    /// Empty if the platform did not give a reason.
    pub(crate) message: String,
}

impl ApiRequest<'_> {
    /// Sends the request over a new connection, and waits for the head of the response.
    pub(super) async fn send(&self) -> Result<(Exchange, Head), Error> {
        let addresses = resolve(self.platform.host(), self.platform.port).await?;
        let stream = TcpStream::connect(addresses.as_slice()).await?;
        Exchange::start(stream, &self.request()).await
    }

    fn request(&self) -> Vec<u8> {
        let mut head = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            self.path,
            self.platform,
            self.body.len(),
        );
        for (name, value) in self.headers {
            head.extend([*name, ": ", *value, "\r\n"]);
        }
        head.push_str("\r\n");
        let mut request = head.into_bytes();
        request.extend_from_slice(&self.body);
        request
    }
}

/// The outcome of a request that received a response.
#[derive(Debug)]
pub(super) enum ApiResponse {
    /// The body of the response.
    Ok(Vec<u8>),
    Rejected(Rejection),
    /// The failure may be temporary, so the request should be retried.
    Retry(Rejection),
}

impl ApiResponse {
    /// Reads the body of a response. `left` is the time that is left for further attempts.
    pub(super) async fn read(
        (mut exchange, mut head): (Exchange, Head),
        stopwatch: &mut Stopwatch,
        left: Duration,
    ) -> Self {
        // Status 200 is a success (D), even if the body stalls: the body gets its full time limit. That of a failure
        // must not use up the time for another attempt.
        let limit = match head.status {
            StatusCode::OK => BODY_TIMEOUT,
            _ => BODY_TIMEOUT.min(left / 2),
        };
        let mut body = Vec::new();
        let read = exchange.read_body(&mut head, LIMIT, &mut body, is_json_object);
        let _timed_out = stopwatch
            .run_until(stopwatch.elapsed() + limit, read)
            .await
            .is_none();
        classify(head.status, body)
    }
}

/// Returns `true` if a body is complete although not every server indicates where it ends.
pub(super) fn is_json_object(body: &[u8]) -> bool {
    body.trim_ascii_end().ends_with(b"}") && str::from_utf8(body).is_ok_and(json::is_object)
}

pub(super) fn classify(status: StatusCode, body: Vec<u8>) -> ApiResponse {
    let error_info = error_info(&body);
    if status == StatusCode::OK && error_info.is_none() {
        return ApiResponse::Ok(body);
    }
    let message = error_info.unwrap_or_else(|| {
        let body = body.trim_ascii();
        String::from_utf8_lossy(&body[..body.len().min(EXCERPT_BYTES)]).into_owned()
    });
    let rejection = Rejection {
        status,
        message: one_line(&excerpt(&message)),
    };
    let temporary = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
    if status.is_server_error() || temporary.contains(&status) {
        ApiResponse::Retry(rejection)
    } else {
        ApiResponse::Rejected(rejection)
    }
}

/// Returns the error that a response reports, as `errorType: errorMessage`, or `None` if both fields are missing or
/// empty, as in the page's example of a successful registration (D 2707).
fn error_info(body: &[u8]) -> Option<String> {
    let error_info = json::field(str::from_utf8(body).ok()?, "errorInfo")?;
    let field = |name| {
        let text = json::text(json::field(error_info, name)?)?;
        Some(excerpt(text.trim())).filter(|text| !text.is_empty())
    };
    match (field("errorType"), field("errorMessage")) {
        (Some(kind), Some(message)) => Some(format!("{kind}: {message}")),
        (kind, message) => kind.or(message),
    }
}

/// Formats the rejection as `status 403: ExtensionNotFound: …`.
impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "status {}", self.status.as_u16())?;
        match self.message.as_str() {
            "" => Ok(()),
            message => write!(f, ": {message}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;
    use serde_json::json;

    use super::{ApiResponse, classify};

    fn display(status: StatusCode, body: &str) -> String {
        match classify(status, body.as_bytes().to_vec()) {
            ApiResponse::Ok(_) => "ok".to_owned(),
            ApiResponse::Rejected(rejection) => format!("rejected: {rejection}"),
            ApiResponse::Retry(rejection) => format!("retry: {rejection}"),
        }
    }

    #[test]
    fn status_200_with_error_info_is_a_rejection() {
        for (error_info, expected) in [
            (json!({"errorType": "", "errorMessage": " "}), "ok"),
            (json!({"errorType": null, "errorMessage": 5}), "ok"),
            (json!({"code": "quota"}), "ok"),
            (json!("quota"), "ok"),
            (json!(["quota"]), "ok"),
            (json!(null), "ok"),
            (
                json!({"errorType": " Quota "}),
                "rejected: status 200: Quota",
            ),
            (
                json!({"errorType": "", "errorMessage": "a\nb"}),
                "rejected: status 200: a\\nb",
            ),
            (
                json!({"errorType": "Quota", "errorMessage": "ten"}),
                "rejected: status 200: Quota: ten",
            ),
        ] {
            let body = json!({"functionName": "f", "errorInfo": error_info}).to_string();
            assert_eq!(display(StatusCode::OK, &body), expected, "{body}");
        }
    }

    #[test]
    fn rejection_without_error_info_quotes_the_body() {
        let body = r#"{"message":"no"}"#;
        assert_eq!(
            display(StatusCode::FORBIDDEN, body),
            format!("rejected: status 403: {body}")
        );
        assert_eq!(display(StatusCode::BAD_GATEWAY, ""), "retry: status 502");
        let long = display(StatusCode::NOT_FOUND, &"x".repeat(5000));
        assert_eq!(long, format!("rejected: status 404: {}…", "x".repeat(300)));
    }
}
