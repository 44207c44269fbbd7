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
    if let Ok(number) = number.parse::<u64>() {
        return number.checked_mul(unit);
    }
    // Without a point, it is an integer that is too large, which must not be rounded.
    let bytes = number.contains('.').then(|| number.parse::<f64>().ok())?? * unit as f64;
    (bytes < u64::MAX as f64).then_some(bytes as u64)
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
