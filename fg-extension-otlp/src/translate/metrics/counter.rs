//! A counter.

use std::time::SystemTime;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::NumberDataPoint;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;

use super::instrument::Aggregation;
use crate::translate::timestamps::unix_nanos;

/// A counter.
#[derive(Clone, Default)]
pub(super) struct Counter(u64);

impl Aggregation for Counter {
    type Value = u64;
    type Point = NumberDataPoint;

    fn record(&mut self, value: u64) {
        self.0 = self.0.saturating_add(value);
    }

    fn merge(&mut self, later: &Self) {
        self.record(later.0);
    }

    fn clear(&mut self) {
        self.0 = 0;
    }

    fn is_empty(&self) -> bool {
        self.0 == 0
    }

    fn point(
        &self,
        attributes: Vec<KeyValue>,
        start: SystemTime,
        time: SystemTime,
    ) -> NumberDataPoint {
        number_point(attributes, self.0, start, time)
    }
}

/// Creates a data point with a number.
pub(super) fn number_point(
    attributes: Vec<KeyValue>,
    value: u64,
    start: SystemTime,
    time: SystemTime,
) -> NumberDataPoint {
    NumberDataPoint {
        attributes,
        start_time_unix_nano: unix_nanos(start),
        time_unix_nano: unix_nanos(time),
        value: Some(Value::AsInt(i64::try_from(value).unwrap_or(i64::MAX))),
        ..NumberDataPoint::default()
    }
}
