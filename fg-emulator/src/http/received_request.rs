//! A request that was received, and what to reply.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::HeaderMap;
use hyper::{Method, Response, StatusCode};

use crate::state::Rejection;

/// A request, read to its end. If the body broke off or is too large, it is an error message.
pub(super) struct ReceivedRequest {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Result<Bytes, String>,
}

/// What an API replies to a request.
pub(super) enum Reply {
    Respond(Response<Full<Bytes>>),
    /// With the status that says what kind of mistake it is.
    Reject(StatusCode, Rejection),
    /// Resets the connection without a response.
    Reset,
}

impl ReceivedRequest {
    pub(super) fn header(&self, name: &str) -> Option<String> {
        let value = self.headers.get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    /// Rejects a method that the path does not have.
    pub(super) fn method_not_allowed(&self, allowed: &Method) -> Reply {
        let Self { method, path, .. } = self;
        let message = format!("{path} takes {allowed}, not {method}");
        Reply::Reject(
            StatusCode::METHOD_NOT_ALLOWED,
            Rejection::new("MethodNotAllowed", message),
        )
    }

    /// Rejects a path that is not part of the API.
    pub(super) fn not_found(&self) -> Reply {
        let Self { method, path, .. } = self;
        let message = format!("this emulator has no {method} {path}");
        Reply::Reject(
            StatusCode::NOT_FOUND,
            Rejection::new("UnknownRequest", message),
        )
    }
}
