//! Converts JSON to OTLP attributes and values.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use serde_json::Value;

/// Creates an attribute from a key and a JSON value.
pub(crate) fn attribute(key: impl Into<String>, value: impl Into<Value>) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(any_value(value.into())),
        ..KeyValue::default()
    }
}

/// The maximum nesting depth of arrays and objects.
///
/// Collectors reject the whole request if a protobuf message in it is nested 100 levels deep, and each JSON object
/// takes three levels.
const MAX_DEPTH: usize = 16;

/// Converts a JSON value. `null` becomes an empty value, and an array or object that is nested too deeply becomes its
/// JSON text.
pub(super) fn any_value(json: Value) -> AnyValue {
    nested(MAX_DEPTH, json)
}

fn nested(depth: usize, json: Value) -> AnyValue {
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
                .map(|value| nested(depth - 1, value))
                .collect(),
        })),
        Value::Object(fields) => Some(Any::KvlistValue(KeyValueList {
            values: fields
                .into_iter()
                .map(|(key, value)| KeyValue {
                    key,
                    value: Some(nested(depth - 1, value)),
                    ..KeyValue::default()
                })
                .collect(),
        })),
    };
    AnyValue { value }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
    use prost::Message;
    use serde_json::{Value, json};

    use super::{Any, any_value, attribute};

    #[test]
    fn json_keeps_its_types() {
        assert_eq!(any_value(json!(null)).value, None);
        assert_eq!(any_value(json!(true)).value, Some(Any::BoolValue(true)));
        assert_eq!(any_value(json!(-7)).value, Some(Any::IntValue(-7)));
        assert_eq!(any_value(json!(0.5)).value, Some(Any::DoubleValue(0.5)));
        assert_eq!(
            any_value(json!(u64::MAX)).value,
            Some(Any::DoubleValue(u64::MAX as f64))
        );
        let Some(Any::KvlistValue(list)) = any_value(json!({"a": ["b", {}]})).value else {
            panic!("expected a list");
        };
        assert_eq!(list.values[0].key, "a");
        let Some(Any::ArrayValue(array)) = list.values[0].value.clone().unwrap().value else {
            panic!("expected an array");
        };
        assert_eq!(array.values[0].value, Some(Any::StringValue("b".into())));
        assert_eq!(array.values[1], any_value(json!({})));
    }

    #[test]
    fn request_with_deeply_nested_json_can_be_decoded() {
        type Nest = fn(Value) -> Value;
        let nests: [Nest; 2] = [|inner| json!({"a": inner}), |inner| json!([inner])];
        for nest in nests {
            let deep = (0..120).fold(json!("bottom"), |inner, _| nest(inner));
            let request = ExportLogsServiceRequest {
                resource_logs: vec![ResourceLogs {
                    scope_logs: vec![ScopeLogs {
                        log_records: vec![LogRecord {
                            attributes: vec![attribute("deep", deep.clone())],
                            body: Some(any_value(deep)),
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
            // The innermost value is still there.
            assert!(bytes.windows(6).any(|window| window == b"bottom"));
        }
    }
}
