//! HTTP responses.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Response, StatusCode, header};
use serde::Serialize;

use crate::http::body::{self, BodyError};
use fg_util::error::chain;

/// The body of an error response: `{"errorInfo": {"errorType", "errorMessage"}}`, the same format as the platform's
/// (D).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure<'a> {
    error_info: ErrorInfo<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorInfo<'a> {
    error_type: &'a str,
    error_message: &'a str,
}

pub(crate) type HttpResponse = Response<Full<Bytes>>;

/// Returns the status, error type and message for a request body that could not be read.
pub(crate) fn unreadable(
    error: &BodyError,
    invalid: &'static str,
) -> (StatusCode, &'static str, String) {
    match error {
        BodyError::TooLarge => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "PayloadTooLarge",
            format!("the body is larger than {} MB", body::LIMIT / (1024 * 1024)),
        ),
        BodyError::NotAdmitted => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Overloaded",
            "too many invocations are in flight; retry later".to_owned(),
        ),
        BodyError::Overloaded => (
            StatusCode::SERVICE_UNAVAILABLE,
            "Overloaded",
            "the bodies of other requests take too much memory; retry later".to_owned(),
        ),
        BodyError::Broken(error) => (StatusCode::BAD_REQUEST, invalid, chain(error)),
    }
}

/// Returns an error response. With status 503, it asks the client to retry a second later.
pub(crate) fn failure(status: StatusCode, kind: &str, message: &str) -> HttpResponse {
    let mut response = json(
        status,
        serialize(&Failure {
            error_info: ErrorInfo {
                error_type: kind,
                error_message: message,
            },
        }),
    );
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    }
    response
}

pub(crate) fn serialize(value: &impl Serialize) -> Bytes {
    // Serializing strings into memory cannot fail.
    serde_json::to_vec(value).unwrap_or_default().into()
}

pub(crate) fn json(status: StatusCode, body: Bytes) -> HttpResponse {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    response
}

/// Adds the header `Allow: POST` to the response to a request with another method.
pub(crate) fn only_post(mut response: HttpResponse) -> HttpResponse {
    response
        .headers_mut()
        .insert(header::ALLOW, header::HeaderValue::from_static("POST"));
    response
}
