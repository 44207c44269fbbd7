//! The function beside the extensions: a synthetic one, or a custom runtime's `bootstrap`.

mod bootstrap;
mod runtime;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use hyper::body::Bytes;

use crate::Error;

pub(crate) use self::bootstrap::Bootstrap;
pub(crate) use self::runtime::Runtime;

/// What one invocation asks of the function, and how a synthetic function fares.
///
/// ```
/// use std::time::Duration;
/// use fg_emulator::{InvokeRequest, FunctionOutcome};
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
    /// One with a fresh trace id and the payload `{}`, of which a synthetic function makes a success at once.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Another trace id.
    #[must_use]
    pub fn trace_id(mut self, trace_id: impl Into<String>) -> Self {
        self.trace_id = Some(trace_id.into());
        self
    }

    /// Another payload, which goes to a `bootstrap`; extensions get none (D 2707).
    #[must_use]
    pub fn payload(mut self, payload: impl Into<Bytes>) -> Self {
        self.payload = payload.into();
        self
    }

    /// How long a synthetic function takes.
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

    /// What becomes of a synthetic function.
    #[must_use]
    pub fn outcome(mut self, outcome: FunctionOutcome) -> Self {
        self.outcome = outcome;
        self
    }
}

/// What became of the function. Its text is `ok`, `error` or `timeout`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FunctionOutcome {
    /// It responded.
    Ok,
    /// It failed.
    Error,
    /// It was not done in time.
    Timeout,
}

impl FunctionOutcome {
    /// As telemetry has it: `success` is documented (D 2711), the others are not (I).
    pub(crate) fn status(self) -> &'static str {
        match self {
            Self::Ok => "success",
            Self::Error => "error",
            Self::Timeout => "timeout",
        }
    }
}

impl FromStr for FunctionOutcome {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "ok" => Ok(Self::Ok),
            "error" => Ok(Self::Error),
            "timeout" => Ok(Self::Timeout),
            _ => Err(Error::new(format!(
                "outcome `{text}` is unknown; there are ok, error, timeout"
            ))),
        }
    }
}

impl fmt::Display for FunctionOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Timeout => "timeout",
        })
    }
}

/// One run of the function.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FunctionRun {
    /// How it ended.
    pub outcome: FunctionOutcome,
    /// From the invocation's start.
    pub duration: Duration,
    /// What a `bootstrap` responded, or the error that it reported; empty for a synthetic function.
    pub response: Bytes,
}
