//! The runtime API, which a custom-runtime function uses (D functiongraph_01_0406).
//!
//! The documented headers with keys and tokens (`X-CFF-Access-Key`, `X-CFF-Auth-Token`, `X-CFF-Secret-Key`,
//! `X-CFF-Security-Token`) are not sent: they need an agency, and an emulator has no keys.

use std::time::SystemTime;

use http_body_util::Full;
use hyper::header::HeaderValue;
use hyper::{Method, Response, StatusCode};

use super::received_request::{ReceivedRequest, Reply};
use crate::function::RuntimeResponse;
use crate::inner::Inner;
use crate::state::Rejection;

/// The path on which a function requests its next event.
const REQUEST_PATH: &str = "/v1/runtime/invocation/request";

pub(super) async fn handle(request: &ReceivedRequest, inner: &Inner) -> Reply {
    if request.path == REQUEST_PATH {
        if request.method != Method::GET {
            return request.method_not_allowed(&Method::GET);
        }
        inner.update(|state| {
            state.runtime.mark_ready();
            state.telemetry.init_done(SystemTime::now());
        });
        let (id, payload) = inner.wait_until(|state| state.runtime.dequeue()).await;
        let mut response = Response::new(Full::new(payload));
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::try_from(id) {
            headers.insert("X-Cff-Request-Id", id);
        }
        // D: the type of the invocation. I: its value, for an invocation whose caller waits for the response.
        headers.insert("X-CFF-Invoke-Type", HeaderValue::from_static("sync"));
        return Reply::Respond(response);
    }
    let id_of = |kind: &str| {
        request
            .path
            .strip_prefix("/v1/runtime/invocation/")?
            .strip_prefix(kind)
    };
    let (id, is_response) = match (id_of("response/"), id_of("error/")) {
        (Some(id), _) => (id, true),
        (_, Some(id)) => (id, false),
        (None, None) => return request.not_found(),
    };
    if request.method != Method::POST {
        return request.method_not_allowed(&Method::POST);
    }
    let body = match &request.body {
        Ok(body) => body.clone(),
        Err(message) => {
            let rejection = Rejection::new("InvalidBody", message.clone());
            return Reply::Reject(StatusCode::PAYLOAD_TOO_LARGE, rejection);
        }
    };
    let response = match is_response {
        true => RuntimeResponse::ok(body),
        false => RuntimeResponse::reported_error(body),
    };
    match inner.update(|state| state.runtime.respond(id, response)) {
        Ok(()) => Reply::Respond(Response::new(Full::default())),
        Err(rejection) => Reply::Reject(StatusCode::NOT_FOUND, rejection),
    }
}
