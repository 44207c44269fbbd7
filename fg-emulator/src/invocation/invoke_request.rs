//! [`InvokeRequest`]: the payload of an invocation, and the behavior of a synthetic function.

use std::time::Duration;

use hyper::body::Bytes;

use crate::FunctionOutcome;

/// Describes one invocation: its trace ID and payload, and how a synthetic function behaves.
///
/// A custom-runtime function ([`Platform::boot_function`](crate::Platform::boot_function)) receives the payload, and
/// ignores [`duration`](Self::duration), [`log`](Self::log) and [`outcome`](Self::outcome).
///
/// ```
/// use std::time::Duration;
/// use fg_emulator::{FunctionOutcome, InvokeRequest};
///
/// let request = InvokeRequest::new()
///     .log("not enough rows")
///     .duration(Duration::from_millis(20))
///     .outcome(FunctionOutcome::Error);
/// // then: platform.invoke_with(request).await?
/// ```
#[derive(Clone, Debug)]
pub struct InvokeRequest {
    pub(crate) trace_id: Option<String>,
    pub(crate) payload: Bytes,
    pub(crate) duration: Duration,
    pub(crate) logs: Vec<String>,
    pub(crate) outcome: FunctionOutcome,
}

impl Default for InvokeRequest {
    fn default() -> Self {
        Self {
            trace_id: None,
            payload: Bytes::from_static(b"{}"),
            duration: Duration::ZERO,
            logs: Vec::new(),
            outcome: FunctionOutcome::Ok,
        }
    }
}

impl InvokeRequest {
    /// Returns a request with a new trace ID and the payload `{}`, on which a synthetic function succeeds at once.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the trace ID (default: a new UUID).
    #[must_use]
    pub fn trace_id(mut self, trace_id: impl Into<String>) -> Self {
        self.trace_id = Some(trace_id.into());
        self
    }

    /// Sets the payload that a `bootstrap` receives (default: `{}`). Extensions do not receive the payload (D 2707).
    #[must_use]
    pub fn payload(mut self, payload: impl Into<Bytes>) -> Self {
        self.payload = payload.into();
        self
    }

    /// Sets how long a synthetic function takes (default: zero).
    #[must_use]
    pub fn duration(mut self, duration: Duration) -> Self {
        self.duration = duration;
        self
    }

    /// Adds a line that a synthetic function logs at its start. It is delivered as telemetry of type `function`.
    #[must_use]
    pub fn log(mut self, line: impl Into<String>) -> Self {
        self.logs.push(line.into());
        self
    }

    /// Sets how a synthetic function completes the invocation (default: [`FunctionOutcome::Ok`]).
    #[must_use]
    pub fn outcome(mut self, outcome: FunctionOutcome) -> Self {
        self.outcome = outcome;
        self
    }
}
