//! Telemetry of the function, once an extension has subscribed to it (D 2710 to 2713).
//!
//! `server` accepts batches, `queue` holds what was acknowledged, `delivery` calls the author's handler, `events` has what
//! the handler receives.

mod batch;
mod counters;
mod delivery;
mod events;
mod queue;
mod server;
mod subscription;

pub use counters::TelemetryCounters;
#[cfg(test)]
pub(crate) use delivery::Delivery;
pub use events::{LogEvent, Metrics, PlatformEvent, PlatformRecord, TelemetryEvent, Timestamp};
use hyper::StatusCode;
use hyper::body::Bytes;
pub(crate) use server::TelemetryServer;
pub use subscription::{Subscription, TelemetryType};

use crate::http::body::BodyError;
use crate::http::response::{HttpResponse, failure};
use crate::lifecycle::Lifecycle;

/// What becomes of telemetry in an extension `T`.
///
/// The type decides, so that an extension without a subscription ([`NoTelemetry`]) carries no code for it.
pub(crate) trait Telemetry<T>: Send + Sync + 'static {
    /// Whether the extension subscribes.
    const SUBSCRIBED: bool;

    /// Accepts or rejects the batch in a request's body.
    fn respond(&self, body: Result<Bytes, BodyError>) -> HttpResponse;

    /// Logs that a request was rejected.
    fn report_rejected_request(&self, status: StatusCode, message: &str);

    /// Delivers what was accepted, until the queue is closed and empty.
    fn deliver(&self, extension: &T, lifecycle: &Lifecycle) -> impl Future<Output = ()> + Send;

    /// Accepts no more batches.
    fn close(&self);

    /// Counts what is still there as lost, and returns how many events that were.
    fn abandon(&self) -> u64;

    /// Returns how many events were acknowledged and will not be delivered, so far.
    fn lost(&self) -> u64;
}

/// The extension does not subscribe.
pub(crate) struct NoTelemetry;

impl<T: Sync> Telemetry<T> for NoTelemetry {
    const SUBSCRIBED: bool = false;

    fn respond(&self, _: Result<Bytes, BodyError>) -> HttpResponse {
        // Not called, since `SUBSCRIBED` is false; if it were, nothing must be acknowledged.
        failure(StatusCode::NOT_FOUND, "NotFound", "no such path: /")
    }

    fn report_rejected_request(&self, status: StatusCode, message: &str) {
        tracing::warn!(
            "a request was answered with status {}: {message}",
            status.as_u16()
        );
    }

    async fn deliver(&self, _: &T, _: &Lifecycle) {}

    fn close(&self) {}

    fn abandon(&self) -> u64 {
        0
    }

    fn lost(&self) -> u64 {
        0
    }
}
