use std::time::SystemTime;

use fg_extension::TelemetryCounters;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Histogram as HistogramData, HistogramDataPoint, Metric,
    NumberDataPoint, Sum,
};

use super::span::{OpenSpan, Phase};
use super::value::{attribute, nanos};

/// What the emitted spans tell since the start, under the names of the [semantic conventions for FaaS metrics][1].
///
/// [1]: https://opentelemetry.io/docs/specs/semconv/faas/faas-metrics/
pub(super) struct Metrics {
    start: SystemTime,
    invoke_duration: Histogram,
    init_duration: Histogram,
    mem_usage: Histogram,
    invocations: u64,
    errors: u64,
    timeouts: u64,
    cold_starts: u64,
}

const MIB: f64 = 1024.0 * 1024.0;

/// In seconds, as the conventions advise.
const DURATION_BOUNDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// In bytes; the conventions advise none. They double, from well below the least memory of a function (D: 128 MB).
const MEMORY_BOUNDS: &[f64] = &[
    32.0 * MIB,
    64.0 * MIB,
    128.0 * MIB,
    256.0 * MIB,
    512.0 * MIB,
    1024.0 * MIB,
    2048.0 * MIB,
    4096.0 * MIB,
    8192.0 * MIB,
    16384.0 * MIB,
];

impl Metrics {
    pub(super) fn new(start: SystemTime) -> Self {
        Self {
            start,
            invoke_duration: Histogram::new(DURATION_BOUNDS),
            init_duration: Histogram::new(DURATION_BOUNDS),
            mem_usage: Histogram::new(MEMORY_BOUNDS),
            invocations: 0,
            errors: 0,
            timeouts: 0,
            cold_starts: 0,
        }
    }

    pub(super) fn cold_start(&mut self) {
        self.cold_starts += 1;
    }

    /// Counts a span. An invocation whose end was not told is neither a success nor an error.
    pub(super) fn emitted(&mut self, span: &OpenSpan) {
        let duration = span.duration().map(|duration| duration.as_secs_f64());
        match span.phase {
            Phase::Init => self.init_duration.record(duration),
            Phase::Restore => {}
            Phase::Invocation => {
                self.invoke_duration.record(duration);
                self.mem_usage
                    .record(span.max_memory_mb().map(|mb| mb * MIB));
                if span.is_over() {
                    self.ended(span.failure());
                }
            }
        }
    }

    /// Counts the end of an invocation, by the status if it is not one of success.
    pub(super) fn ended(&mut self, failure: Option<&str>) {
        let Some(status) = failure.map(str::to_ascii_lowercase) else {
            self.invocations += 1;
            return;
        };
        self.errors += 1;
        // How the platform says it is not known (?).
        if ["timeout", "timed out"]
            .iter()
            .any(|word| status.contains(word))
        {
            self.timeouts += 1;
        }
    }

    pub(super) fn snapshot(
        &self,
        telemetry: &TelemetryCounters,
        own: &[(&'static str, &'static str, u64)],
        now: SystemTime,
    ) -> Vec<Metric> {
        let now = now.max(self.start);
        let histogram = |name, unit, description, histogram: &Histogram| {
            let data = Data::Histogram(HistogramData {
                data_points: vec![HistogramDataPoint {
                    attributes: trigger(),
                    ..histogram.point(self.start, now)?
                }],
                aggregation_temporality: AggregationTemporality::Cumulative.into(),
            });
            Some(metric(name, unit, description, data))
        };
        let sum = |name, unit, description, attributes, value: u64, is_monotonic| {
            let data = Data::Sum(Sum {
                data_points: vec![NumberDataPoint {
                    attributes,
                    start_time_unix_nano: nanos(self.start),
                    time_unix_nano: nanos(now),
                    value: Some(Value::AsInt(i64::try_from(value).unwrap_or(i64::MAX))),
                    ..NumberDataPoint::default()
                }],
                aggregation_temporality: AggregationTemporality::Cumulative.into(),
                is_monotonic,
            });
            metric(name, unit, description, data)
        };
        // What never happened has no point.
        let counter = |name, unit, description, value| {
            (value > 0).then(|| sum(name, unit, description, trigger(), value, true))
        };
        let faas = [
            histogram(
                "faas.invoke_duration",
                "s",
                "Measures the duration of the function's logic execution.",
                &self.invoke_duration,
            ),
            histogram(
                "faas.init_duration",
                "s",
                "Measures the duration of the function's initialization, such as a cold start.",
                &self.init_duration,
            ),
            histogram(
                "faas.mem_usage",
                "By",
                "Distribution of max memory usage per invocation.",
                &self.mem_usage,
            ),
            counter(
                "faas.invocations",
                "{invocation}",
                "Number of successful invocations.",
                self.invocations,
            ),
            counter(
                "faas.errors",
                "{error}",
                "Number of invocation errors.",
                self.errors,
            ),
            counter(
                "faas.timeouts",
                "{timeout}",
                "Number of invocation timeouts.",
                self.timeouts,
            ),
            counter(
                "faas.coldstarts",
                "{coldstart}",
                "Number of invocation cold starts.",
                self.cold_starts,
            ),
        ];
        let events = [
            (
                "fg_extension.telemetry.received",
                "Events of telemetry that were acknowledged.",
                telemetry.received(),
            ),
            (
                "fg_extension.telemetry.delivered",
                "Events of telemetry that the extension took.",
                telemetry.delivered(),
            ),
            (
                "fg_extension.telemetry.refused",
                "Events of telemetry for which there was no room.",
                telemetry.rejected(),
            ),
            (
                "fg_extension.telemetry.lost",
                "Events of telemetry that were acknowledged and not delivered.",
                telemetry.lost(),
            ),
        ];
        let queued = sum(
            "fg_extension.telemetry.queued",
            "By",
            "Telemetry that waits for the extension.",
            Vec::new(),
            telemetry.bytes_queued(),
            false,
        );
        faas.into_iter()
            .flatten()
            .chain(events.map(|(name, description, value)| {
                sum(name, "{event}", description, Vec::new(), value, true)
            }))
            .chain([queued])
            .chain(
                own.iter()
                    .map(|(name, unit, value)| sum(name, unit, "", Vec::new(), *value, true)),
            )
            .collect()
    }
}

/// What triggers a function, no event tells.
fn trigger() -> Vec<KeyValue> {
    vec![attribute("faas.trigger", "other")]
}

struct Histogram {
    bounds: &'static [f64],
    /// One more than bounds.
    counts: Vec<u64>,
    sum: f64,
    min: f64,
    max: f64,
}

impl Histogram {
    fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: vec![0; bounds.len() + 1],
            sum: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }

    /// What is negative or no number was not measured.
    fn record(&mut self, value: Option<f64>) {
        let Some(value) = value.filter(|value| value.is_finite() && *value >= 0.0) else {
            return;
        };
        // A bound belongs to the bucket below it.
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.counts.get_mut(bucket) {
            *count += 1;
        }
        self.sum += value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    fn point(&self, start: SystemTime, now: SystemTime) -> Option<HistogramDataPoint> {
        let count = self.counts.iter().sum();
        (count > 0).then(|| HistogramDataPoint {
            start_time_unix_nano: nanos(start),
            time_unix_nano: nanos(now),
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

fn metric(name: &str, unit: &str, description: &str, data: Data) -> Metric {
    Metric {
        name: name.to_owned(),
        unit: unit.to_owned(),
        description: description.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::Histogram;

    #[test]
    fn values_fall_into_buckets() {
        let mut histogram = Histogram::new(&[1.0, 2.0]);
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
