//! [`RuntimeResponse`]: how a real function completed an invocation.

use std::time::Duration;

use hyper::body::Bytes;
use serde::Serialize;

use super::FunctionOutcome;

/// The response of the function, the error that it reported, or the reason why it did not respond.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct RuntimeResponse {
    pub(crate) outcome: FunctionOutcome,
    pub(crate) body: Bytes,
    pub(crate) http_status: Option<u16>,
}

/// The format in which a custom runtime reports an error (D functiongraph_01_0406).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorBody<'a> {
    error_type: &'a str,
    error_message: &'a str,
}

impl RuntimeResponse {
    pub(crate) fn ok(body: Bytes) -> Self {
        Self::new(FunctionOutcome::Ok, body)
    }

    /// Returns an error that the function reported.
    pub(crate) fn reported_error(body: Bytes) -> Self {
        Self::new(FunctionOutcome::Error, body)
    }

    /// Returns an error that the emulator found.
    pub(crate) fn error(error_type: &str, error_message: &str) -> Self {
        Self::new(
            FunctionOutcome::Error,
            error_body(error_type, error_message),
        )
    }

    /// Returns the response of a function that did not respond in time.
    pub(crate) fn timeout(timeout: Duration) -> Self {
        let message = format!("the function did not respond within {timeout:?}");
        let body = error_body("FunctionTimeout", &message);
        Self::new(FunctionOutcome::Timeout, body)
    }

    fn new(outcome: FunctionOutcome, body: Bytes) -> Self {
        Self {
            outcome,
            body,
            http_status: None,
        }
    }
}

fn error_body(error_type: &str, error_message: &str) -> Bytes {
    // Serializing strings cannot fail.
    let body = serde_json::to_vec(&ErrorBody {
        error_type,
        error_message,
    });
    body.unwrap_or_default().into()
}
