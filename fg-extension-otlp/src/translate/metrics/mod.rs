//! Metrics about the emitted spans, and about the forwarder itself.

mod counter;
mod error_types;
mod histogram;
mod instrument;
mod own;
mod temporality;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, Histogram, Metric, Sum};

use self::counter::Counter;
use self::error_types::ErrorTypes;
use self::histogram::{BucketHistogram, measured};
use self::instrument::{Collection, Instrument};
pub(crate) use self::own::Observation;
use self::own::OwnMetrics;
use super::any_value::attribute;
use super::spans::{Outcome, Phase, SpanBuilder};
use crate::config::TemporalityPreference;
use crate::delivery::Delivery;

/// Metrics about the spans emitted since start-up, named according to the [semantic conventions for FaaS metrics][1].
///
/// What is collected for a request counts as sent only when the next collection says what became of that request.
///
/// [1]: https://opentelemetry.io/docs/specs/semconv/faas/faas-metrics/
pub(crate) struct FaasMetrics {
    temporality: TemporalityPreference,
    /// `faas.trigger`
    trigger: Option<&'static str>,
    start: SystemTime,
    /// The time of the data points in the latest request.
    requested: SystemTime,
    /// The time of the latest data points that need not be sent again.
    settled: SystemTime,
    /// Whether there is anything that no collector has.
    has_unsent: bool,
    was_invoked: bool,
    error_types: ErrorTypes,
    invoke_duration: Instrument<BucketHistogram>,
    init_duration: Instrument<BucketHistogram>,
    mem_usage: Instrument<BucketHistogram>,
    invocations: Instrument<Counter>,
    errors: Instrument<Counter>,
    timeouts: Instrument<Counter>,
    cold_starts: Instrument<Counter>,
    own: OwnMetrics,
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
    pub(crate) fn new(trigger: Option<&'static str>, start: SystemTime) -> Self {
        let counter = || Instrument::from_zero(Counter::default());
        let histogram = |bounds| Instrument::new(BucketHistogram::new(bounds));
        Self {
            temporality: TemporalityPreference::Cumulative,
            trigger,
            start,
            requested: start,
            settled: start,
            has_unsent: false,
            was_invoked: false,
            error_types: ErrorTypes::default(),
            invoke_duration: histogram(DURATION_BOUNDS),
            init_duration: histogram(DURATION_BOUNDS),
            mem_usage: histogram(MEMORY_BOUNDS),
            invocations: counter(),
            errors: counter(),
            timeouts: counter(),
            cold_starts: counter(),
            own: OwnMetrics::default(),
        }
    }

    pub(crate) fn with_temporality(self, temporality: TemporalityPreference) -> Self {
        Self {
            temporality,
            ..self
        }
    }

    /// Records an invocation. Cumulative counters are sent from the first one on, when they are zero.
    pub(crate) fn record_invocation(&mut self) {
        self.has_unsent |= !self.was_invoked;
        self.was_invoked = true;
    }

    /// Records a cold start.
    pub(crate) fn record_cold_start(&mut self, now: SystemTime) {
        self.has_unsent = true;
        self.cold_starts.record(None, 1, now);
    }

    /// Records a span. If no event about the end of an invocation has arrived, it counts as neither a success nor an
    /// error.
    pub(crate) fn record_span(&mut self, span: &SpanBuilder, now: SystemTime) {
        let duration = span.duration().map(|duration| duration.as_secs_f64());
        let duration = duration.and_then(measured);
        let error_type = self.error_type(span.outcome(), span.error_type());
        let error_type = error_type.as_ref();
        let histogram = match span.phase {
            Phase::Init => &mut self.init_duration,
            Phase::Restore => return,
            Phase::Invocation => &mut self.invoke_duration,
        };
        if let Some(duration) = duration {
            self.has_unsent = true;
            histogram.record(error_type, duration, now);
        }
        if span.phase != Phase::Invocation {
            return;
        }
        self.record_init_duration(span.init_duration(), now);
        self.record_memory(span.max_memory_mb(), now);
        if span.has_ended() {
            self.record_end(span.outcome(), span.error_type(), now);
        }
    }

    /// Records the duration of the init in the report of an invocation, which may arrive after its span was emitted.
    pub(crate) fn record_init_duration(&mut self, duration: Option<Duration>, now: SystemTime) {
        let seconds = duration.map(|duration| duration.as_secs_f64());
        if let Some(seconds) = seconds.and_then(measured) {
            self.has_unsent = true;
            self.init_duration.record(None, seconds, now);
        }
    }

    /// Records the memory in the report of an invocation, which may arrive after its span was emitted.
    pub(crate) fn record_memory(&mut self, mb: Option<f64>, now: SystemTime) {
        if let Some(memory) = mb.and_then(|mb| measured(mb * MIB)) {
            self.has_unsent = true;
            self.mem_usage.record(None, memory, now);
        }
    }

