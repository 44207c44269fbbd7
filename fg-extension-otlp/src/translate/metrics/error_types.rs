//! The values of `error.type` in metrics.

use std::sync::Arc;

/// The maximum number of error types that metrics distinguish, and the maximum length of one, in bytes. Each error type
/// is a time series of its own, which backends store and charge for.
const MAX_ERROR_TYPES: usize = 32;
const MAX_BYTES: usize = 256;

/// The value that the conventions define for an error without a known type.
const OTHER: &str = "_OTHER";

/// The error types that have occurred.
#[derive(Default)]
pub(super) struct ErrorTypes(Vec<Arc<str>>);

impl ErrorTypes {
    /// Returns the value of `error.type` for this error: its type, or `_OTHER` if it has none, if it is too long, or if
    /// there are too many.
    pub(super) fn of(&mut self, error_type: Option<&str>) -> Arc<str> {
        let error_type = error_type
            .filter(|error_type| error_type.len() <= MAX_BYTES)
            .unwrap_or(OTHER);
        if let Some(known) = self.0.iter().find(|known| known.as_ref() == error_type) {
            return Arc::clone(known);
        }
        if error_type == OTHER || self.0.len() >= MAX_ERROR_TYPES {
            return Arc::from(OTHER);
        }
        let new = Arc::from(error_type);
        self.0.push(Arc::clone(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_and_length_of_error_types_are_limited() {
        let mut types = ErrorTypes::default();
        let long = "x".repeat(MAX_BYTES + 1);
        assert_eq!(&*types.of(None), OTHER);
        assert_eq!(&*types.of(Some(&long)), OTHER);
        for number in 0..MAX_ERROR_TYPES {
            let error_type = number.to_string();
            assert_eq!(&*types.of(Some(&error_type)), error_type);
        }
        assert_eq!(&*types.of(Some("new")), OTHER);
        assert_eq!(&*types.of(Some("0")), "0");
    }
}
