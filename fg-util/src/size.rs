//! Parsing of sizes such as `4194304`, `512KiB`, `1.5MiB` and `4MB`.

/// The hint at the end of an error message about an invalid size.
pub const HINT: &str = "write it as `512KiB`, `4MiB` or `4194304`";

/// Parses a size in bytes, or in `KB`, `KiB`, `MB`, `MiB`, `GB` or `GiB`, in upper or lower case.
///
/// The result is rounded down to whole bytes. Returns `None` if the string is not a size.
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text);
    let unit: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "kib" => 1 << 10,
        "mb" => 1_000_000,
        "mib" => 1 << 20,
        "gb" => 1_000_000_000,
        "gib" => 1 << 30,
        _ => return None,
    };
    multiply(number, unit)
}

/// Multiplies a decimal number, such as `1.5`, with the size of its unit. The product is rounded down.
///
/// Returns `None` if the string is not a number, or if the product does not fit. The standard library's parser for
/// floating-point numbers would add 20 KB to every extension.
pub(crate) fn multiply(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let product = match whole {
        "" => 0,
        _ => whole.parse::<u64>().ok()?.checked_mul(unit)?,
    };
    // From the last digit to the first: to round down after each digit is the same as to round down once.
    let fraction = fraction.chars().rev().try_fold(0, |product: u64, digit| {
        let digit = u64::from(digit.to_digit(10)?);
        Some(digit.checked_mul(unit)?.checked_add(product)? / 10)
    })?;
    product.checked_add(fraction)
}

/// Splits a string into the number at its start and the unit after it.
///
/// The number contains only digits and points, while [`str::parse`] would also accept signs, exponents and `inf`.
pub(crate) fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    (number, unit.trim_start())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn number_with_unit_is_parsed() {
        for (text, bytes) in [
            ("0", 0),
            ("4194304", 4_194_304),
            ("1b", 1),
            ("512KiB", 524_288),
            ("1.5MiB", 1_572_864),
            ("4 MB", 4_000_000),
            ("4mib", 4_194_304),
            ("1GB", 1_000_000_000),
            ("1GiB", 1 << 30),
            ("0.3", 0),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse(text), Some(bytes), "{text}");
        }
        for text in [
            "",
            "MB",
            ".MB",
            "-1",
            "+1",
            "1e3",
            "1.2.3MB",
            "4 M",
            "4 TB",
            "18446744073709551616",
            "18446744073709551615KB",
            "99999999999999999999.5GB",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
