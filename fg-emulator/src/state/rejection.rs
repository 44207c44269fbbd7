//! Why a request is rejected.

/// A rejection, as `errorInfo` has it. The names of the types are ours (?).
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
