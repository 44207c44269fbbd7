//! The responses of the page's server, with the headers that protect the page.

use std::convert::Infallible;

use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes};
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName,
    HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Response, StatusCode};
use serde::Serialize;

pub(super) type PageResponse = Response<UnsyncBoxBody<Bytes, Infallible>>;

pub(super) const HTML: &str = "text/html; charset=utf-8";
pub(super) const STYLE: &str = "text/css; charset=utf-8";
pub(super) const SCRIPT: &str = "text/javascript; charset=utf-8";
pub(super) const EVENT_STREAM: &str = "text/event-stream";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

const SECURITY_HEADERS: [(HeaderName, &str); 5] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; worker-src blob:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Returns a response with status 200.
pub(super) fn ok(
    content_type: &'static str,
    body: impl Body<Data = Bytes, Error = Infallible> + Send + 'static,
) -> PageResponse {
    with_status(StatusCode::OK, content_type, body)
}

/// Returns a response with a body that is in memory.
pub(super) fn full(content_type: &'static str, body: impl Into<Bytes>) -> PageResponse {
    ok(content_type, Full::new(body.into()))
}

/// Returns a response with a body of JSON.
pub(super) fn json(status: StatusCode, body: impl Into<Bytes>) -> PageResponse {
    with_status(status, JSON, Full::new(body.into()))
}

/// Returns the response of a download.
pub(super) fn download(
    file_name: &str,
    body: impl Body<Data = Bytes, Error = Infallible> + Send + 'static,
) -> PageResponse {
    let mut response = ok(HTML, body);
    let disposition = format!("attachment; filename=\"{file_name}\"");
    if let Ok(disposition) = HeaderValue::from_str(&disposition) {
        response
            .headers_mut()
            .insert(CONTENT_DISPOSITION, disposition);
    }
    response
}

/// Returns the response for an error: JSON for programs and the script of the page, and text for people.
pub(super) fn error(status: StatusCode, is_api: bool, message: &str) -> PageResponse {
    #[derive(Serialize)]
    struct ErrorBody<'a> {
        error: &'a str,
    }
    if is_api {
        let body = serde_json::to_string(&ErrorBody { error: message }).unwrap_or_default();
        json(status, body)
    } else {
        with_status(status, TEXT, Full::new(format!("{message}\n").into()))
    }
}

/// Returns the response to a method that the path does not have.
pub(super) fn method_not_allowed(is_api: bool, allowed: &'static str) -> PageResponse {
    let message = format!("this path does not support this method; use {allowed}");
    let mut response = error(StatusCode::METHOD_NOT_ALLOWED, is_api, &message);
    let allowed = HeaderValue::from_static(allowed);
    response.headers_mut().insert(ALLOW, allowed);
    response
}

fn with_status(
    status: StatusCode,
    content_type: &'static str,
    body: impl Body<Data = Bytes, Error = Infallible> + Send + 'static,
) -> PageResponse {
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    for (name, value) in SECURITY_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
