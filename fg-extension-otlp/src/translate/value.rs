use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use serde_json::{Map, Value};

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

/// The same value; `null` is an empty one.
pub(super) fn any(json: Value) -> AnyValue {
    let value = match json {
        Value::Null => None,
        Value::Bool(bool) => Some(Any::BoolValue(bool)),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(int), _) => Some(Any::IntValue(int)),
            (None, Some(float)) => Some(Any::DoubleValue(float)),
            (None, None) => Some(Any::StringValue(number.to_string())),
        },
        Value::String(text) => Some(Any::StringValue(text)),
        Value::Array(values) => Some(Any::ArrayValue(ArrayValue {
            values: values.into_iter().map(any).collect(),
        })),
        Value::Object(fields) => Some(Any::KvlistValue(KeyValueList {
            values: fields
                .into_iter()
                .map(|(key, value)| attribute(key, value))
                .collect(),
        })),
    };
    AnyValue { value }
}

/// OTLP counts from 1970 to 2554; what is outside is at that end.
pub(super) fn nanos(time: SystemTime) -> u64 {
    let since_1970 = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use serde_json::json;

    use super::{Any, any, nanos};

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
    fn no_time_overflows() {
        assert_eq!(nanos(UNIX_EPOCH + Duration::from_nanos(7)), 7);
        assert_eq!(nanos(UNIX_EPOCH - Duration::from_secs(1)), 0);
        assert_eq!(nanos(UNIX_EPOCH + Duration::from_secs(1 << 40)), u64::MAX);
    }
}
