//! The API for a function with a custom runtime (D, user guide).

use std::time::SystemTime;

use http_body_util::Full;
use hyper::header::HeaderValue;
use hyper::{Method, Response, StatusCode};

use super::{Outcome, Read};
use crate::shared::Shared;
use crate::state::Refusal;

const REQUEST: &str = "/v1/runtime/invocation/request";

pub(super) async fn answer(read: &Read, shared: &Shared) -> Outcome {
    if read.path == REQUEST {
        if read.method != Method::GET {
            return read.not_allowed(&Method::GET);
        }
        shared.change(|state| {
            state.runtime.is_ready();
            state.telemetry.initialised(SystemTime::now());
        });
        let (id, payload) = shared.when(|state| state.runtime.next()).await;
        let mut response = Response::new(Full::new(payload));
        if let Ok(id) = HeaderValue::try_from(id) {
            response.headers_mut().insert("X-Cff-Request-Id", id);
        }
        return Outcome::Answer(response);
    }
    let id_of = |call: &str| {
        read.path
            .strip_prefix("/v1/runtime/invocation/")?
            .strip_prefix(call)
    };
    let (id, is_response) = match (id_of("response/"), id_of("error/")) {
        (Some(id), _) => (id, true),
        (_, Some(id)) => (id, false),
        (None, None) => return read.unknown(),
    };
    if read.method != Method::POST {
        return read.not_allowed(&Method::POST);
    }
    let body = match &read.body {
        Ok(body) => body.clone(),
        Err(message) => {
            let refusal = Refusal::new("InvalidBody", message.clone());
            return Outcome::Refuse(StatusCode::PAYLOAD_TOO_LARGE, refusal);
        }
    };
    let answer = if is_response { Ok(body) } else { Err(body) };
    match shared.change(|state| state.runtime.answer(id, answer)) {
        Ok(()) => Outcome::Answer(Response::new(Full::default())),
        Err(refusal) => Outcome::Refuse(StatusCode::NOT_FOUND, refusal),
    }
}
