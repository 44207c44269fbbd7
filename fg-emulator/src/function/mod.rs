//! The function beside the extensions: a synthetic one, or a custom runtime's `bootstrap`.

mod bootstrap;
mod runtime_state;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use hyper::body::Bytes;

use crate::Error;

pub(crate) use self::bootstrap::Bootstrap;
pub(crate) use self::runtime_state::RuntimeState;

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
