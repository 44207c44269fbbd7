//! What a platform tells its observer.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hyper::body::Bytes;

use crate::{Fault, Line, Subscription};

/// What happens on the platform, as it happens.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A call of the API has come; told before it is answered.
    Called(Call),
    /// An extension is registered; told before the call is answered.
    Registered {
        /// Its script name.
        script: String,
        /// Where it takes events.
        address: SocketAddr,
    },
    /// A call was refused: it broke a rule, or is none of the API.
    Refused {
        /// As in `POST`; `?` if the request could not be read.
        method: String,
        /// As in `/extension/register`, or `?`.
        path: String,
        /// The answer's status.
        status: u16,
        /// What was wrong.
        error_message: String,
    },
    /// An extension, or the function, printed a line.
    Output(Line),
    /// An extension subscribed to telemetry.
    Subscribed(Subscription),
    /// The subscriber took a batch of telemetry.
    TelemetryDelivered {
        /// How many.
        events: usize,
        /// The answer's status, from 200 to 299.
        status: u16,
        /// When the POST that was answered began.
        start: Instant,
        /// From connecting to the answer's last byte.
        took: Duration,
    },
    /// Telemetry was dropped or given up.
    TelemetryLost {
        /// How many events.
        events: usize,
        /// Why.
        reason: String,
    },
    /// A fault was injected.
    Fault {
        /// Which.
        fault: Fault,
        /// What was done, to whom, and what came of it.
        what: String,
    },
}

/// A call of the API, as it came.
#[derive(Clone, Debug)]
pub struct Call {
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
