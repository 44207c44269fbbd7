//! [`InvokeResult`]: the result of an invocation, with the responses of the extensions.

use std::time::{Duration, Instant};

use fg_util::error::one_line;
use hyper::body::Bytes;

use crate::function::FunctionRun;
use crate::{Error, OutputLine};

/// The result of one invocation of the function.
#[derive(Debug)]
#[non_exhaustive]
pub struct InvokeResult {
    /// The trace ID of the invocation, which is also the request ID of a `bootstrap`.
    pub trace_id: String,
    /// One response from each registered extension, ordered by script name; two from each if
    /// [`Fault::EventDuplicate`](crate::Fault::EventDuplicate) was injected.
    pub responses: Vec<ExtensionResponse>,
    /// How the function ran.
    pub function: FunctionRun,
    /// The body of the invoke event, as it was posted to each extension (D 2707).
    pub event: Bytes,
    /// The lines that the extensions and the function printed while the invocation was in flight, also those about other
    /// invocations: the last 256 KiB.
    pub printed: Vec<OutputLine>,
    /// When the invocation started.
    pub started_at: Instant,
    /// The time until the function and all extensions had finished.
    pub duration: Duration,
    /// The seed of the platform's faults; `None` if it injects none.
    pub(crate) seed: Option<u64>,
}

/// The response of one extension to an invocation.
#[derive(Debug)]
#[non_exhaustive]
pub struct ExtensionResponse {
    /// The script name of the extension.
    pub script: String,
    /// The time from the start of the invocation to the POST of the event.
    pub posted_after: Duration,
    /// The time from connecting to the last byte of the response.
    pub round_trip: Duration,
    /// The response, or the reason why the extension did not respond.
    pub result: Result<HttpResponse, Error>,
}

/// The status and body of an extension's HTTP response.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// The body, at most 6 MiB.
    pub body: Bytes,
}

impl InvokeResult {
    /// Returns whether every extension responded with status 200 (D 2707: any other status is an error).
    ///
    /// The outcome of the function does not count; see [`function`](Self::function).
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.responses.iter().all(ExtensionResponse::is_ok)
    }

    /// Asserts that every extension responded with status 200.
    ///
    /// # Panics
    ///
    /// Panics if an extension did not. The message contains its response or error, what it printed during the invocation,
    /// and the seed if the platform injects faults.
    #[track_caller]
    pub fn assert_ok(&self) {
        let failed = self.responses.iter().filter(|response| !response.is_ok());
        let scripts: Vec<_> = failed.clone().map(|response| &response.script).collect();
        let failed: Vec<_> = failed.map(ExtensionResponse::describe).collect();
        let printed = self
            .printed
            .iter()
            .filter(|line| scripts.contains(&&line.script));
        let printed = printed.map(|line| format!("\n  {} printed: {}", line.script, line.text));
        let seed = match self.seed {
            Some(seed) => format!(" (fault seed {seed})"),
            None => String::new(),
        };
        assert!(
            failed.is_empty(),
            "not every extension responded with status 200{seed}: {}{}",
            failed.join("; "),
            printed.collect::<String>()
        );
    }
}

impl ExtensionResponse {
    /// Returns whether the extension responded with status 200.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        matches!(self.result, Ok(HttpResponse { status: 200, .. }))
    }

    /// Describes the response in one line, such as `extensionHello.sh: status 503: busy`.
    fn describe(&self) -> String {
        match &self.result {
            Ok(HttpResponse { status, body }) => {
                let body = one_line(&String::from_utf8_lossy(body));
                let separator = if body.is_empty() { "" } else { ": " };
                format!("{}: status {status}{separator}{body}", self.script)
            }
            Err(error) => format!("{}: {error:?}", self.script),
        }
    }
}
