//! [`RequestError`]: why a request has no good response.

use std::fmt;

/// An error of one request, with a message for the report.
#[derive(Debug)]
pub(crate) struct RequestError {
    pub(crate) failure: Failure,
    message: String,
}

/// What failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Failure {
    /// There was no complete response in time.
    Timeout,
    /// The response has another status than expected, or comes too early.
    Status,
    /// The connection could not be opened, was closed or reset, or the response cannot be read.
    Other,
}

impl RequestError {
    pub(crate) fn new(failure: Failure, message: impl Into<String>) -> Self {
        Self {
            failure,
            message: message.into(),
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<RequestError> for String {
    fn from(error: RequestError) -> Self {
        error.message
    }
}
