use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fg_extension::Timestamp;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use serde_json::{Map, Number, Value};

pub(super) fn attribute(key: impl Into<String>, value: impl Into<Value>) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(any(value.into())),
        ..KeyValue::default()
    }
}

pub(super) fn attributes(fields: &Map<String, Value>) -> impl Iterator<Item = KeyValue> {
    fields
        .iter()
        .map(|(key, value)| attribute(key, value.clone()))
}

/// How deep arrays and objects are kept. Collectors refuse a whole request for a message that is 100 deep, and an object
/// is three messages.
const DEPTH: usize = 16;

/// The same value; `null` is an empty one, and what lies too deep is its text.
pub(super) fn any(json: Value) -> AnyValue {
    within(DEPTH, json)
}

fn within(depth: usize, json: Value) -> AnyValue {
    let value = match json {
        Value::Array(_) | Value::Object(_) if depth == 0 => {
            Some(Any::StringValue(json.to_string()))
        }
        Value::Null => None,
        Value::Bool(bool) => Some(Any::BoolValue(bool)),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(int), _) => Some(Any::IntValue(int)),
            (None, Some(float)) => Some(Any::DoubleValue(float)),
            (None, None) => Some(Any::StringValue(number.to_string())),
        },
        Value::String(text) => Some(Any::StringValue(text)),
        Value::Array(values) => Some(Any::ArrayValue(ArrayValue {
            values: values
                .into_iter()
                .map(|value| within(depth - 1, value))
                .collect(),
        })),
        Value::Object(fields) => Some(Any::KvlistValue(KeyValueList {
            values: fields
                .into_iter()
                .map(|(key, value)| KeyValue {
                    key,
                    value: Some(within(depth - 1, value)),
                    ..KeyValue::default()
                })
                .collect(),
        })),
    };
    AnyValue { value }
}

/// The time that a text tells; nothing without a zone, as it could be that of any.
pub(super) fn zoned(text: &str) -> Option<SystemTime> {
    let behind_the_date = text.trim().get("2006-01-02".len()..)?;
    let has_zone = behind_the_date.contains(['Z', 'z', '+', '-']);
    has_zone.then(|| time(text.into()))?
}

/// The time that a number counts, from 1973 on: a smaller one is no time.
pub(super) fn counted(number: &Number) -> Option<SystemTime> {
    let least = UNIX_EPOCH + Duration::from_secs(100_000_000);
    time(number.clone().into()).filter(|time| *time >= least)
}

fn time(json: Value) -> Option<SystemTime> {
    serde_json::from_value::<Timestamp>(json).ok()?.time()
}

/// OTLP counts from 1970 to 2554; what is outside is at that end.
pub(super) fn nanos(time: SystemTime) -> u64 {
    let since_1970 = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
    use prost::Message;
    use serde_json::{Value, json};

    use super::{Any, any, attribute, counted, nanos, zoned};

    #[test]
    fn json_keeps_its_types() {
        assert_eq!(any(json!(null)).value, None);
        assert_eq!(any(json!(true)).value, Some(Any::BoolValue(true)));
        assert_eq!(any(json!(-7)).value, Some(Any::IntValue(-7)));
        assert_eq!(any(json!(0.5)).value, Some(Any::DoubleValue(0.5)));
        assert_eq!(
            any(json!(u64::MAX)).value,
            Some(Any::DoubleValue(u64::MAX as f64))
        );
        let Some(Any::KvlistValue(list)) = any(json!({"a": ["b", {}]})).value else {
            panic!("no list");
        };
        assert_eq!(list.values[0].key, "a");
        let Some(Any::ArrayValue(array)) = list.values[0].value.clone().unwrap().value else {
            panic!("no array");
        };
        assert_eq!(array.values[0].value, Some(Any::StringValue("b".into())));
        assert_eq!(array.values[1], any(json!({})));
    }

    #[test]
    fn a_request_with_deep_json_can_be_decoded() {
        type Nest = fn(Value) -> Value;
        let nests: [Nest; 2] = [|inner| json!({"a": inner}), |inner| json!([inner])];
        for nest in nests {
            let deep = (0..120).fold(json!("bottom"), |inner, _| nest(inner));
            let request = ExportLogsServiceRequest {
                resource_logs: vec![ResourceLogs {
                    scope_logs: vec![ScopeLogs {
                        log_records: vec![LogRecord {
                            attributes: vec![attribute("deep", deep.clone())],
                            body: Some(any(deep)),
                            ..LogRecord::default()
                        }],
                        ..ScopeLogs::default()
                    }],
                    ..ResourceLogs::default()
                }],
            };
            let bytes = request.encode_to_vec();
            assert_eq!(
                ExportLogsServiceRequest::decode(&bytes[..]).unwrap(),
                request
            );
            // Nothing of it is missing.
            assert!(bytes.windows(6).any(|window| window == b"bottom"));
        }
    }

    #[test]
    fn times_that_are_certain() {
        let time = Some(UNIX_EPOCH + Duration::from_millis(1_687_651_200_250));
        for text in [
            "2023-06-25T00:00:00.250Z",
            " 2023-06-25T08:00:00.250+08:00 ",
            "2023-06-24T20:30:00.250-03:30",
        ] {
            assert_eq!(zoned(text), time, "{text}");
        }
        for text in [
            "2023-06-25T00:00:00.250",
            "1687651200250",
            "2023-06-25",
            "é",
            "soon, or later",
        ] {
            assert_eq!(zoned(text), None, "{text}");
        }
        let number = |json: Value| counted(json.as_number().unwrap());
        assert_eq!(number(json!(1_687_651_200_250_u64)), time);
        assert_eq!(number(json!(1_687_651_200.25)), time);
        assert_eq!(number(json!(5)), None);
        assert_eq!(number(json!(-5)), None);
    }

    #[test]
    fn no_time_overflows() {
        assert_eq!(nanos(UNIX_EPOCH + Duration::from_nanos(7)), 7);
        assert_eq!(nanos(UNIX_EPOCH - Duration::from_secs(1)), 0);
        assert_eq!(nanos(UNIX_EPOCH + Duration::from_secs(1 << 40)), u64::MAX);
    }
}
