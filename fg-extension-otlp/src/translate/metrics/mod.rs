//! Metrics about the emitted spans, and our own counters.

mod histogram;

use std::time::SystemTime;

use fg_extension::TelemetryCounters;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Histogram, HistogramDataPoint, Metric, NumberDataPoint, Sum,
};

use self::histogram::BucketHistogram;
use super::any_value::attribute;
use super::spans::{Outcome, Phase, SpanBuilder};
use super::timestamps::unix_nanos;

/// Metrics about the spans emitted since start-up, named according to the [semantic conventions for FaaS metrics][1].
///
/// [1]: https://opentelemetry.io/docs/specs/semconv/faas/faas-metrics/
pub(crate) struct FaasMetrics {
    start: SystemTime,
    invoke_duration: BucketHistogram,
    init_duration: BucketHistogram,
    mem_usage: BucketHistogram,
    invocations: u64,
    errors: u64,
    timeouts: u64,
    cold_starts: u64,
}

const MIB: f64 = 1024.0 * 1024.0;

/// The bounds, in seconds, that the conventions recommend.
const DURATION_BOUNDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// The bounds, in bytes. The conventions recommend none. These double, starting well below the minimum memory of a
/// function (D: 128 MB).
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

impl FaasMetrics {
    pub(crate) fn new(start: SystemTime) -> Self {
        Self {
            start,
            invoke_duration: BucketHistogram::new(DURATION_BOUNDS),
            init_duration: BucketHistogram::new(DURATION_BOUNDS),
            mem_usage: BucketHistogram::new(MEMORY_BOUNDS),
            invocations: 0,
            errors: 0,
            timeouts: 0,
            cold_starts: 0,
        }
    }

    /// Records a cold start.
    pub(crate) fn record_cold_start(&mut self) {
        self.cold_starts += 1;
    }

    /// Records a span. If no event about the end of an invocation has arrived, it counts as neither a success nor an
    /// error.
    pub(crate) fn record_span(&mut self, span: &SpanBuilder) {
        let duration = span.duration().map(|duration| duration.as_secs_f64());
        match span.phase {
            Phase::Init => self.init_duration.record(duration),
            Phase::Restore => {}
            Phase::Invocation => {
                self.invoke_duration.record(duration);
                let init_duration = span.init_duration();
                self.init_duration
                    .record(init_duration.map(|duration| duration.as_secs_f64()));
                self.mem_usage
                    .record(span.max_memory_mb().map(|mb| mb * MIB));
                if span.has_ended() {
                    self.record_end(span.outcome());
                }
            }
        }
    }

    /// Records the end of an invocation. An end without a status counts as a success.
    pub(crate) fn record_end(&mut self, outcome: Option<Outcome>) {
        match outcome {
            None | Some(Outcome::Success) => self.invocations += 1,
            Some(Outcome::Undocumented) => {}
            Some(Outcome::Failure) => self.errors += 1,
            Some(Outcome::Timeout) => self.timeouts += 1,
        }
    }

    /// Returns the current values of all metrics and counters.
    pub(crate) fn snapshot(
        &self,
        telemetry: Option<&TelemetryCounters>,
        own: &[(&'static str, &'static str, u64)],
        now: SystemTime,
    ) -> Vec<Metric> {
        let now = now.max(self.start);
        let histogram = |name, unit, description, histogram: &BucketHistogram| {
            let data = Data::Histogram(Histogram {
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
                    start_time_unix_nano: unix_nanos(self.start),
                    time_unix_nano: unix_nanos(now),
                    value: Some(Value::AsInt(i64::try_from(value).unwrap_or(i64::MAX))),
                    ..NumberDataPoint::default()
                }],
                aggregation_temporality: AggregationTemporality::Cumulative.into(),
                is_monotonic,
            });
            metric(name, unit, description, data)
        };
        // A counter that is zero is omitted.
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
        let subscription = telemetry.into_iter().flat_map(|telemetry| {
            let counters = [
                (
                    "fg_extension.telemetry.received",
                    "{event}",
                    "Telemetry events that were acknowledged to the platform.",
                    telemetry.received(),
                ),
                (
                    "fg_extension.telemetry.delivered",
                    "{event}",
                    "Telemetry events that were delivered to the extension.",
                    telemetry.delivered(),
                ),
                (
                    "fg_extension.telemetry.rejected",
                    "{batch}",
                    "Telemetry batches that were rejected because the buffer was full.",
                    telemetry.rejected(),
                ),
                (
                    "fg_extension.telemetry.lost",
                    "{event}",
                    "Telemetry events that were acknowledged but not delivered.",
                    telemetry.lost(),
                ),
            ];
            let queued = sum(
                "fg_extension.telemetry.queued",
                "By",
                "Telemetry that is buffered for the extension.",
                Vec::new(),
                telemetry.bytes_queued(),
                false,
            );
            let counter = |(name, unit, description, value)| {
                sum(name, unit, description, Vec::new(), value, true)
            };
            counters.map(counter).into_iter().chain([queued])
        });
        faas.into_iter()
            .flatten()
            .chain(subscription)
            .chain(
                own.iter()
                    .map(|(name, unit, value)| sum(name, unit, "", Vec::new(), *value, true)),
            )
            .collect()
    }
}

/// Returns the attribute for the trigger, which no event names.
fn trigger() -> Vec<KeyValue> {
    vec![attribute("faas.trigger", "other")]
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
