//! [`Rejection`]: the reason why a request is rejected.

/// The contents of `errorInfo` in a response that rejects a request. The platform's error types are unknown (?); these are
/// the emulator's.
#[derive(Debug, PartialEq)]
pub(crate) struct Rejection {
    pub(crate) error_type: &'static str,
    pub(crate) error_message: String,
}

impl Rejection {
    pub(crate) fn new(error_type: &'static str, error_message: impl Into<String>) -> Self {
        Self {
            error_type,
            error_message: error_message.into(),
        }
    }
}
