//! [`Event`]: what the platform reports to its observer.

use std::net::SocketAddr;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use hyper::body::Bytes;

use crate::{Fault, OutputLine, Subscription};

/// An event on the platform, reported to the [observer](crate::PlatformBuilder::observer) when it happens.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The extension API received a request. Reported before the response is sent.
    ApiRequest(ApiRequest),
    /// An extension registered. Reported before the response is sent.
    #[non_exhaustive]
    Registered {
        /// The script name.
        script: String,
        /// The address to which the platform posts invoke events.
        address: SocketAddr,
        /// When the process was started; `None` for an [attached](crate::Platform::attach) extension, whose process the
        /// platform has not started.
        started_at: Option<Instant>,
        /// When it registered.
        registered_at: Instant,
    },
    /// The extension API, or the API of a custom runtime, rejected a request: the request broke a rule, is not part of the
    /// API, or was rejected by an injected fault.
    #[non_exhaustive]
    Rejected {
        /// The HTTP method, or `?` if the request is not valid HTTP.
        method: String,
        /// The path, such as `/extension/register`, or `?` if the request is not valid HTTP.
        path: String,
        /// The status of the response.
        status: u16,
        /// The `errorType` of the response, such as `AlreadySubscribed`. The platform's own error types are unknown (?).
        error_type: &'static str,
        /// Why the request was rejected. The response contains the same message.
        error_message: String,
    },
    /// An extension or the function printed a line.
    Output(OutputLine),
    /// The process of the function exited, or was killed because an invocation timed out. It is started again for the next
    /// invocation. Not reported at a shutdown.
    #[non_exhaustive]
    FunctionExited {
        /// The exit status; [`describe_exit`](crate::describe_exit) puts it into words.
        status: ExitStatus,
        /// Whether the process was killed because an invocation timed out.
        timed_out: bool,
        /// When the exit was observed. The event is reported when all that the process printed has been read.
        exited_at: Instant,
    },
    /// The function was initialized: it requested its first event, or, if it is an HTTP function, it listens. Also reported
    /// when its process was started again. Not reported for a synthetic function.
    #[non_exhaustive]
    FunctionInitialized {
        /// When the process was started.
        started_at: Instant,
        /// The time from the start of the process to the end of the initialization.
        duration: Duration,
    },
    /// A synthetic function logged a line of its [`InvokeRequest`](crate::InvokeRequest).
    #[non_exhaustive]
    FunctionLogged {
        /// The trace ID of the invocation.
        trace_id: String,
        /// The line.
        text: String,
    },
    /// The instance was frozen: by [`Platform::freeze`](crate::Platform::freeze), [`restore`](crate::Platform::restore), or the
    /// fault [`Freeze`](Fault::Freeze). Reported when its processes have stopped; not reported if it was frozen already.
    Frozen,
    /// The instance was thawed: by [`Platform::thaw`](crate::Platform::thaw), an invocation, a shutdown, or at the end of a
    /// restoration or of the fault [`Freeze`](Fault::Freeze). Reported before its processes continue; not reported if it was not
    /// frozen.
    Thawed,
    /// An extension subscribed to telemetry.
    Subscribed(Subscription),
    /// The subscriber acknowledged a batch of telemetry.
    #[non_exhaustive]
    TelemetryDelivered {
        /// The number of events in the batch.
        events: usize,
        /// The status of the response, from 200 to 299.
        status: u16,
        /// When the successful POST started.
        started_at: Instant,
        /// The time from connecting to the last byte of the response.
        round_trip: Duration,
        /// The batch: a JSON array of events.
        body: Bytes,
    },
    /// A batch of telemetry was posted, and not acknowledged. It is posted again, unless [`TelemetryLost`](Self::TelemetryLost)
    /// follows.
    #[non_exhaustive]
    TelemetryAttemptFailed {
        /// The number of events in the batch.
        events: usize,
        /// When the POST started.
        started_at: Instant,
        /// The time from connecting to the failure.
        round_trip: Duration,
        /// Why it failed, such as `http://127.0.0.1:8082 responded with status 503`.
        reason: String,
    },
    /// Telemetry was lost: the buffer was full, delivery failed, or the instance was shut down before delivery.
    #[non_exhaustive]
    TelemetryLost {
        /// The number of lost events.
        events: usize,
        /// Why they were lost.
        reason: String,
        /// The lost events: a JSON array. If the buffer was full, it contains only the first ones, up to 256 KiB.
        body: Bytes,
    },
    /// A fault was injected.
    #[non_exhaustive]
    FaultInjected {
        /// The fault.
        fault: Fault,
        /// What the platform did, and how the extension responded where that is known.
        description: String,
    },
}

/// A request that the extension API received.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ApiRequest {
    /// The HTTP method, such as `POST`.
    pub method: String,
    /// The path without the query, such as `/extension/register`.
    pub path: String,
    /// The header `FunctionGraph-Extension-Name`.
    pub name: Option<String>,
    /// The header `FunctionGraph-Extension-Address`.
    pub address: Option<String>,
    /// The names of those two headers that the request contains more than once. Such a registration is rejected.
    pub repeated_headers: Vec<&'static str>,
    /// The body. Empty if it is incomplete or larger than 6 MiB.
    pub body: Bytes,
}
