//! A histogram with explicit bucket bounds.

use std::time::SystemTime;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::HistogramDataPoint;

use super::instrument::Aggregation;
use crate::translate::timestamps::unix_nanos;

/// A histogram with explicit bucket bounds.
#[derive(Clone)]
pub(super) struct BucketHistogram {
    bounds: &'static [f64],
    /// The count of each bucket. There is one bucket more than there are bounds.
    counts: Vec<u64>,
    sum: f64,
    min: f64,
    max: f64,
}

impl BucketHistogram {
    pub(super) fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: vec![0; bounds.len() + 1],
            sum: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }
}

/// Returns the value, unless it is negative, infinite, or not a number.
pub(super) fn measured(value: f64) -> Option<f64> {
    Some(value).filter(|value| value.is_finite() && *value >= 0.0)
}

impl Aggregation for BucketHistogram {
    type Value = f64;
    type Point = HistogramDataPoint;

    fn record(&mut self, value: f64) {
        // Bounds are inclusive: a value equal to a bound belongs to the bucket below it.
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum += value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    fn merge(&mut self, later: &Self) {
        for (count, later) in self.counts.iter_mut().zip(&later.counts) {
            *count += later;
        }
        self.sum += later.sum;
        self.min = self.min.min(later.min);
        self.max = self.max.max(later.max);
    }

    fn clear(&mut self) {
        *self = Self::new(self.bounds);
    }

    fn is_empty(&self) -> bool {
        self.counts.iter().all(|count| *count == 0)
    }

    fn point(
        &self,
        attributes: Vec<KeyValue>,
        start: SystemTime,
        time: SystemTime,
    ) -> HistogramDataPoint {
        let has_values = !self.is_empty();
        HistogramDataPoint {
            attributes,
            start_time_unix_nano: unix_nanos(start),
            time_unix_nano: unix_nanos(time),
            count: self.counts.iter().sum(),
            sum: Some(self.sum),
            bucket_counts: self.counts.clone(),
            explicit_bounds: self.bounds.to_vec(),
            min: has_values.then_some(self.min),
            max: has_values.then_some(self.max),
            ..HistogramDataPoint::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn values_fall_into_buckets() {
        let mut histogram = BucketHistogram::new(&[1.0, 2.0]);
        let point =
            |histogram: &BucketHistogram| histogram.point(Vec::new(), UNIX_EPOCH, UNIX_EPOCH);
        let empty = point(&histogram);
        assert_eq!((empty.count, empty.sum, empty.min), (0, Some(0.0), None));
        for value in [0.5, 1.0, 1.5] {
            histogram.record(value);
        }
        let mut later = BucketHistogram::new(&[1.0, 2.0]);
        for value in [2.5, 7.0] {
            later.record(value);
        }
        histogram.merge(&later);
        let all = point(&histogram);
        assert_eq!(all.bucket_counts, [2, 1, 2]);
        assert_eq!(all.explicit_bounds, [1.0, 2.0]);
        assert_eq!((all.count, all.sum), (5, Some(12.5)));
        assert_eq!((all.min, all.max), (Some(0.5), Some(7.0)));
        assert_eq!(point(&later).min, Some(2.5));
        histogram.clear();
        assert_eq!(point(&histogram), empty);
    }

    #[test]
    fn values_that_are_no_measurement_are_left_out() {
        for value in [-1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(measured(value), None);
        }
        assert_eq!(measured(0.0), Some(0.0));
    }
}
