//! Times in logs and in OTLP.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fg_extension::Timestamp;
use serde_json::{Number, Value};

/// Parses a time with a zone, as in RFC 3339. Returns `None` if there is no zone, because the time would be ambiguous.
pub(super) fn zoned_time(text: &str) -> Option<SystemTime> {
    time(text.into())
}

/// Parses a number as a time since 1970. Returns `None` for times before 1973, because small numbers are not times.
pub(super) fn epoch_time(number: &Number) -> Option<SystemTime> {
    let min = UNIX_EPOCH + Duration::from_secs(100_000_000);
    time(number.clone().into()).filter(|time| *time >= min)
}

fn time(json: Value) -> Option<SystemTime> {
    serde_json::from_value(json).ok().map(Timestamp::time)
}

/// Converts a time to the nanoseconds since 1970 that OTLP uses. Times outside the range, 1970 to 2554, are clamped.
pub(super) fn unix_nanos(time: SystemTime) -> u64 {
    let since_1970 = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_unambiguous_times_are_parsed() {
        let time = Some(UNIX_EPOCH + Duration::from_millis(1_687_651_200_250));
        for text in [
            "2023-06-25T00:00:00.250Z",
            " 2023-06-25T08:00:00.250+08:00 ",
            "2023-06-24T20:30:00.250-03:30",
        ] {
            assert_eq!(zoned_time(text), time, "{text}");
        }
        for text in [
            "2023-06-25T00:00:00.250",
            "1687651200250",
            "2023-06-25",
            "é",
            "soon, or later",
        ] {
            assert_eq!(zoned_time(text), None, "{text}");
        }
        let number = |json: Value| epoch_time(json.as_number().unwrap());
        assert_eq!(number(json!(1_687_651_200_250_u64)), time);
        assert_eq!(number(json!(1_687_651_200.25)), time);
        assert_eq!(number(json!(5)), None);
        assert_eq!(number(json!(-5)), None);
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
