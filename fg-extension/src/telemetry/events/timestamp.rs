//! Timestamps of telemetry events.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

use serde::de::{self, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use crate::json;

/// A timestamp, deserialized from a string or a number.
///
/// The page shows RFC 3339 strings (D 2713), which may have any offset from UTC. A number is also accepted (?):
/// it is the time since the Unix epoch in seconds, milliseconds, microseconds or nanoseconds, depending on its
/// magnitude. Other formats, and times before 1970, cannot be deserialized.
///
/// ```
/// use fg_extension::{TelemetryEvent, Timestamp};
///
/// let event: TelemetryEvent = serde_json::from_str(
///     r#"{"name": "platform.start", "queuedAt": "2023-06-25T08:00:00.250+08:00"}"#,
/// )?;
/// let queued_at: Option<Timestamp> = event.field("queuedAt");
/// assert!(queued_at.is_some_and(|queued_at| queued_at.time() < std::time::SystemTime::now()));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(SystemTime);

impl Timestamp {
    /// Returns the time.
    #[must_use]
    pub fn time(self) -> SystemTime {
        self.0
    }
}

/// Parses the JSON of a timestamp.
pub(super) fn parse(json: &str) -> Option<SystemTime> {
    match json::text(json) {
        Some(text) => parse_rfc3339(text.trim()),
        None => since_1970(json),
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimestampVisitor)
    }
}

struct TimestampVisitor;

impl Visitor<'_> for TimestampVisitor {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time in RFC 3339 format or a number")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
        let time = parse_rfc3339(text.trim());
        time.map(Timestamp)
            .ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Timestamp, E> {
        // The shortest text that stands for the number is what was written, up to 15 digits.
        let time = since_1970(&number.to_string());
        time.map(Timestamp)
            .ok_or_else(|| E::invalid_value(Unexpected::Float(number), &self))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Timestamp, E> {
        let time = since_1970(&number.to_string());
        time.map(Timestamp)
            .ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Timestamp, E> {
        let time = since_1970(&number.to_string());
        time.map(Timestamp)
            .ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
    }
}

/// Parses an RFC 3339 time with `Z` or an offset, in upper or lower case.
fn parse_rfc3339(text: &str) -> Option<SystemTime> {
    let text = match text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        true => Cow::Owned(text.to_ascii_uppercase()),
        false => Cow::Borrowed(text),
    };
    if text.ends_with('Z') {
        return humantime::parse_rfc3339(&text).ok();
    }
    let (local, offset) = text.split_at_checked(text.len().checked_sub("+00:00".len())?)?;
    let time = humantime::parse_rfc3339(&format!("{local}Z")).ok()?;
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let offset_of = |hours, minutes| Duration::from_secs(hours * 3600 + minutes * 60);
    let distance = offset_of(two_digits(hours, 23)?, two_digits(minutes, 59)?);
    match offset.as_bytes()[0] {
        b'+' => time.checked_sub(distance),
        b'-' => time.checked_add(distance),
        _ => None,
    }
}

fn two_digits(text: &str, max: u64) -> Option<u64> {
    let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = is_number.then(|| text.parse().ok())??;
    (number <= max).then_some(number)
}

/// Converts the text of a number to a time.
fn since_1970(number: &str) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(fg_util::epoch::parse(number)?)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use serde_json::json;

    use super::{Timestamp, parse};

    #[test]
    fn strings_and_numbers_are_parsed() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_687_651_200_250);
        for raw in [
            json!("2023-06-25T00:00:00.25Z"),
            json!("  2023-06-25T00:00:00.250000Z "),
            json!("2023-06-25T08:00:00.250+08:00"),
            json!("2023-06-24T20:30:00.250-03:30"),
            json!("2023-06-25T00:00:00.25-00:00"),
            json!("2023-06-25t00:00:00.25z"),
            json!("2023-06-25t08:00:00.25+08:00"),
            json!(1_687_651_200_250_u64),
            json!(1_687_651_200.25),
            json!(1_687_651_200_250_000_u64),
            json!(1_687_651_200_250_000_000_u64),
        ] {
            assert_eq!(parse(&raw.to_string()), Some(time), "{raw}");
            let timestamp: Timestamp = serde_json::from_value(raw).unwrap();
            assert_eq!(timestamp.time(), time);
        }
    }

    #[test]
    fn numbers_are_exact() {
        for nanos in (0..1_000).map(|index| 1_675_209_830_100_000_000 + index * 7_919_000_003_u64) {
            let millis = nanos / 1_000_000;
            let time = Some(SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
            assert_eq!(parse(&millis.to_string()), time);
            let timestamp: Timestamp = serde_json::from_value(millis.into()).unwrap();
            assert_eq!(Some(timestamp.time()), time);
            // A float keeps the microseconds.
            let micros = nanos / 1_000;
            let time = SystemTime::UNIX_EPOCH + Duration::from_micros(micros);
            let seconds = format!("{}.{:06}", micros / 1_000_000, micros % 1_000_000);
            assert_eq!(parse(&seconds), Some(time), "{seconds}");
            let timestamp: Timestamp = serde_json::from_str(&seconds).unwrap();
            assert_eq!(timestamp.time(), time, "{seconds}");
        }
    }

    #[test]
    fn other_values_are_not_times() {
        for text in [
            "",
            "soon",
            "2023-06-25",
            // Other forms of ISO 8601: a space instead of the `T`, no offset, a comma, a short offset.
            "2023-06-25 00:00:00.250Z",
            "2023-06-25T00:00:00.250",
            "2023-06-25T00:00:00,250Z",
            "2023-06-25T08:00:00.250+0800",
            "2023-06-25T08:00:00.250+08",
            "2023-06-25T08:00:00.250 +08:00",
            "1687651200250",
            "2023-06-25T00:00:00+",
            "2023-06-25T00:00:00+\u{e9}",
            "2023-06-25T00:00:00+\u{e9}:00",
            "2023-06-25T00:00:00\u{e9}8:00",
            "2023-06-25T00:00:00.25+00:00+08:00",
            "2023-06-2\u{e9}",
            "2023-06-25T00:00:00*08:00",
            "2023-06-25T00:00:00+-1:00",
            "-1",
            "nan",
            "1e300",
            "2023-13-45T00:00:00Z",
            "2023-06-25T00:00:00+99:99999999999999999999",
            "2023-06-25T00:00:00+00:18446744073709551615",
            "2023-06-25T00:00:00+24:00",
            "2023-06-25T00:00:00+08:60",
        ] {
            assert_eq!(parse(&json!(text).to_string()), None, "{text}");
            assert!(serde_json::from_value::<Timestamp>(text.into()).is_err());
        }
        for json in [
            "null",
            "true",
            "{}",
            "[]",
            "-1",
            "1e30",
            "1e999",
            r#""\ud800""#,
        ] {
            assert_eq!(parse(json), None, "{json}");
            assert!(serde_json::from_str::<Timestamp>(json).is_err(), "{json}");
        }
    }
}
