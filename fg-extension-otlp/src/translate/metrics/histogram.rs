//! A histogram with explicit bucket bounds.

use std::time::SystemTime;

use opentelemetry_proto::tonic::metrics::v1::HistogramDataPoint;

use crate::translate::timestamps::unix_nanos;

/// A histogram with explicit bucket bounds.
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

    /// Records a value. Ignores a value that is missing, negative, infinite, or not a number.
    pub(super) fn record(&mut self, value: Option<f64>) {
        let Some(value) = value.filter(|value| value.is_finite() && *value >= 0.0) else {
            return;
        };
        // Bounds are inclusive: a value equal to a bound belongs to the bucket below it.
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum += value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// Returns a data point, or `None` if no value was recorded.
    pub(super) fn point(&self, start: SystemTime, now: SystemTime) -> Option<HistogramDataPoint> {
        let count = self.counts.iter().sum();
        (count > 0).then(|| HistogramDataPoint {
            start_time_unix_nano: unix_nanos(start),
            time_unix_nano: unix_nanos(now),
            count,
            sum: Some(self.sum),
            bucket_counts: self.counts.clone(),
            explicit_bounds: self.bounds.to_vec(),
            min: Some(self.min),
            max: Some(self.max),
            ..HistogramDataPoint::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::BucketHistogram;

    #[test]
    fn values_fall_into_buckets() {
        let mut histogram = BucketHistogram::new(&[1.0, 2.0]);
        assert_eq!(histogram.point(UNIX_EPOCH, UNIX_EPOCH), None);
        for value in [0.5, 1.0, 1.5, 2.5, 7.0] {
            histogram.record(Some(value));
        }
        for value in [None, Some(-1.0), Some(f64::NAN), Some(f64::INFINITY)] {
            histogram.record(value);
        }
        let point = histogram.point(UNIX_EPOCH, UNIX_EPOCH).unwrap();
        assert_eq!(point.bucket_counts, [2, 1, 2]);
        assert_eq!(point.explicit_bounds, [1.0, 2.0]);
        assert_eq!((point.count, point.sum), (5, Some(12.5)));
        assert_eq!((point.min, point.max), (Some(0.5), Some(7.0)));
    }
}
