//! Timestamps of telemetry events.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A timestamp, both in its original form and as a [`SystemTime`].
///
/// The pages show RFC 3339 strings (D 2711 to 2713), which may have any offset from UTC. A number is also accepted (?):
/// it is the time since the Unix epoch in seconds, milliseconds, microseconds or nanoseconds, depending on its
/// magnitude.
#[derive(Clone, Debug, PartialEq)]
pub struct Timestamp {
    time: Option<SystemTime>,
    /// A trimmed string or a number.
    raw: Value,
}

impl Timestamp {
    /// Returns the time, or `None` if the timestamp has an unknown format or is before 1970.
    #[must_use]
    pub fn time(&self) -> Option<SystemTime> {
        self.time
    }

    /// Returns the original string, trimmed, or `None` if the timestamp is a number.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        self.raw.as_str()
    }

    /// Reads a string or a number. Returns any other value unchanged, as an error.
    pub(crate) fn read(raw: Value) -> Result<Self, Value> {
        let time = match &raw {
            Value::String(text) => parse_rfc3339(text.trim()),
            Value::Number(number) => number.as_f64().and_then(since_1970),
            _ => return Err(raw),
        };
        Ok(Self {
            time,
            raw: super::trimmed(raw),
        })
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(Value::deserialize(deserializer)?)
            .map_err(|_| D::Error::custom("expected a time, as a string or a number"))
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

/// Converts a number to a time. Seconds are assumed up to the year 5138, and smaller units for larger numbers.
fn since_1970(number: f64) -> Option<SystemTime> {
    let per_second = match number {
        ..1e11 => 1.0,
        ..1e14 => 1e3,
        ..1e17 => 1e6,
        _ => 1e9,
    };
    // A float has a resolution of about a quarter of a microsecond here, so it is rounded to microseconds.
    let micros = (number / per_second * 1e6).round();
    let duration = Duration::try_from_secs_f64(micros / 1e6).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(
        u64::try_from(duration.as_micros()).ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use serde_json::{Value, json};

    use super::Timestamp;

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
            let timestamp = Timestamp::read(raw.clone()).unwrap();
            assert_eq!(timestamp.time(), Some(time), "{raw}");
            let expected = raw.as_str().map_or(raw.clone(), |text| text.trim().into());
            assert_eq!(serde_json::to_value(timestamp).unwrap(), expected);
        }
    }

    #[test]
    fn string_that_is_not_a_time_is_preserved() {
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
            let timestamp = Timestamp::read(text.into()).unwrap();
            assert_eq!((timestamp.time(), timestamp.as_str()), (None, Some(text)));
        }
        assert_eq!(Timestamp::read(Value::Null), Err(Value::Null));
        assert!(serde_json::from_value::<Timestamp>(Value::Null).is_err());
        assert!(serde_json::from_value::<Timestamp>("soon".into()).is_ok());
    }
}
