//! Formats floating-point numbers in log lines.

use std::fmt::{self, Debug, Formatter};

/// Formats a number with at most six decimals, such as `0.25` or `1.5e-9`.
///
/// It uses integer arithmetic. The standard library's exact algorithm would add 20 KB to every extension, even if it never
/// logs a number.
pub(super) struct Decimal(pub(super) f64);

/// The smallest and largest numbers that are written without an exponent. Larger ones have no decimals anyway.
const SMALLEST: f64 = 1e-3;
const LARGEST: f64 = 1e15;

const DECIMALS: f64 = 1e6;

impl Debug for Decimal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(number) = *self;
        if number.is_nan() {
            return f.write_str("NaN");
        }
        if number.is_sign_negative() {
            f.write_str("-")?;
        }
        let number = number.abs();
        if number.is_infinite() {
            return f.write_str("inf");
        }
        if number == 0.0 || (SMALLEST..LARGEST).contains(&number) {
            return write_decimal(f, number);
        }
        let (mut mantissa, mut exponent) = (number, 0_i32);
        while mantissa >= 10.0 {
            mantissa /= 10.0;
            exponent += 1;
        }
        while mantissa < 1.0 {
            mantissa *= 10.0;
            exponent -= 1;
        }
        write_decimal(f, mantissa)?;
        write!(f, "e{exponent}")
    }
}

/// Writes a number that is not negative and less than [`LARGEST`].
fn write_decimal(f: &mut Formatter<'_>, number: f64) -> fmt::Result {
    let mut integer = number as u64;
    let mut decimals = ((number - integer as f64) * DECIMALS + 0.5) as u64;
    if decimals >= DECIMALS as u64 {
        integer += 1;
        decimals = 0;
    }
    let mut digits = 6;
    while digits > 1 && decimals.is_multiple_of(10) {
        decimals /= 10;
        digits -= 1;
    }
    write!(f, "{integer}.{decimals:0digits$}")
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    #[test]
    fn numbers_have_at_most_six_decimals() {
        for (number, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.25, "0.25"),
            (-3.1, "-3.1"),
            (0.001, "0.001"),
            (1.0 / 3.0, "0.333333"),
            (2.0 / 3.0, "0.666667"),
            (0.999_999_9, "1.0"),
            (1234.0625, "1234.0625"),
            (999_999_999_999_999.0, "999999999999999.0"),
            (1e15, "1.0e15"),
            (1.5e-9, "1.5e-9"),
            (-2.5e300, "-2.5e300"),
            (f64::MAX, "1.797693e308"),
            (f64::MIN_POSITIVE, "2.225074e-308"),
            (5e-324, "4.940656e-324"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(format!("{:?}", Decimal(number)), expected);
        }
    }
}
