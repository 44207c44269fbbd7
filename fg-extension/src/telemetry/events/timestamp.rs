use std::time::{Duration, SystemTime};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A time as the platform wrote it, and what time that is.
///
/// The pages show text as in RFC 3339 (D 2711 to 2713). An offset from UTC, a blank for the `T` and a missing zone,
/// which is UTC then, are understood too, and so are numbers, which count from 1970: seconds, milliseconds,
/// microseconds or nanoseconds, by their size (?).
#[derive(Clone, Debug, PartialEq)]
pub struct Timestamp {
    time: Option<SystemTime>,
    /// A string, trimmed, or a number.
    raw: Value,
}

impl Timestamp {
    /// The time; nothing if the text is of a form that is not known.
    #[must_use]
    pub fn time(&self) -> Option<SystemTime> {
        self.time
    }

    /// What the platform wrote, trimmed, if it is a text; a number is none.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        self.raw.as_str()
    }

    /// What is neither text nor number is no time, and comes back.
    pub(crate) fn read(raw: Value) -> Result<Self, Value> {
        let time = match &raw {
            Value::String(text) => parse(text.trim()),
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
            .map_err(|_| D::Error::custom("a time is a text or a number"))
    }
}

fn parse(text: &str) -> Option<SystemTime> {
    if let Ok(number) = text.parse::<f64>() {
        return since_1970(number);
    }
    // RFC 3339 allows lower case, and ISO 8601 a comma.
    let text = text.to_ascii_uppercase().replace(',', ".");
    let (local, offset) = split_offset(&text)?;
    let time = humantime::parse_rfc3339_weak(local).ok()?;
    match offset {
        Offset::East(offset) => time.checked_sub(offset),
        Offset::West(offset) => time.checked_add(offset),
    }
}

enum Offset {
    East(Duration),
    West(Duration),
}

/// `…+08:00`, `…+0800` and `…+08`, without which a time is one of UTC.
fn split_offset(text: &str) -> Option<(&str, Offset)> {
    // Signs before that are those of the date.
    let date = "2006-01-02".len();
    let Some(sign) = text.get(date..)?.find(['+', '-']) else {
        return Some((text, Offset::East(Duration::ZERO)));
    };
    let (local, offset) = text.split_at(date + sign);
    let digits = offset[1..].replacen(':', "", 1);
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (u64, u64) = match digits.len() {
        2 => (digits.parse().ok()?, 0),
        4 => (digits[..2].parse().ok()?, digits[2..].parse().ok()?),
        _ => return None,
    };
    let duration = Duration::from_secs(hours * 3600 + minutes * 60);
    let offset = match offset.starts_with('+') {
        true => Offset::East(duration),
        false => Offset::West(duration),
    };
    (hours < 24 && minutes < 60).then_some((local.trim_end(), offset))
}

/// Seconds until the year 5138; a number that is larger counts something smaller.
fn since_1970(number: f64) -> Option<SystemTime> {
    let per_second = match number {
        ..1e11 => 1.0,
        ..1e14 => 1e3,
        ..1e17 => 1e6,
        _ => 1e9,
    };
    // A float counts a quarter of a microsecond at its finest: the rest of it is noise.
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
    fn forms_of_a_time() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_687_651_200_250);
        for raw in [
            json!("2023-06-25T00:00:00.25Z"),
            json!("  2023-06-25T00:00:00.250000Z "),
            json!("2023-06-25 00:00:00.250"),
            json!("2023-06-25T08:00:00.250+08:00"),
            json!("2023-06-24T20:30:00.250-0330"),
            json!("2023-06-25 08:00:00,250 +08"),
            json!("2023-06-25t00:00:00.25z"),
            json!("1687651200250"),
            json!(1_687_651_200_250_u64),
            json!(1_687_651_200.25),
            json!(1_687_651_200_250_000_u64),
            json!(1_687_651_200_250_000_000_u64),
        ] {
            let timestamp = Timestamp::read(raw.clone()).unwrap();
            assert_eq!(timestamp.time(), Some(time), "{raw}");
            let kept = raw.as_str().map_or(raw.clone(), |text| text.trim().into());
            assert_eq!(serde_json::to_value(timestamp).unwrap(), kept);
        }
    }

    #[test]
    fn text_of_no_known_form_is_kept() {
        for text in [
            "",
            "soon",
            "2023-06-25",
            "2023-06-25T00:00:00+",
            "2023-06-25T00:00:00+é",
            "2023-06-2é",
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
