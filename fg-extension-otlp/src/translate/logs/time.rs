//! Finds the time in the fields of a record.

use std::time::SystemTime;

use serde_json::{Map, Value};

use crate::translate::timestamps::{epoch_time, zoned_time};

/// The fields that contain a time, in order of precedence.
const KEYS: &[&str] = &[
    "time",
    "timestamp",
    "@timestamp",
    "ts",
    // Serilog
    "@t",
    // monolog
    "datetime",
    // log4j2
    "instant",
    "timeMillis",
    // zap's development mode, log15, MongoDB
    "t",
    // Python
    "asctime",
    "eventTime",
    "event_time",
    // OTLP/JSON
    "timeUnixNano",
    // journald
    "__REALTIME_TIMESTAMP",
];

/// The fields of a time that is an object: loguru, MongoDB.
const PARTS: &[&str] = &["timestamp", "$date"];
/// Seconds and nanoseconds: log4j2, Google Cloud.
const SECONDS_AND_NANOS: &[(&str, &str)] = &[("epochSecond", "nanoOfSecond"), ("seconds", "nanos")];

/// The object in which loguru puts its fields.
const CONTAINER: &str = "record";

/// Returns whether a field contains the time, as in logfmt.
pub(super) fn is_time_key(name: &str) -> bool {
    KEYS.iter().any(|key| key.eq_ignore_ascii_case(name))
}

/// Returns the time of a record. A time without a zone is ambiguous, and does not count.
pub(super) fn time_of_object(fields: &Map<String, Value>) -> Option<SystemTime> {
    let best = fields.iter().filter_map(|(name, value)| {
        let rank = KEYS.iter().position(|key| key.eq_ignore_ascii_case(name))?;
        Some((rank, time_of_value(value)?))
    });
    let container = || time_of_object(fields.get(CONTAINER)?.as_object()?);
    best.min_by_key(|(rank, _)| *rank)
        .map(|(_, time)| time)
        .or_else(container)
}

/// Returns the time of a text: a time with a zone, or a number.
pub(super) fn time_of_text(text: &str) -> Option<SystemTime> {
    let text = text.trim();
    zoned_time(text).or_else(|| epoch_time(text))
}

fn time_of_value(value: &Value) -> Option<SystemTime> {
    match value {
        Value::String(text) => time_of_text(text),
        Value::Number(number) => epoch_time(&number.to_string()),
        Value::Object(fields) => {
            let part = || {
                PARTS
                    .iter()
                    .find_map(|name| time_of_value(fields.get(*name)?))
            };
            let seconds = SECONDS_AND_NANOS.iter().find_map(|(seconds, nanos)| {
                let (seconds, nanos) = (
                    fields.get(*seconds)?.as_u64()?,
                    fields.get(*nanos)?.as_u64()?,
                );
                epoch_time(&format!("{seconds}.{nanos:09}"))
            });
            seconds.or_else(part)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use serde_json::{Value, json};

    use super::time_of_object;

    #[test]
    fn times_of_records_are_found() {
        let time = UNIX_EPOCH + Duration::from_millis(1_687_651_200_250);
        for fields in [
            json!({"time": 1_687_651_200_250_u64}),
            json!({"ts": 1_687_651_200.25}),
            json!({"time": "soon", "@timestamp": "2023-06-25T00:00:00.250Z"}),
            json!({"Timestamp": "2023-06-25 08:00:00.250 +08:00"}),
            json!({"T": "2023-06-25T00:00:00.250Z", "M": "text"}),
            json!({"timestamp": "1687651200.250"}),
            json!({"__REALTIME_TIMESTAMP": "1687651200250000"}),
            json!({"instant": {"epochSecond": 1_687_651_200, "nanoOfSecond": 250_000_000}}),
            json!({"t": {"$date": "2023-06-25T00:00:00.250+00:00"}}),
            json!({"text": "", "record": {"time": {"repr": "x", "timestamp": 1_687_651_200.25}}}),
            json!({"time": 1_687_651_200_250_u64, "timestamp": 1_600_000_000}),
        ] {
            assert_eq!(of(&fields), Some(time), "{fields}");
        }
        for fields in [
            json!({}),
            json!({"time": 153}),
            json!({"time": "2023-06-25 00:00:00"}),
            json!({"time": null, "elapsed": 1_687_651_200_250_u64}),
            json!({"time": {"epochSecond": "x"}}),
            json!({"record": "text"}),
        ] {
            assert_eq!(of(&fields), None, "{fields}");
        }
    }

    fn of(fields: &Value) -> Option<std::time::SystemTime> {
        time_of_object(fields.as_object().unwrap())
    }
}
