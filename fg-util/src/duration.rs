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
        return "0s".to_owned();
    }
    if duration.subsec_nanos() == 0 && duration.as_secs().is_multiple_of(3600) {
        return format!("{}h", duration.as_secs() / 3600);
    }
    // `Debug` would use microseconds and nanoseconds, which `parse` does not accept, and it would make every extension larger.
    let (whole, fraction, unit) = match duration.as_secs() {
        0 => {
            let nanos = duration.subsec_nanos();
            let fraction = format!(".{:06}", nanos % 1_000_000);
            (u64::from(nanos / 1_000_000), fraction, "ms")
        }
        seconds => (seconds, format!(".{:09}", duration.subsec_nanos()), "s"),
    };
    let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
    format!("{whole}{fraction}{unit}")
}

/// Formats a duration, rounded down to milliseconds, as [`format`](fn@format) does.
#[must_use]
pub fn format_rounded(duration: Duration) -> String {
    format(Duration::new(
        duration.as_secs(),
        duration.subsec_millis() * 1_000_000,
    ))
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
    fn rounded_durations_have_whole_milliseconds() {
        for (micros, text) in [(999, "0s"), (1_999, "1ms"), (1_234_567, "1.234s")] {
            assert_eq!(format_rounded(Duration::from_micros(micros)), text);
        }
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
