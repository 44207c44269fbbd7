//! The outcome of a phase, as far as the platform documents it.

use fg_extension::PlatformEvent;

/// The meaning of the `status` of an event. If the events of a phase differ, the greatest one counts.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Outcome {
    /// `success`, the only status that is documented (D 2713).
    Success,
    /// An undocumented status, which counts as neither a success nor a failure.
    Undocumented,
    /// An undocumented status together with an `errorType` (I).
    Failure,
    /// A status or an `errorType` that names a timeout (I).
    Timeout,
}

impl Outcome {
    /// Returns the outcome in an event, or `None` if its status is missing or empty.
    pub(crate) fn of(event: &PlatformEvent) -> Option<Self> {
        let status = event.status().filter(|status| !status.is_empty())?;
        let error_type = || error_type(event);
        Some(if event.is_success() {
            Self::Success
        } else if is_timeout(status) || error_type().is_some_and(|kind| is_timeout(&kind)) {
            Self::Timeout
        } else if error_type().is_some() {
            Self::Failure
        } else {
            Self::Undocumented
        })
    }

    /// Returns whether the phase failed.
    pub(crate) fn is_failure(self) -> bool {
        matches!(self, Self::Failure | Self::Timeout)
    }
}

/// Returns the `errorType` of an event, if it is a non-empty string.
pub(crate) fn error_type(event: &PlatformEvent) -> Option<String> {
    let error_type: String = event.field("errorType")?;
    Some(error_type.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Returns whether a word of the platform means that the function reached its time limit (?), such as `timeout`,
/// `Timed out` or `Sandbox.Timedout`. An exception of the function, such as `SocketTimeoutException`, is an error.
fn is_timeout(word: &str) -> bool {
    let word = word.rsplit('.').next().unwrap_or(word);
    let letters: String = word.chars().filter(char::is_ascii_alphabetic).collect();
    ["timeout", "timedout", "functiontimeout", "invoketimeout"]
        .iter()
        .any(|known| letters.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests {
    use super::is_timeout;

    #[test]
    fn only_the_time_limit_of_the_function_is_a_timeout() {
        for word in [
            "timeout",
            "TIMEOUT",
            "timed out",
            "Sandbox.Timedout",
            "Function.Timeout",
            "InvokeTimeout",
        ] {
            assert!(is_timeout(word), "{word}");
        }
        for word in [
            "",
            "error",
            "TimeoutError",
            "SocketTimeoutException",
            "ETIMEDOUT",
            "no timeout",
        ] {
            assert!(!is_timeout(word), "{word}");
        }
    }
}
