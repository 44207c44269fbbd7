//! What a test asks of one invocation.

use std::time::Duration;

use hyper::body::Bytes;

use crate::FunctionOutcome;

/// What one invocation asks of the function, and how a synthetic function behaves.
///
/// ```
/// use std::time::Duration;
/// use fg_emulator::{FunctionOutcome, InvokeRequest};
///
/// let invocation = InvokeRequest::new()
///     .duration(Duration::from_millis(20))
///     .log("not enough rows")
///     .outcome(FunctionOutcome::Error);
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
    /// Returns a request with a fresh trace id and the payload `{}`, of which a synthetic function makes a success at once.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the trace id; a fresh UUID by default.
    #[must_use]
    pub fn trace_id(mut self, trace_id: impl Into<String>) -> Self {
        self.trace_id = Some(trace_id.into());
        self
    }

    /// Sets the payload, `{}` by default, which goes to a `bootstrap`; extensions get none (D 2707).
    #[must_use]
    pub fn payload(mut self, payload: impl Into<Bytes>) -> Self {
        self.payload = payload.into();
        self
    }

    /// Sets how long a synthetic function takes; no time by default.
    #[must_use]
    pub fn duration(mut self, duration: Duration) -> Self {
        self.duration = duration;
        self
    }

    /// Adds a line that a synthetic function logs.
    #[must_use]
    pub fn log(mut self, line: impl Into<String>) -> Self {
        self.logs.push(line.into());
        self
    }

    /// Sets what becomes of a synthetic function; success by default.
    #[must_use]
    pub fn outcome(mut self, outcome: FunctionOutcome) -> Self {
        self.outcome = outcome;
        self
    }
}
