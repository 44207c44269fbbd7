//! Times in logs and in OTLP.

use std::time::{SystemTime, UNIX_EPOCH};

use fg_extension::Timestamp;
use fg_util::epoch;
use serde_json::Value;

/// Parses a time with a zone, in RFC 3339 and in the formats that loggers and servers derive from it:
///
/// - `2023-06-25T00:00:00.250Z`
/// - `2023-06-25 00:00:00,250 +0800`
/// - `2023/06/25 00:00:00 UTC`
/// - `25/Jun/2023:00:00:00 +0000`
///
/// Returns `None` if there is no zone, because the time would be ambiguous, and for times outside of [`PLAUSIBLE`], because
/// `1970-01-01` and `9999-12-31` stand for no time.
pub(super) fn zoned_time(text: &str) -> Option<SystemTime> {
    let json = Value::String(rfc_3339(text.trim())?);
    let time = serde_json::from_value(json).ok().map(Timestamp::time)?;
    let since_1970 = time.duration_since(UNIX_EPOCH).ok()?;
    PLAUSIBLE.contains(&since_1970.as_secs()).then_some(time)
}

/// Parses a number as the time since 1970, in seconds or a smaller unit. Returns `None` for times outside of [`PLAUSIBLE`],
/// because small numbers are not times.
pub(super) fn epoch_time(number: &str) -> Option<SystemTime> {
    let since_1970 = epoch::parse(number)?;
    let is_plausible = PLAUSIBLE.contains(&since_1970.as_secs());
    is_plausible.then(|| UNIX_EPOCH + since_1970)
}

/// The seconds since 1970 that can be the time of a log record: from 2001 to 2100.
const PLAUSIBLE: std::ops::Range<u64> = 1_000_000_000..4_102_444_800;

/// Converts a time to the nanoseconds since 1970 that OTLP uses. Times outside the range, 1970 to 2554, are clamped.
pub(super) fn unix_nanos(time: SystemTime) -> u64 {
    let since_1970 = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX)
}

/// The longest time that is parsed, in bytes.
const MAX_TIME_BYTES: usize = 64;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Converts a time with a zone to RFC 3339. It can still be invalid, such as the 30th of February.
fn rfc_3339(text: &str) -> Option<String> {
    if text.len() > MAX_TIME_BYTES {
        return None;
    }
    let (year, month, day, rest) = date(text)?;
    let rest = rest.strip_prefix(['T', 't', ' ', ':', '_'])?.trim_start();
    let (clock, rest) = rest.split_at_checked("00:00:00".len())?;
    let mut time = format!("{year}-{month}-{day}T{clock}");
    let rest = match rest.strip_prefix(['.', ',']) {
        Some(fraction) => {
            let len = Some(digits_len(fraction)).filter(|len| *len > 0)?;
            time.push('.');
            time.push_str(&fraction[..len.min(9)]);
            &fraction[len..]
        }
        None => rest,
    };
    match rest.trim_start() {
        "Z" | "z" | "UTC" | "GMT" => time.push('Z'),
        offset => {
            let digits = offset.strip_prefix(['+', '-'])?;
            let (hours, minutes) = digits.split_at_checked(2)?;
            let minutes = minutes.strip_prefix(':').unwrap_or(minutes);
            time.push_str(&offset[..1]);
            time.push_str(hours);
            time.push(':');
            time.push_str(if minutes.is_empty() { "00" } else { minutes });
        }
    }
    Some(time)
}

/// Splits off a date: the year, the month, the day, and what follows.
fn date(text: &str) -> Option<(&str, String, &str, &str)> {
    let (first, rest) = text.split_at_checked(digits_len(text))?;
    let separator = rest
        .chars()
        .next()
        .filter(|char| matches!(char, '-' | '/'))?;
    let (second, rest) = rest[1..].split_once(separator)?;
    let (third, rest) = rest.split_at_checked(digits_len(rest))?;
    match (first.len(), second.len(), third.len()) {
        (4, 2, 2) => Some((first, second.to_owned(), third, rest)),
        (2, 3, 4) => {
            let month = MONTHS.iter().position(|month| *month == second)? + 1;
            Some((third, format!("{month:02}"), first, rest))
        }
        _ => None,
    }
}

fn digits_len(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_unambiguous_times_are_parsed() {
        let time = Some(UNIX_EPOCH + Duration::from_millis(1_687_651_200_250));
        for text in [
            "2023-06-25T00:00:00.250Z",
            " 2023-06-25T08:00:00.250+08:00 ",
            "2023-06-24T20:30:00.250-03:30",
            "2023-06-25t00:00:00.250z",
            "2023-06-25 00:00:00.25Z",
            "2023-06-25 00:00:00,250 +0000",
            "2023-06-25T08:00:00,250+0800",
            "2023-06-25T08:00:00.250+08",
            "2023/06/25 00:00:00.250000 UTC",
            "2023-06-25 00:00:00.2500000004Z",
            "25/Jun/2023:00:00:00.250 +0000",
            "25-Jun-2023 00:00:00.250 UTC",
        ] {
            assert_eq!(zoned_time(text), time, "{text}");
        }
        for text in [
            "",
            "2023-06-25T00:00:00.250",
            "2023-06-25 00:00:00 CST",
            "1687651200250",
            "2023-06-25",
            "2023-06-25T",
            "2023-06-25T00:00:00.Z",
            "2023-06-31T00:00:00Z",
            "25/Jux/2023:00:00:00 +0000",
            "0001-01-01T00:00:00Z",
            "1970-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "2023-06-25T00:00:00+08:000",
            "2023-06-25T00:00:00Z and more",
            "2023-é6-25T00:00:00Z",
            "2023-06-25T00:é0:00Z",
            "é",
            "soon, or later",
            &format!("2023-06-25T00:00:00.{}Z", "0".repeat(100)),
        ] {
            assert_eq!(zoned_time(text), None, "{text}");
        }
    }

    #[test]
    fn plausible_numbers_are_times() {
        let time = Some(UNIX_EPOCH + Duration::from_millis(1_687_651_200_250));
        for number in [
            "1687651200250",
            "1687651200.25",
            "1687651200250000",
            "1687651200250000000",
        ] {
            assert_eq!(epoch_time(number), time, "{number}");
        }
        for number in [
            "5",
            "-5",
            "999999999",
            "4102444800",
            "153000000",
            "20230625",
            "20230625000000",
            "x",
            "",
        ] {
            assert_eq!(epoch_time(number), None, "{number}");
        }
    }

    #[test]
    fn times_out_of_range_are_clamped() {
        assert_eq!(unix_nanos(UNIX_EPOCH + Duration::from_nanos(7)), 7);
        assert_eq!(unix_nanos(UNIX_EPOCH - Duration::from_secs(1)), 0);
        assert_eq!(
            unix_nanos(UNIX_EPOCH + Duration::from_secs(1 << 40)),
            u64::MAX
        );
    }
}