    /// Records the end of an invocation. An end without a status counts as a success.
    pub(crate) fn record_end(
        &mut self,
        outcome: Option<Outcome>,
        error_type: Option<&str>,
        now: SystemTime,
    ) {
        match outcome {
            None | Some(Outcome::Success) => self.invocations.record(None, 1, now),
            Some(Outcome::Undocumented) => return,
            Some(Outcome::Failure) => {
                let error_type = self.error_types.of(error_type);
                self.errors.record(Some(&error_type), 1, now);
            }
            Some(Outcome::Timeout) => self.timeouts.record(None, 1, now),
        }
        self.has_unsent = true;
    }

    /// Returns the metrics for a request, or none if there is nothing to send.
    ///
    /// `previous` is what became of the request with the metrics of the previous call. `own` are our own metrics, which
    /// are always sent.
    pub(crate) fn collect(
        &mut self,
        previous: Option<Delivery>,
        own: &[Observation],
        now: SystemTime,
    ) -> Vec<Metric> {
        self.settle(previous);
        if !self.has_unsent && own.is_empty() {
            return Vec::new();
        }
        self.has_unsent = false;
        // Later than the previous data points, even if the clock was set back.
        self.requested = now.max(self.requested + Duration::from_nanos(1));
        let trigger = self.trigger;
        let collection = Collection {
            temporality: self.temporality.recorded(),
            start: self.start,
            settled: self.settled,
            now: self.requested,
            attributes: trigger
                .map(|trigger| attribute("faas.trigger", trigger))
                .into_iter()
                .collect(),
        };
        let mut metrics = self.collect_faas(&collection);
        let collection = Collection {
            temporality: self.temporality.observed(),
            ..collection
        };
        metrics.extend(self.own.collect(own, &collection));
        metrics
    }

    fn collect_faas(&mut self, collection: &Collection) -> Vec<Metric> {
        let histogram = |name, description, unit, histogram: &mut Instrument<BucketHistogram>| {
            let data_points = histogram.collect(collection);
            let has_points = !data_points.is_empty();
            let data = Data::Histogram(Histogram {
                data_points,
                aggregation_temporality: collection.temporality.into(),
            });
            has_points.then(|| metric(name, unit, description, data))
        };
        let counter = |name, description, unit, counter: &mut Instrument<Counter>| {
            let data_points = counter.collect(collection);
            let has_points = !data_points.is_empty();
            let data = Data::Sum(Sum {
                data_points,
                aggregation_temporality: collection.temporality.into(),
                is_monotonic: true,
            });
            has_points.then(|| metric(name, unit, description, data))
        };
        let metrics = [
            histogram(
                "faas.invoke_duration",
                "Measures the duration of the function's logic execution.",
                "s",
                &mut self.invoke_duration,
            ),
            histogram(
                "faas.init_duration",
                "Measures the duration of the function's initialization, such as a cold start.",
                "s",
                &mut self.init_duration,
            ),
            histogram(
                "faas.mem_usage",
                "Distribution of max memory usage per invocation.",
                "By",
                &mut self.mem_usage,
            ),
            counter(
                "faas.invocations",
                "Number of successful invocations.",
                "{invocation}",
                &mut self.invocations,
            ),
            counter(
                "faas.errors",
                "Number of invocation errors.",
                "{error}",
                &mut self.errors,
            ),
            counter(
                "faas.timeouts",
                "Number of invocation timeouts.",
                "{timeout}",
                &mut self.timeouts,
            ),
            counter(
                "faas.coldstarts",
                "Number of invocation cold starts.",
                "{coldstart}",
                &mut self.cold_starts,
            ),
        ];
        metrics.into_iter().flatten().collect()
    }

    /// Records what became of the latest request.
    fn settle(&mut self, delivery: Option<Delivery>) {
        let temporality = self.temporality.recorded();
        match delivery {
            None => return,
            Some(Delivery::Failed) => {
                self.has_unsent = true;
                return;
            }
            Some(Delivery::Accepted) => {}
            // The next cumulative value includes this one. A change would most likely be rejected again, so it is lost,
            // and the exporter counts it.
            Some(Delivery::Rejected) => {
                self.has_unsent |= temporality == AggregationTemporality::Cumulative;
            }
        }
        self.settled = self.requested;
        self.own.settle();
        let histograms = [
            &mut self.invoke_duration,
            &mut self.init_duration,
            &mut self.mem_usage,
        ];
        for histogram in histograms {
            histogram.settle(temporality);
        }
        let counters = [
            &mut self.invocations,
            &mut self.errors,
            &mut self.timeouts,
            &mut self.cold_starts,
        ];
        for counter in counters {
            counter.settle(temporality);
        }
    }

    /// Returns the `error.type` of a phase, or `None` if it did not fail.
    fn error_type(
        &mut self,
        outcome: Option<Outcome>,
        error_type: Option<&str>,
    ) -> Option<Arc<str>> {
        match outcome {
            None | Some(Outcome::Success | Outcome::Undocumented) => None,
            Some(Outcome::Failure | Outcome::Timeout) => Some(self.error_types.of(error_type)),
        }
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
