//! The function of the instance: synthetic, or a process.

mod apig_event;
mod bootstrap;
mod code_root;
mod http_server;
mod process;
mod response;
mod runtime_state;
pub(crate) mod settings;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use hyper::body::Bytes;

use crate::Error;

pub(crate) use self::bootstrap::Bootstrap;
pub(crate) use self::code_root::CodeRoot;
pub use self::http_server::HTTP_FUNCTION_PORT;
pub(crate) use self::process::FunctionKind;
pub(crate) use self::response::RuntimeResponse;
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
    /// The body of the response or error that the `bootstrap` posted, or the body of an HTTP function's response. Empty for
    /// a synthetic function that has the outcome of its [`InvokeRequest`](crate::InvokeRequest).
    ///
    /// If the function did not respond, this is an error in the format of a custom runtime (D functiongraph_01_0406), such
    /// as `{"errorType":"FunctionExited","errorMessage":"the function was killed by SIGSEGV"}`. The platform's own error
    /// types are unknown (?). These are the emulator's: `FunctionExited`, `FunctionTimeout`, `FunctionNotStarted`,
    /// `InvalidPayload` and `InvalidResponse`.
    pub response: Bytes,
    /// The status of an HTTP function's response; `None` if it did not respond, and for other functions.
    pub http_status: Option<u16>,
}

/// How the function completed an invocation. Parsed from and displayed as `ok`, `error` or `timeout`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FunctionOutcome {
    /// The function responded. An HTTP function responded with a status from 200 to 299 (I, the open engine).
    Ok,
    /// The function reported an error, its process exited, or it responded with another status.
    Error,
    /// The function did not respond in time.
    Timeout,
}

impl FunctionOutcome {
    /// Returns the status for telemetry events. `success` is documented (D 2713), the others are inferred (I).
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
