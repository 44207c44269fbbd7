//! The limits for attributes (`OTEL_…_LIMIT`).

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

use crate::config::AttributeLimits;

impl AttributeLimits {
    /// Removes and shortens attributes, and returns how many it removed.
    ///
    /// If there are too many, those that the semantic conventions define are kept before those of the platform.
    pub(crate) fn apply(self, attributes: &mut Vec<KeyValue>) -> u32 {
        let mut dropped = 0;
        if let Some(count) = self.count
            && attributes.len() > count
        {
            dropped = u32::try_from(attributes.len() - count).unwrap_or(u32::MAX);
            // The sort is stable.
            attributes.sort_by_key(|attribute| attribute.key.starts_with("functiongraph."));
            attributes.truncate(count);
        }
        if let Some(length) = self.value_length {
            for value in attributes.iter_mut().filter_map(|it| it.value.as_mut()) {
                shorten(value, length);
            }
        }
        dropped
    }
}

/// Cuts each text in a value after this many characters. The nesting of values is bounded.
fn shorten(value: &mut AnyValue, length: usize) {
    match &mut value.value {
        Some(Value::StringValue(text)) => {
            if let Some((end, _)) = text.char_indices().nth(length) {
                text.truncate(end);
            }
        }
        Some(Value::BytesValue(bytes)) => bytes.truncate(length),
        Some(Value::ArrayValue(array)) => {
            for value in &mut array.values {
                shorten(value, length);
            }
        }
        Some(Value::KvlistValue(list)) => {
            for value in list.values.iter_mut().filter_map(|it| it.value.as_mut()) {
                shorten(value, length);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::translate::attribute;

    fn attributes() -> Vec<KeyValue> {
        vec![
            attribute("functiongraph.a", "größer"),
            attribute("faas.name", "hello"),
            attribute("functiongraph.b", json!([{"c": "größer", "d": 12345}])),
            attribute("faas.coldstart", true),
        ]
    }

    #[test]
    fn attributes_of_the_platform_are_dropped_first() {
        let mut limited = attributes();
        let limits = AttributeLimits {
            count: Some(3),
            value_length: None,
        };
        assert_eq!(limits.apply(&mut limited), 1);
        let keys: Vec<_> = limited.iter().map(|it| it.key.as_str()).collect();
        assert_eq!(keys, ["faas.name", "faas.coldstart", "functiongraph.a"]);
        assert_eq!(limits.apply(&mut limited), 0);
        let none = AttributeLimits {
            count: Some(0),
            value_length: None,
        };
        assert_eq!(none.apply(&mut limited), 3);
    }

    #[test]
    fn every_text_is_cut_after_whole_characters() {
        let mut limited = attributes();
        let limits = AttributeLimits {
            count: Some(4),
            value_length: Some(3),
        };
        assert_eq!(limits.apply(&mut limited), 0);
        assert_eq!(
            limited,
            [
                attribute("functiongraph.a", "grö"),
                attribute("faas.name", "hel"),
                attribute("functiongraph.b", json!([{"c": "grö", "d": 12345}])),
                attribute("faas.coldstart", true),
            ]
        );
        let mut unlimited = attributes();
        assert_eq!(AttributeLimits::default().apply(&mut unlimited), 0);
        assert_eq!(unlimited, attributes());
    }
}
