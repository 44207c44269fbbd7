//! A received request, and the reply to it.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::HeaderMap;
use hyper::{Method, Response, StatusCode};

use crate::state::Rejection;

/// A request that has been read completely. The body is an error message if it was incomplete or too large.
pub(super) struct ReceivedRequest {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Result<Bytes, String>,
}

/// The reply of an API to a request.
pub(super) enum Reply {
    Respond(Response<Full<Bytes>>),
    /// Responds with an error status and `errorInfo`, and reports the rejection.
    Reject(StatusCode, Rejection),
    /// Resets the connection without a response.
    Reset,
}

impl ReceivedRequest {
    pub(super) fn header(&self, name: &str) -> Option<String> {
        let value = self.headers.get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    /// Rejects a method that is not allowed for the path.
    pub(super) fn method_not_allowed(&self, allowed: &Method) -> Reply {
        let Self { method, path, .. } = self;
        let message = format!("method {method} is not allowed for {path}; use {allowed}");
        Reply::Reject(
            StatusCode::METHOD_NOT_ALLOWED,
            Rejection::new("MethodNotAllowed", message),
        )
    }

    /// Rejects a path that is not part of the API.
    pub(super) fn not_found(&self) -> Reply {
        let Self { method, path, .. } = self;
        let message = format!("{method} {path} is not part of the API");
        Reply::Reject(
            StatusCode::NOT_FOUND,
            Rejection::new("UnknownRequest", message),
        )
    }
}
