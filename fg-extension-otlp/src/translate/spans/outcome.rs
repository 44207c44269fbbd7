//! How a phase ended, as far as the platform's documentation allows to say.

use fg_extension::PlatformRecord;
use serde_json::Value;

/// What the `status` of an event says; of several, the greatest counts.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Outcome {
    /// `success`, the only status that is documented (D 2711).
    Success,
    /// A status that no document names, which is neither success nor failure.
    Undocumented,
    /// Such a status together with an `errorType` (I).
    Failure,
}

impl Outcome {
    /// Returns what the event says; `None` if it has no status, or an empty one.
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

/// Returns the `errorType` of an event, if it is a text.
pub(crate) fn error_type(record: &PlatformRecord) -> Option<&str> {
    let error_type = record.other.get("errorType").and_then(Value::as_str)?;
    Some(error_type.trim()).filter(|text| !text.is_empty())
}
