//! Values of settings, and the message about one that cannot be read.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::error::one_line;
use crate::{duration, size};

/// Returns the message about a setting: which value it has, what is wrong with it and what to write, in one line.
///
/// ```
/// assert_eq!(
///     fg_util::setting::invalid("FG_LOG", "loud", "is not a level", "write `warn`"),
///     "FG_LOG is `loud`, which is not a level: write `warn`"
/// );
/// ```
#[must_use]
pub fn invalid(name: &str, value: &str, problem: &str, hint: &str) -> String {
    one_line(&format!("{name} is `{value}`, which {problem}: {hint}"))
}

/// Parses a duration within a range.
///
/// # Errors
///
/// The message, if the value is not a duration, or out of range.
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
/// The message, if the value is not a size, or out of range.
pub fn parse_size(name: &str, value: &str, range: SizeRange) -> Result<usize, String> {
    size::parse(value)
        .and_then(|bytes| usize::try_from(bytes).ok())
        .filter(|bytes| range.bytes.contains(bytes))
        .ok_or_else(|| {
            let problem = format!("is not a size from {}", range.text);
            invalid(name, value, &problem, size::HINT)
        })
}

/// The sizes that a setting accepts.
#[derive(Clone, Debug)]
pub struct SizeRange {
    /// The number of bytes.
    pub bytes: RangeInclusive<usize>,
    /// The same for people, as in `1KB to 1GiB`.
    pub text: &'static str,
}

/// Parses a port number: digits only, since Rust's own parser accepts a `+` too. Returns `None` for any other text.
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
    fn range_is_part_of_the_message() {
        let range = Duration::from_millis(1)..=duration::MAX;
        let parse = |value| parse_duration("FG_REGISTER_TIMEOUT", value, range.clone());
        assert_eq!(parse("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(
            parse("0"),
            Err(
                "FG_REGISTER_TIMEOUT is `0`, which is not a duration from 1ms to 1h: \
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
                "FG_TELEMETRY_BUFFER is `10\\nTB`, which is not a size from 1KB to 1GiB: \
                 write it as `512KiB`, `4MiB` or `4194304`"
                    .to_owned()
            )
        );
    }

    #[test]
    fn ports_are_digits() {
        assert_eq!(parse_port("8081"), Some(8081));
        for text in ["", "+8081", " 8081", "65536", "80a"] {
            assert_eq!(parse_port(text), None, "{text}");
        }
    }
}
