//! The result of an invocation.

use std::time::{Duration, Instant};

use hyper::body::Bytes;

use crate::Error;
use crate::function::FunctionRun;

/// The result of one invocation of the function.
#[derive(Debug)]
#[non_exhaustive]
pub struct InvokeResult {
    /// The invocation's request ID, a fresh UUID unless it was given.
    pub trace_id: String,
    /// One response from each extension that is registered; two, if a fault has doubled the event.
    pub responses: Vec<ExtensionResponse>,
    /// What the function did.
    pub function: FunctionRun,
    /// When the invocation began.
    pub started_at: Instant,
    /// Until function and extensions were done.
    pub duration: Duration,
    /// The seed of the platform's faults, if it has any.
    pub(crate) seed: Option<u64>,
}

/// The response of one extension to an invocation.
#[derive(Debug)]
#[non_exhaustive]
pub struct ExtensionResponse {
    /// The extension's script name.
    pub script: String,
    /// From the invocation's start to the POST.
    pub posted_after: Duration,
    /// From connecting to the response's last byte.
    pub round_trip: Duration,
    /// The response, or why there is none.
    pub result: Result<HttpResponse, Error>,
}

/// Status and body of an extension's response.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct HttpResponse {
    /// As in 200.
    pub status: u16,
    /// At most 6 MiB.
    pub body: Bytes,
}

impl InvokeResult {
    /// Returns whether every extension answered with 200 (D 2707: any other status is an error). What became of the
    /// function is in [`function`](Self::function).
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.responses.iter().all(ExtensionResponse::is_ok)
    }

    /// Asserts that every extension answered with 200, for tests.
    ///
    /// # Panics
    ///
    /// If an extension did not answer with 200. With faults, the message has their seed.
    #[track_caller]
    pub fn assert_ok(&self) {
        let failed = |response: &&ExtensionResponse| !response.is_ok();
        let failed: Vec<_> = self.responses.iter().filter(failed).collect();
        let seed = match self.seed {
            Some(seed) => format!(" (faults by seed {seed})"),
            None => String::new(),
        };
        assert!(failed.is_empty(), "not answered with 200{seed}: {failed:?}");
    }
}

impl ExtensionResponse {
    /// Returns whether it is a 200.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        matches!(self.result, Ok(HttpResponse { status: 200, .. }))
    }
}
