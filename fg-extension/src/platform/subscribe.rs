//! The telemetry subscription.

use std::time::Duration;

use fg_util::duration;
use fg_util::error::{chain, one_line};
use hyper::StatusCode;
use serde::Serialize;

use crate::config::PlatformAddress;
use crate::platform::client::ApiRequest;
use crate::platform::retry::{ApiError, count_attempts};
use crate::{Port, TelemetryType};

/// The body of the subscription request (D 2712).
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

/// Subscribes to telemetry, retrying for up to `timeout`.
///
/// A failure is only logged: problems with telemetry must not break the function.
pub(crate) async fn subscribe(
    platform: &PlatformAddress,
    port: Port,
    types: &'static [TelemetryType],
    timeout: Duration,
) {
    let subscribe = Subscribe {
        subscriber: Subscriber {
            protocol: "POST",
            uri: format!("http://{}", port.authority()),
        },
        types,
    };
    let request = ApiRequest {
        platform,
        path: "/telemetry",
        headers: &[],
        // Serializing strings into memory cannot fail.
        body: serde_json::to_vec(&subscribe).unwrap_or_default(),
        purpose: "subscription",
    };
    match request.post(timeout).await {
        Ok(_) => info!("subscribed to telemetry, listening on {}", port.authority()),
        Err(ApiError::Rejected(rejection)) => {
            let hint = match rejection.status {
                StatusCode::BAD_REQUEST => {
                    "; a function can have only one subscriber: if another extension subscribes, remove one of them"
                }
                _ => "",
            };
            error!(
                "continuing without telemetry: the platform at {platform} \
                 rejected the subscription of {} with {rejection}{hint}",
                port.authority(),
            );
        }
        Err(ApiError::NoResponse(attempts, last)) => error!(
            "continuing without telemetry: cannot subscribe with the platform at {platform} within {} \
             ({}): {}; increase FG_REGISTER_TIMEOUT to wait longer",
            duration::format(timeout),
            count_attempts(attempts),
            one_line(&chain(last.as_ref()))
        ),
    }
}
