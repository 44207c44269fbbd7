//! The subscription call.

use std::time::Duration;

use hyper::StatusCode;
use serde::Serialize;

use crate::config::PlatformAddress;
use crate::platform::client::{ApiError, ApiRequest, answer};
use crate::{Port, TelemetryType};
use fg_util::error::{chain, one_line};

/// The body of the call (D 2710).
#[derive(Serialize)]
struct Subscribe {
    subscriber: Subscriber,
    types: &'static [TelemetryType],
}

#[derive(Serialize)]
struct Subscriber {
    protocol: &'static str,
    uri: String,
}

/// Subscribes, within `FG_REGISTER_TIMEOUT`; failure is told in one line, since telemetry is not to break the
/// function.
pub(crate) async fn subscribe(
    platform: PlatformAddress,
    port: Port,
    types: &'static [TelemetryType],
    timeout: Duration,
) {
    let subscribe = Subscribe {
        subscriber: Subscriber {
            protocol: "POST",
            uri: format!("http://{}", port.address()),
        },
        types,
    };
    let call = ApiRequest {
        platform: &platform,
        path: "/telemetry",
        headers: &[],
        // Strings only, into memory: it cannot fail.
        body: serde_json::to_vec(&subscribe).unwrap_or_default().into(),
        purpose: "subscription",
    };
    match call.post(timeout).await {
        Ok(_) => tracing::info!("subscribed to telemetry, listening on {}", port.address()),
        Err(ApiError::Rejected(status, said)) => {
            let why = match status {
                StatusCode::BAD_REQUEST => "; a function has one subscriber at most",
                _ => "",
            };
            tracing::error!(
                "there will be no telemetry: the platform at {platform} \
                 refused the subscription of {} with {}{why}",
                port.address(),
                answer(status, &said)
            );
        }
        Err(ApiError::NoResponse(attempts, last)) => tracing::error!(
            "there will be no telemetry: no subscription with the platform at {platform} in {timeout:?} \
             ({attempts} attempts); set FG_REGISTER_TIMEOUT to wait longer: {}",
            one_line(&chain(last.as_ref()))
        ),
    }
}
