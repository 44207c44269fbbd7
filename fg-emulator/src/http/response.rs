//! The responses of the extension API.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Response, StatusCode, header};
use serde::Serialize;

use crate::inner::Inner;
use crate::state::Rejection;

/// The body of the response to a registration (D 2707), and to any other request (?). The text of the page mentions a
/// handler, but its example does not contain one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseBody<'a> {
    function_name: &'a str,
    function_version: &'a str,
    error_info: ErrorInfo<'a>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorInfo<'a> {
    error_type: &'a str,
    error_message: &'a str,
}

pub(super) fn ok(inner: &Inner) -> Response<Full<Bytes>> {
    json(StatusCode::OK, inner, ErrorInfo::default())
}

pub(super) fn rejected(
    status: StatusCode,
    inner: &Inner,
    rejection: &Rejection,
) -> Response<Full<Bytes>> {
    let error_info = ErrorInfo {
        error_type: rejection.error_type,
        error_message: &rejection.error_message,
    };
    json(status, inner, error_info)
}

fn json(status: StatusCode, inner: &Inner, error_info: ErrorInfo<'_>) -> Response<Full<Bytes>> {
    let body = ResponseBody {
        function_name: inner.function_name,
        function_version: inner.function_version,
        error_info,
    };
    // Serializing strings cannot fail.
    let mut response = Response::new(Full::from(serde_json::to_vec(&body).unwrap_or_default()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    response
}
