//! The events that a platform reports to its observer.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hyper::body::Bytes;

use crate::{Fault, OutputLine, Subscription};

/// What happens on the platform, as it happens.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A request of the API arrived; reported before it is answered.
    ApiRequest(ApiRequest),
    /// An extension registered; reported before its request is answered.
    #[non_exhaustive]
    Registered {
        /// Its script name.
        script: String,
        /// Where it takes events.
        address: SocketAddr,
    },
    /// A request was rejected: it broke a rule, or it is not part of the API.
    #[non_exhaustive]
    Rejected {
        /// As in `POST`; `?` if the request could not be read.
        method: String,
        /// As in `/extension/register`, or `?`.
        path: String,
        /// The response's status.
        status: u16,
        /// What was wrong.
        error_message: String,
    },
    /// An extension, or the function, printed a line.
    Output(OutputLine),
    /// An extension subscribed to telemetry.
    Subscribed(Subscription),
    /// The subscriber accepted a batch of telemetry.
    #[non_exhaustive]
    TelemetryDelivered {
        /// How many events the batch has.
        events: usize,
        /// The response's status, from 200 to 299.
        status: u16,
        /// When the POST that was accepted began.
        started_at: Instant,
        /// From connecting to the response's last byte.
        round_trip: Duration,
    },
    /// Telemetry was dropped: the buffer was full, or every attempt to deliver it failed.
    #[non_exhaustive]
    TelemetryLost {
        /// How many events.
        events: usize,
        /// Why.
        reason: String,
    },
    /// A fault was injected.
    #[non_exhaustive]
    FaultInjected {
        /// Which.
        fault: Fault,
        /// What was done, to whom, and with which result.
        description: String,
    },
}

/// A request of the API, as it was received.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ApiRequest {
    /// As in `POST`.
    pub method: String,
    /// As in `/extension/register`.
    pub path: String,
    /// The header `FunctionGraph-Extension-Name`.
    pub name: Option<String>,
    /// The header `FunctionGraph-Extension-Address`.
    pub address: Option<String>,
    /// The body; empty if it broke off or is larger than 6 MiB.
    pub body: Bytes,
}
