//! The outcome of a phase, as far as the platform documents it.

use fg_extension::PlatformEvent;

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
    pub(crate) fn of(event: &PlatformEvent) -> Option<Self> {
        event.status().filter(|status| !status.is_empty())?;
        Some(if event.is_success() {
            Self::Success
        } else if error_type(event).is_some() {
            Self::Failure
        } else {
            Self::Undocumented
        })
    }
}

/// Returns the `errorType` of an event, if it is a non-empty string.
pub(crate) fn error_type(event: &PlatformEvent) -> Option<String> {
    let error_type: String = event.field("errorType")?;
    Some(error_type.trim().to_owned()).filter(|text| !text.is_empty())
}
