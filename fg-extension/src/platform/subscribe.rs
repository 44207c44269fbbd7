//! The subscription to telemetry.

use std::time::Duration;

use fg_util::error::{chain, one_line};
use hyper::StatusCode;
use serde::Serialize;

use crate::config::PlatformAddress;
use crate::platform::client::ApiRequest;
use crate::platform::retry::ApiError;
use crate::{Port, TelemetryType};

/// The body of the request (D 2710).
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

/// Subscribes, within `FG_REGISTER_TIMEOUT`. A failure is logged in one line, since telemetry must not break the
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
    let request = ApiRequest {
        platform: &platform,
        path: "/telemetry",
        headers: &[],
        // Strings only, into memory: it cannot fail.
        body: serde_json::to_vec(&subscribe).unwrap_or_default().into(),
        purpose: "subscription",
    };
    match request.post(timeout).await {
        Ok(_) => tracing::info!("subscribed to telemetry, listening on {}", port.address()),
        Err(ApiError::Rejected(rejection)) => {
            let hint = match rejection.status {
                StatusCode::BAD_REQUEST => "; a function has one subscriber at most",
                _ => "",
            };
            tracing::error!(
                "there will be no telemetry: the platform at {platform} \
                 rejected the subscription of {} with {rejection}{hint}",
                port.address(),
            );
        }
        Err(ApiError::NoResponse(attempts, last)) => tracing::error!(
            "there will be no telemetry: no subscription with the platform at {platform} in {timeout:?} \
             ({attempts} attempts); set FG_REGISTER_TIMEOUT to wait longer: {}",
            one_line(&chain(last.as_ref()))
        ),
    }
}
