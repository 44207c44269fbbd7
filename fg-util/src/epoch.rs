//! Parsing of times that are numbers, such as `1687651200` and `1687651200250`.

use std::time::Duration;

/// The maximum number of digits that are used. More digits do not change the nanoseconds.
const MAX_DIGITS: u32 = 30;

/// Parses a decimal number, in the syntax of JSON, as the time since 1970.
///
/// The unit is seconds up to the year 5138, and milliseconds, microseconds, or nanoseconds for larger numbers. The result is
/// exact, and rounded down to nanoseconds: a floating-point number of this size would be wrong by up to a quarter of a
/// microsecond. Returns `None` if the text is not a number, is negative, or is too large.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    if whole.is_empty() || fraction.is_empty() {
        return None;
    }
    // The number is `digits * 10^scale`.
    let (mut digits, mut used, mut scale) = (0_u128, 0, exponent);
    for (index, byte) in whole.bytes().chain(fraction.bytes()).enumerate() {
        let digit = byte.is_ascii_digit().then(|| u128::from(byte - b'0'))?;
        let is_whole = index < whole.len();
        if used == MAX_DIGITS {
            scale = scale.checked_add(i32::from(is_whole))?;
            continue;
        }
        digits = digits * 10 + digit;
        used += u32::from(digits != 0);
        scale = scale.checked_sub(i32::from(!is_whole))?;
    }
    let whole_digits = i64::from(used) + i64::from(scale);
    let nanos_per_unit = match whole_digits {
        ..=11 => 9,
        12..=14 => 6,
        15..=17 => 3,
        _ => 0,
    };
    let scale = scale.checked_add(nanos_per_unit)?;
    let power = 10_u128.checked_pow(scale.unsigned_abs());
    let nanos = match (scale >= 0, power) {
        _ if digits == 0 => 0,
        (true, power) => digits.checked_mul(power?)?,
        (false, Some(power)) => digits / power,
        (false, None) => 0,
    };
    let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
    let nanos = u32::try_from(nanos % 1_000_000_000).ok()?;
    Some(Duration::new(seconds, nanos))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse;

    #[test]
    fn unit_depends_on_the_magnitude() {
        for (text, nanos) in [
            ("0", 0),
            ("5", 5_000_000_000),
            ("1687651200", 1_687_651_200_000_000_000),
            ("1687651200.25", 1_687_651_200_250_000_000),
            ("1687651200250", 1_687_651_200_250_000_000),
            ("1687651200250000", 1_687_651_200_250_000_000),
            ("1687651200250000001", 1_687_651_200_250_000_001),
            ("1675209830100", 1_675_209_830_100_000_000),
            ("1675209830.123456", 1_675_209_830_123_456_000),
            ("1675209830.123456789", 1_675_209_830_123_456_789),
            ("1675209830.1234567899", 1_675_209_830_123_456_789),
            ("1675209830100.25", 1_675_209_830_100_250_000),
            ("1675209830123456.789", 1_675_209_830_123_456_789),
            ("1.68765120025e12", 1_687_651_200_250_000_000),
            ("1.68765120025E+9", 1_687_651_200_250_000_000),
            ("16876512002.5e-1", 1_687_651_200_250_000_000),
            ("0.000000000001", 0),
            ("1e-999999999", 0),
            ("99999999999", 99_999_999_999_000_000_000),
            ("100000000000", 100_000_000_000_000_000),
        ] {
            let expected = Duration::new(
                (nanos / 1_000_000_000_u128) as u64,
                (nanos % 1_000_000_000) as u32,
            );
            assert_eq!(parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_texts_are_not_numbers() {
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "e5",
            "1e",
            "1e5.0",
            "1x",
            " 1",
            "0x1",
            "nan",
            "inf",
            "null",
            "1e300",
            "1e999999999999",
            "1e2147483647",
            "1_0",
            "١",
            "99999999999999999999999999999999999999999999",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_number_is_exact() {
        // A linear congruential generator, so that the numbers are the same in each run.
        let mut state = 42_u64;
        for _ in 0..10_000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            // From 2001 to 2096.
            let nanos = 1_000_000_000_000_000_000 + state % 3_000_000_000_000_000_000;
            let expected = |unit: u64| Some(Duration::from_nanos(nanos / unit * unit));
            for unit in [1, 1_000, 1_000_000, 1_000_000_000] {
                assert_eq!(
                    parse(&(nanos / unit).to_string()),
                    expected(unit),
                    "{nanos} / {unit}"
                );
                let (whole, fraction) = (nanos / unit, nanos % unit);
                let digits = unit.ilog10() as usize;
                if digits > 0 {
                    let text = format!("{whole}.{fraction:0digits$}");
                    assert_eq!(parse(&text), expected(1), "{text}");
                }
            }
        }
    }
}
