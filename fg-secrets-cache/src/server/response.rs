//! The responses: a value, or an error in JSON.

use fg_util::secrets::{STALE_HEADER, VERSION_HEADER};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use crate::store::Served;

pub(super) type HttpResponse = Response<Full<Bytes>>;

const STALE: HeaderName = HeaderName::from_static(STALE_HEADER);
const VERSION: HeaderName = HeaderName::from_static(VERSION_HEADER);

/// How long a client should wait before it sends a request again, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// Returns the response with a value.
///
/// It shares the memory of the value, which hyper passes to the kernel without a copy of its own.
pub(super) fn value(served: Served) -> HttpResponse {
    let Served {
        secret,
        age,
        is_stale,
    } = served;
    let content_type = HeaderValue::from_static("application/octet-stream");
    let mut response = response(StatusCode::OK, content_type, secret.value);
    let headers = response.headers_mut();
    headers.insert(header::AGE, age.as_secs().into());
    let version = secret.version.and_then(|it| HeaderValue::try_from(it).ok());
    if let Some(version) = version {
        headers.insert(VERSION, version);
    }
    if is_stale {
        headers.insert(STALE, HeaderValue::from_static("true"));
    }
    response
}

/// Returns the response with an error: `{"error": "…"}`.
pub(super) fn error(status: StatusCode, message: &str) -> HttpResponse {
    let body = serde_json::json!({ "error": message }).to_string();
    let content_type = HeaderValue::from_static("application/json");
    let mut response = response(status, content_type, body.into());
    let headers = response.headers_mut();
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static("GET"));
    } else if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, RETRY_AFTER);
    }
    response
}

fn response(status: StatusCode, content_type: HeaderValue, body: Bytes) -> HttpResponse {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
