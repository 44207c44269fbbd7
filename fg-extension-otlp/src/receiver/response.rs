//! The responses, in the format of the request.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};
use prost::Message;

use crate::export::PROTOBUF;
use crate::rpc_status::RpcStatus;

pub(super) type HttpResponse = Response<Full<Bytes>>;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// How long a client should wait before it sends a request again, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// The format of a request, and of the response to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Format {
    Protobuf,
    Json,
}

impl Format {
    /// Returns the format that the header `Content-Type` names, or `None` if it is not supported.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let content_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case("application/x-protobuf") {
            Some(Self::Protobuf)
        } else if media_type.eq_ignore_ascii_case("application/json") {
            Some(Self::Json)
        } else {
            None
        }
    }
}

/// Why a request is rejected.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Rejection {
    pub(super) status: StatusCode,
    pub(super) message: String,
}

impl Rejection {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }
}

/// Returns the response to a request whose data was accepted. All fields of the `Export…ServiceResponse` have their
/// defaults, which means that nothing was rejected.
pub(super) fn accepted(format: Format) -> HttpResponse {
    match format {
        Format::Protobuf => response(StatusCode::OK, PROTOBUF, Bytes::new()),
        Format::Json => response(StatusCode::OK, JSON, Bytes::from_static(b"{}")),
    }
}

/// Returns the response to a request that is rejected, with a `google.rpc.Status`.
pub(super) fn rejected(format: Format, rejection: Rejection) -> HttpResponse {
    let Rejection { status, message } = rejection;
    let code = grpc_code(status);
    let mut response = match format {
        Format::Protobuf => {
            let body = RpcStatus { code, message }.encode_to_vec();
            response(status, PROTOBUF, body.into())
        }
        Format::Json => {
            let body = serde_json::json!({"code": code, "message": message});
            response(status, JSON, body.to_string().into())
        }
    };
    let headers = response.headers_mut();
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(header::ALLOW, HeaderValue::from_static("POST"));
    } else if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, RETRY_AFTER);
    }
    response
}

fn response(status: StatusCode, content_type: HeaderValue, body: Bytes) -> HttpResponse {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}

/// Returns the `google.rpc.Code` for a status.
fn grpc_code(status: StatusCode) -> i32 {
    const INVALID_ARGUMENT: i32 = 3;
    const DEADLINE_EXCEEDED: i32 = 4;
    const NOT_FOUND: i32 = 5;
    const RESOURCE_EXHAUSTED: i32 = 8;
    const UNIMPLEMENTED: i32 = 12;
    const UNAVAILABLE: i32 = 14;
    match status {
        StatusCode::NOT_FOUND => NOT_FOUND,
        StatusCode::METHOD_NOT_ALLOWED => UNIMPLEMENTED,
        StatusCode::REQUEST_TIMEOUT => DEADLINE_EXCEEDED,
        StatusCode::PAYLOAD_TOO_LARGE => RESOURCE_EXHAUSTED,
        StatusCode::SERVICE_UNAVAILABLE => UNAVAILABLE,
        _ => INVALID_ARGUMENT,
    }
}
