//! Parsing of settings, and the error message about an invalid value.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::error::one_line;
use crate::{duration, size};

/// Returns the error message about a setting with an invalid value, in one line.
///
/// `problem` is a phrase that follows the value, such as "is not a level", and `hint` describes what to write instead.
///
/// ```
/// assert_eq!(
///     fg_util::setting::invalid("FG_LOG", "loud", "is not a level", "write `warn`"),
///     "cannot read FG_LOG: `loud` is not a level; write `warn`"
/// );
/// ```
#[must_use]
pub fn invalid(name: &str, value: &str, problem: &str, hint: &str) -> String {
    one_line(&format!("cannot read {name}: `{value}` {problem}; {hint}"))
}

/// Parses a duration within a range.
///
/// # Errors
///
/// Returns an error message if the value is not a duration, or if it is out of range.
pub fn parse_duration(
    name: &str,
    value: &str,
    range: RangeInclusive<Duration>,
) -> Result<Duration, String> {
    duration::parse(value)
        .filter(|duration| range.contains(duration))
        .ok_or_else(|| {
            let problem = format!(
                "is not a duration from {} to {}",
                duration::format(*range.start()),
                duration::format(*range.end())
            );
            invalid(name, value, &problem, duration::HINT)
        })
}

/// Parses a number of bytes within a range.
///
/// # Errors
///
/// Returns an error message if the value is not a size, or if it is out of range.
pub fn parse_size(name: &str, value: &str, range: SizeRange) -> Result<usize, String> {
    size::parse(value)
        .and_then(|bytes| usize::try_from(bytes).ok())
        .filter(|bytes| range.bytes.contains(bytes))
        .ok_or_else(|| {
            let problem = format!("is not a size from {}", range.text);
            invalid(name, value, &problem, size::HINT)
        })
}

/// The range of sizes that a setting accepts.
#[derive(Clone, Debug)]
pub struct SizeRange {
    /// The number of bytes.
    pub bytes: RangeInclusive<usize>,
    /// The range as it appears in error messages, such as `1KB to 1GiB`.
    pub text: &'static str,
}

/// Parses a port number that consists of digits only.
///
/// Unlike [`str::parse`], it does not accept a leading `+`. Returns `None` if the string is not a port number.
#[must_use]
pub fn parse_port(text: &str) -> Option<u16> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_message_contains_the_range() {
        let range = Duration::from_millis(1)..=duration::MAX;
        let parse = |value| parse_duration("FG_REGISTER_TIMEOUT", value, range.clone());
        assert_eq!(parse("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(
            parse("0"),
            Err(
                "cannot read FG_REGISTER_TIMEOUT: `0` is not a duration from 1ms to 1h; \
                 write it as `500ms`, `10s` or `1m`"
                    .to_owned()
            )
        );

        let range = SizeRange {
            bytes: 1000..=1 << 30,
            text: "1KB to 1GiB",
        };
        let parse = |value| parse_size("FG_TELEMETRY_BUFFER", value, range.clone());
        assert_eq!(parse("1.5MiB"), Ok(1_572_864));
        assert_eq!(
            parse("10\nTB"),
            Err(
                "cannot read FG_TELEMETRY_BUFFER: `10\\nTB` is not a size from 1KB to 1GiB; \
                 write it as `512KiB`, `4MiB` or `4194304`"
                    .to_owned()
            )
        );
    }

    #[test]
    fn port_consists_of_digits() {
        assert_eq!(parse_port("8081"), Some(8081));
        for text in ["", "+8081", " 8081", "65536", "80a"] {
            assert_eq!(parse_port(text), None, "{text}");
        }
    }
}
