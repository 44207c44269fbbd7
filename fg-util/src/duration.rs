//! Parsing and formatting of durations such as `500ms`, `10s`, `1.5s`, `1m` and `1h`.

use std::time::Duration;

/// The longest duration that a setting or an argument accepts: one hour.
pub const MAX: Duration = Duration::from_secs(3600);

/// The hint at the end of an error message about an invalid duration.
pub const HINT: &str = "write it as `500ms`, `10s` or `1m`";

/// Parses a duration. A number without a unit counts seconds, as in the platform's `RUNTIME_TIMEOUT`.
///
/// Returns `None` if the string is not a duration, or if the duration is longer than [`MAX`].
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let (number, unit) = crate::size::split_unit(text);
    read(number, if unit.is_empty() { "s" } else { unit })
}

/// Parses a duration that must have a unit.
///
/// Returns `None` if the string is not a duration, if it has no unit, or if the duration is longer than [`MAX`].
#[must_use]
pub fn parse_with_unit(text: &str) -> Option<Duration> {
    let (number, unit) = crate::size::split_unit(text);
    read(number, unit)
}

/// Formats a duration so that [`parse`] can read it. Zero is formatted as `0s`.
#[must_use]
pub fn format(duration: Duration) -> String {
    if duration.is_zero() {
        "0s".to_owned()
    } else if duration.subsec_nanos() == 0 && duration.as_secs().is_multiple_of(3600) {
        format!("{}h", duration.as_secs() / 3600)
    } else if duration < Duration::from_millis(1) {
        // `Debug` would use microseconds or nanoseconds, which `parse` does not accept.
        let milliseconds = format!("0.{:06}", duration.subsec_nanos());
        format!("{}ms", milliseconds.trim_end_matches('0'))
    } else {
        format!("{duration:?}")
    }
}

fn read(number: &str, unit: &str) -> Option<Duration> {
    const SECOND_IN_PICOSECONDS: u64 = 1_000_000_000_000;
    let unit = match unit {
        "ms" => SECOND_IN_PICOSECONDS / 1000,
        "s" => SECOND_IN_PICOSECONDS,
        "m" => 60 * SECOND_IN_PICOSECONDS,
        "h" => 3600 * SECOND_IN_PICOSECONDS,
        _ => return None,
    };
    let picoseconds = crate::size::multiply(number, unit)?;
    // Rounded to the nearest nanosecond.
    let duration = Duration::from_nanos(picoseconds.checked_add(500)? / 1000);
    (duration <= MAX).then_some(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_with_unit_is_parsed() {
        for (text, millis) in [
            ("0s", 0),
            ("1ms", 1),
            ("0.5s", 500),
            ("1.5s", 1_500),
            ("2 s", 2_000),
            ("1m", 60_000),
            ("1h", 3_600_000),
        ] {
            let duration = Some(Duration::from_millis(millis));
            assert_eq!(parse(text), duration, "{text}");
            assert_eq!(parse_with_unit(text), duration, "{text}");
        }
        for text in [
            "", "s", ".s", "61m", "2h", "-1s", "+1s", "1e3s", "1min", "1d", "1.2.3s", "1S", "s1",
            "nan", "inf",
        ] {
            assert_eq!(parse(text), None, "{text}");
            assert_eq!(parse_with_unit(text), None, "{text}");
        }
    }

    #[test]
    fn number_without_unit_counts_seconds() {
        assert_eq!(parse("2"), Some(Duration::from_secs(2)));
        assert_eq!(parse("0.25"), Some(Duration::from_millis(250)));
        assert_eq!(parse_with_unit("2"), None);
    }

    #[test]
    fn formatted_durations_can_be_parsed() {
        for (micros, text) in [
            (0, "0s"),
            (1, "0.001ms"),
            (500, "0.5ms"),
            (1_000, "1ms"),
            (20_500, "20.5ms"),
            (1_500_000, "1.5s"),
            (60_000_000, "60s"),
            (3_600_000_000, "1h"),
        ] {
            let duration = Duration::from_micros(micros);
            assert_eq!(format(duration), text);
            assert_eq!(parse(text), Some(duration));
        }
    }
}
