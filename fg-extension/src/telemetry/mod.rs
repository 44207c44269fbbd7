//! Telemetry: the server that batches are posted to, the queue of acknowledged batches, their delivery to the author's
//! handler, and the events (D 2710 to 2713).

mod batch;
mod counters;
mod delivery;
mod events;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod queue;
mod server;
mod subscription;

use std::sync::Arc;

pub use counters::TelemetryCounters;
#[cfg(test)]
pub(crate) use delivery::Delivery;
pub use events::{
    LogEvent, Metrics, PlatformEvent, PlatformEventKind, TelemetryEvent, Timestamp, UnknownEvent,
};
use hyper::StatusCode;
pub(crate) use server::TelemetryServer;
pub use subscription::{Subscription, TelemetryType};

use crate::http::body::{BodyError, ReadBody};
use crate::http::response::{HttpResponse, failure};
use crate::lifecycle::Lifecycle;

/// The handling of telemetry in an extension `T`: [`Delivery`](delivery::Delivery) if it subscribes, and
/// [`NoTelemetry`] otherwise.
///
/// It is a type parameter, so that an extension without a subscription contains no code for telemetry.
pub(crate) trait Telemetry<T>: Send + Sync + 'static {
    /// Whether the extension subscribes.
    const SUBSCRIBED: bool;

    /// Returns whether there is room for a batch of this size. Call it before the batch is read.
    fn admits(&self, bytes: usize) -> bool;

    /// Accepts or rejects the batch in a request body.
    fn respond(
        self: &Arc<Self>,
        body: Result<ReadBody, BodyError>,
    ) -> impl Future<Output = HttpResponse> + Send;

    /// Delivers acknowledged telemetry until the queue is closed and empty.
    fn deliver(&self, extension: &T, lifecycle: &Lifecycle) -> impl Future<Output = ()> + Send;

    /// Closes the queue, so that further batches are rejected.
    fn close(&self);

    /// Closes the queue, counts the remaining events as lost, and returns their number.
    fn abandon(&self) -> u64;

    /// Returns the number of events that were lost so far.
    fn lost(&self) -> u64;
}

/// The implementation for an extension that does not subscribe.
pub(crate) struct NoTelemetry;

impl<T: Sync> Telemetry<T> for NoTelemetry {
    const SUBSCRIBED: bool = false;

    fn admits(&self, _: usize) -> bool {
        false
    }

    async fn respond(self: &Arc<Self>, _: Result<ReadBody, BodyError>) -> HttpResponse {
        // Not called, since `SUBSCRIBED` is false. If it were, the batch must not be acknowledged, since it would not be
        // delivered.
        failure(StatusCode::NOT_FOUND, "NotFound", "unknown path /")
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
