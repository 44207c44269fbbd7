//! The function of the instance: synthetic, or a custom runtime's `bootstrap`.

mod bootstrap;
mod runtime_state;
mod settings;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use hyper::body::Bytes;

use crate::Error;

pub(crate) use self::bootstrap::Bootstrap;
pub(crate) use self::runtime_state::RuntimeState;
pub(crate) use self::settings::FunctionSettings;

/// The function's part of one invocation.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FunctionRun {
    /// How the function completed the invocation.
    pub outcome: FunctionOutcome,
    /// The time from the start of the invocation until the function completed it.
    pub duration: Duration,
    /// The body of the response or error that the `bootstrap` posted; empty after a timeout, and for a synthetic
    /// function.
    pub response: Bytes,
}

/// How the function completed an invocation. Parsed from and displayed as `ok`, `error` or `timeout`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FunctionOutcome {
    /// The function responded.
    Ok,
    /// The function reported an error, or its process exited.
    Error,
    /// The function did not respond in time.
    Timeout,
}

impl FunctionOutcome {
    /// Returns the status for telemetry events. `success` is documented (D 2711), the others are inferred (I).
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
                "unknown outcome `{text}`; expected ok, error or timeout"
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
