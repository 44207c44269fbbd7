//! The API for extensions.

use std::time::Duration;

use hyper::{Method, StatusCode};

use super::{ErrorInfo, Outcome, Read, json};
use crate::Fault;
use crate::event::{ApiRequest, Event};
use crate::shared::Shared;
use crate::state::Refusal;

pub(super) async fn answer(read: &Read, shared: &Shared) -> Outcome {
    let call = ApiRequest {
        method: read.method.to_string(),
        path: read.path.clone(),
        name: read.header("FunctionGraph-Extension-Name"),
        address: read.header("FunctionGraph-Extension-Address"),
        body: read.body.clone().unwrap_or_default(),
    };
    shared.observe(&Event::ApiRequest(call.clone()));
    let result = match read.path.as_str() {
        "/extension/register" | "/telemetry" if read.method != Method::POST => {
            return read.not_allowed(&Method::POST);
        }
        "/extension/register" => {
            // What it says is ignored (D 2707), but not that half of the request is missing.
            if let Err(message) = &read.body {
                let refusal = Refusal::new("InvalidBody", message.clone());
                return Outcome::Refuse(StatusCode::BAD_REQUEST, refusal);
            }
            if let Some(fault) = registration_fault(shared).await {
                return fault;
            }
            shared.register(call.name.as_deref(), call.address.as_deref())
        }
        "/telemetry" => match &read.body {
            Ok(body) => shared.subscribe(body),
            Err(message) => Err(Refusal::new("InvalidSubscription", message.clone())),
        },
        _ => return read.unknown(),
    };
    match result {
        Ok(()) => Outcome::Answer(json(StatusCode::OK, shared, ErrorInfo::default())),
        Err(refusal) => Outcome::Refuse(StatusCode::BAD_REQUEST, refusal),
    }
}

/// What the faults do to a registration, if they prevent it.
async fn registration_fault(shared: &Shared) -> Option<Outcome> {
    if shared.strikes(
        Fault::RegisterReset,
        "a registration's connection was reset",
    ) {
        return Some(Outcome::Reset);
    }
    for (fault, status) in [
        (Fault::RegisterUnavailable, StatusCode::SERVICE_UNAVAILABLE),
        (Fault::RegisterRejected, StatusCode::BAD_REQUEST),
    ] {
        let what = format!("a registration was answered with {}", status.as_u16());
        if shared.strikes(fault, &what) {
            let refusal = Refusal::new("InjectedFault", format!("fault `{fault}`"));
            return Some(Outcome::Refuse(status, refusal));
        }
    }
    if shared.strikes(
        Fault::RegisterSlow,
        "a registration is answered after a second",
    ) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    None
}
