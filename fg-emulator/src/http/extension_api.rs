//! The extension API: registration (D 2707) and subscription to telemetry (D 2712).

use std::time::Duration;

use hyper::{Method, StatusCode};

use super::received_request::{ReceivedRequest, Reply};
use super::response;
use crate::Fault;
use crate::event::{ApiRequest, Event};
use crate::inner::Inner;
use crate::state::Rejection;

/// The headers of a registration (D 2707).
const NAME: &str = "FunctionGraph-Extension-Name";
const ADDRESS: &str = "FunctionGraph-Extension-Address";

pub(super) async fn handle(request: &ReceivedRequest, inner: &Inner) -> Reply {
    let api_request = ApiRequest {
        method: request.method.to_string(),
        path: request.path.clone(),
        name: request.header(NAME),
        address: request.header(ADDRESS),
        repeated_headers: [NAME, ADDRESS]
            .into_iter()
            .filter(|name| request.headers.get_all(*name).iter().count() > 1)
            .collect(),
        body: request.body.clone().unwrap_or_default(),
    };
    inner.report(&Event::ApiRequest(api_request.clone()));
    let result = match request.path.as_str() {
        "/extension/register" | "/telemetry" if request.method != Method::POST => {
            return request.method_not_allowed(&Method::POST);
        }
        "/extension/register" => {
            // The contents of the body are ignored (D 2707), but the request must be complete.
            if let Err(message) = &request.body {
                let rejection = Rejection::new("InvalidBody", message.clone());
                return Reply::Reject(StatusCode::BAD_REQUEST, rejection);
            }
            if let Some(fault) = registration_fault(inner).await {
                return fault;
            }
            if let [name, ..] = api_request.repeated_headers[..] {
                let message = format!("header {name} occurs more than once");
                inner.reject_registration(Rejection::new("RepeatedHeader", message))
            } else {
                inner.register(api_request.name.as_deref(), api_request.address.as_deref())
            }
        }
        "/telemetry" => match &request.body {
            Ok(body) => inner.subscribe(body),
            Err(message) => Err(Rejection::new("InvalidSubscription", message.clone())),
        },
        _ => return request.not_found(),
    };
    match result {
        Ok(()) => Reply::Respond(response::ok(inner)),
        Err(rejection) => Reply::Reject(StatusCode::BAD_REQUEST, rejection),
    }
}

/// Injects the faults of a registration. Returns the reply if a fault prevents the registration.
async fn registration_fault(inner: &Inner) -> Option<Reply> {
    if inner.inject(
        Fault::RegisterReset,
        "the connection of a registration was reset",
    ) {
        return Some(Reply::Reset);
    }
    for (fault, status) in [
        (Fault::RegisterUnavailable, StatusCode::SERVICE_UNAVAILABLE),
        (Fault::RegisterRejected, StatusCode::BAD_REQUEST),
    ] {
        let description = format!("a registration got status {}", status.as_u16());
        if inner.inject(fault, &description) {
            let rejection = Rejection::new("InjectedFault", format!("fault `{fault}`"));
            return Some(Reply::Reject(status, rejection));
        }
    }
    if inner.inject(
        Fault::RegisterSlow,
        "the response to a registration is delayed by 1s",
    ) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    None
}
