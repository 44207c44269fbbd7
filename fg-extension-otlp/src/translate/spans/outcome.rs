//! The outcome of a phase, as far as the platform documents it.

use fg_extension::PlatformRecord;
use serde_json::Value;

/// The meaning of the `status` of an event. If the events of a phase differ, the greatest one counts.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Outcome {
    /// `success`, the only status that is documented (D 2711).
    Success,
    /// An undocumented status, which counts as neither a success nor a failure.
    Undocumented,
    /// An undocumented status together with an `errorType` (I).
    Failure,
}

impl Outcome {
    /// Returns the outcome in an event, or `None` if its status is missing or empty.
    pub(crate) fn of(record: &PlatformRecord) -> Option<Self> {
        record
            .status
            .as_deref()
            .filter(|status| !status.is_empty())?;
        Some(if record.is_success() {
            Self::Success
        } else if error_type(record).is_some() {
            Self::Failure
        } else {
            Self::Undocumented
        })
    }
}

/// Returns the `errorType` of an event, if it is a non-empty string.
pub(crate) fn error_type(record: &PlatformRecord) -> Option<&str> {
    let error_type = record.other.get("errorType").and_then(Value::as_str)?;
    Some(error_type.trim()).filter(|text| !text.is_empty())
}
