//! The client of the platform's API. Each request uses a new connection.

use std::fmt;
use std::time::Duration;

use fg_util::error::{excerpt, one_line};
use fg_util::select::run_alongside;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, StatusCode, header, http};
use hyper_util::rt::TokioIo;
use serde::de::IgnoredAny;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::Error;
use crate::config::PlatformAddress;

/// The time limit for the body of a response, once its status has arrived.
const BODY_TIMEOUT: Duration = Duration::from_secs(2);

/// A POST request to the platform's API.
pub(crate) struct ApiRequest<'a> {
    pub(crate) platform: &'a PlatformAddress,
    pub(crate) path: &'static str,
    pub(crate) headers: &'a [(&'static str, &'a str)],
    pub(crate) body: Bytes,
    /// The purpose of the request, for log lines.
    pub(crate) purpose: &'static str,
}

/// A response that is not a success: its status, and the platform's message in one line.
#[derive(Debug)]
pub(crate) struct Rejection {
    pub(crate) status: StatusCode,
    message: String,
}

impl ApiRequest<'_> {
    /// Sends the request once, over a new connection. The status of the response must arrive before `deadline`.
    pub(super) async fn attempt(&self, deadline: Instant) -> Result<ApiResponse, Error> {
        let in_time = |_| "no response in time";
        let connect = TcpStream::connect((self.platform.host(), self.platform.port));
        let stream = timeout_at(deadline, connect).await.map_err(in_time)??;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = self.request()?;
        run_alongside(connection, async {
            let response = timeout_at(deadline, sender.send_request(request))
                .await
                .map_err(in_time)??;
            let status = response.status();
            // Status 200 is a success (D), even if the body stalls: the body gets its full time limit, not only the
            // rest of the attempt.
            let body_deadline = Instant::now() + BODY_TIMEOUT;
            let body_deadline = if status == StatusCode::OK {
                body_deadline
            } else {
                body_deadline.min(deadline)
            };
            let mut body = Vec::new();
            let _timed_out = timeout_at(body_deadline, read(response.into_body(), &mut body)).await;
            Ok(classify(status, &body))
        })
        .await
    }

    fn request(&self) -> http::Result<Request<Full<Bytes>>> {
        let mut request = Request::post(self.path)
            .header(header::HOST, self.platform.to_string())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONTENT_LENGTH, self.body.len());
        for (name, value) in self.headers {
            request = request.header(*name, *value);
        }
        request.body(Full::new(self.body.clone()))
    }
}

/// The outcome of a request that received a response.
#[derive(Debug)]
pub(super) enum ApiResponse {
    Ok(Value),
    Rejected(Rejection),
    /// The failure may be temporary, so the request should be retried.
    Retry(Rejection),
}

/// Reads the body of a response until it ends, the connection breaks, or the size limit is reached.
///
/// It also stops after a complete JSON object, since not every server indicates where the body ends.
async fn read(mut body: Incoming, bytes: &mut Vec<u8>) {
    const LIMIT: usize = 1024 * 1024;
    while let Some(Ok(frame)) = body.frame().await {
        let data = frame.into_data().unwrap_or_default();
        bytes.extend_from_slice(&data[..data.len().min(LIMIT - bytes.len())]);
        let is_complete = bytes.trim_ascii_end().ends_with(b"}")
            && serde_json::from_slice::<IgnoredAny>(bytes).is_ok();
        if is_complete || bytes.len() == LIMIT {
            break;
        }
    }
}

fn classify(status: StatusCode, body: &[u8]) -> ApiResponse {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let error_info = error_info(&json);
    if status == StatusCode::OK && error_info.is_none() {
        return ApiResponse::Ok(json);
    }
    let message = error_info.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    let rejection = Rejection {
        status,
        message: one_line(&excerpt(message.trim())),
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
fn error_info(json: &Value) -> Option<String> {
    let field = |name| {
        json["errorInfo"][name]
            .as_str()
            .map(str::trim)
            .filter(|text| !text.is_empty())
    };
    match (field("errorType"), field("errorMessage")) {
        (Some(kind), Some(message)) => Some(format!("{kind}: {message}")),
        (kind, message) => kind.or(message).map(str::to_owned),
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
        match classify(status, body.as_bytes()) {
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
