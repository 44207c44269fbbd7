//! Tests of which data points a request contains, and when.

use fg_extension::TelemetryCounters;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, Metric};
use serde_json::json;

use super::faas_metrics::{error_type, find, histogram_points, number, sum_points};
use super::{Delivery, Harness, URN, at, nanos, time};
use crate::config::{SdkConfig, TemporalityPreference};
use crate::export::ExportCounters;
use crate::own_metrics::own_metrics;

/// Names a data point: the `error.type`, the start and the time in milliseconds, and the value.
type Point<'a> = (&'a str, u64, u64, i64);

impl Harness {
    fn with_temporality(temporality: TemporalityPreference) -> Self {
        let mut harness = Self::new();
        harness.translator = harness.translator.with_sdk(SdkConfig {
            temporality,
            ..SdkConfig::default()
        });
        harness
    }

    /// Records an invocation that took this long, at this time.
    fn invocation(&mut self, millis: u64, duration: u64, error_type: Option<&str>) {
        self.now = at(millis);
        let id = millis.to_string();
        self.event(json!({
            "name": "platform.runtimeDone", "traceId": id,
            "status": if error_type.is_some() { "error" } else { "success" },
            "errorType": error_type,
        }));
        self.event(json!({
            "name": "platform.report", "startTime": time(0), "traceId": id, "metrics": {"durationMs": duration},
        }));
    }

    /// Returns the metrics of a request at this time.
    fn request(&mut self, millis: u64, previous: Option<Delivery>) -> Vec<Metric> {
        self.now = at(millis);
        self.metrics_after(previous)
    }
}

#[track_caller]
fn check(metrics: &[Metric], name: &str, expected: &[Point<'_>]) {
    let millis = |nanoseconds: u64| (nanoseconds - nanos(0)) / 1_000_000;
    let points = sum_points(metrics, name);
    let types: Vec<_> = points.iter().map(|it| error_type(&it.attributes)).collect();
    let points: Vec<Point<'_>> = points
        .iter()
        .zip(&types)
        .map(|(point, error_type)| {
            let (start, time) = (point.start_time_unix_nano, point.time_unix_nano);
            (
                error_type.as_str(),
                millis(start),
                millis(time),
                number(point),
            )
        })
        .collect();
    assert_eq!(points, expected, "{name}");
}

#[test]
fn cumulative_counters_start_with_zero() {
    let mut harness = Harness::new();
    // Without an invocation, there is nothing to say.
    assert_eq!(harness.request(50, None), []);
    // The first request is made before anything has happened.
    harness.invoked("200", URN);
    let metrics = harness.request(100, None);
    for name in [
        "faas.invocations",
        "faas.errors",
        "faas.timeouts",
        "faas.coldstarts",
    ] {
        check(&metrics, name, &[("", 0, 100, 0)]);
    }
    assert_eq!(metrics.len(), 4);

    harness.invocation(200, 5, None);
    harness.invocation(300, 5, Some("Oh"));
    let metrics = harness.request(400, Some(Delivery::Accepted));
    check(&metrics, "faas.invocations", &[("", 0, 400, 1)]);
    // The new series starts with a zero just before its first value.
    let errors = [("", 0, 400, 0), ("Oh", 0, 299, 0), ("Oh", 0, 400, 1)];
    check(&metrics, "faas.errors", &errors);
    let counts = |metrics: &[Metric]| -> Vec<_> {
        let points = histogram_points(metrics, "faas.invoke_duration").iter();
        let named = |point: &_| {
            let point: &opentelemetry_proto::tonic::metrics::v1::HistogramDataPoint = point;
            (error_type(&point.attributes), point.count, point.min)
        };
        points.map(named).collect()
    };
    let (success, failure) = (String::new, || "Oh".to_owned());
    assert_eq!(
        counts(&metrics),
        [
            (success(), 0, None),
            (success(), 1, Some(0.005)),
            (failure(), 0, None),
            (failure(), 1, Some(0.005)),
        ]
    );

    // Nothing has changed.
    assert_eq!(harness.request(500, Some(Delivery::Accepted)), []);

    harness.invocation(600, 7, Some("Oh"));
    let metrics = harness.request(700, None);
    check(
        &metrics,
        "faas.errors",
        &[("", 0, 700, 0), ("Oh", 0, 700, 2)],
    );
    assert_eq!(
        counts(&metrics),
        [(success(), 1, Some(0.005)), (failure(), 2, Some(0.005))]
    );
}

#[test]
fn zero_is_sent_until_a_collector_has_it_and_is_never_old() {
    let mut harness = Harness::new();
    harness.invocation(10, 5, None);
    let first = [("", 0, 9, 0), ("", 0, 20, 1)];
    check(&harness.request(20, None), "faas.invocations", &first);
    let second = [("", 0, 9, 0), ("", 0, 30, 1)];
    check(
        &harness.request(30, Some(Delivery::Failed)),
        "faas.invocations",
        &second,
    );
    // Some backends reject what is older than an hour.
    let hours = 10_000_000;
    let third = [("", 0, hours - 60_000, 0), ("", 0, hours, 1)];
    check(
        &harness.request(hours, Some(Delivery::Failed)),
        "faas.invocations",
        &third,
    );
    // A rejected zero would be rejected again. The next value includes the rejected one.
    let fourth = [("", 0, hours + 10, 1)];
    check(
        &harness.request(hours + 10, Some(Delivery::Rejected)),
        "faas.invocations",
        &fourth,
    );
    assert_eq!(harness.request(hours + 20, Some(Delivery::Accepted)), []);
}

#[test]
fn delta_counts_everything_once() {
    let mut harness = Harness::with_temporality(TemporalityPreference::Delta);
    // There is nothing to send before something has happened.
    harness.invoked("200", URN);
    assert_eq!(harness.request(100, None), []);

    harness.invocation(200, 5, None);
    harness.invocation(300, 50, None);
    let metrics = harness.request(400, None);
    check(&metrics, "faas.invocations", &[("", 0, 400, 2)]);
    // With the durations and the cold start.
    assert_eq!(metrics.len(), 3, "{metrics:?}");
    let temporality = |metric: &Metric| match &metric.data {
        Some(Data::Sum(sum)) => sum.aggregation_temporality(),
        Some(Data::Histogram(histogram)) => histogram.aggregation_temporality(),
        other => panic!("{other:?}"),
    };
    for metric in &metrics {
        assert_eq!(temporality(metric), AggregationTemporality::Delta);
    }

    // What was in a request that failed is part of the next one.
    harness.invocation(500, 2, None);
    harness.invocation(550, 2, Some("Oh"));
    let metrics = harness.request(600, Some(Delivery::Failed));
    check(&metrics, "faas.invocations", &[("", 0, 600, 3)]);
    check(&metrics, "faas.errors", &[("Oh", 0, 600, 1)]);
    let durations = &histogram_points(&metrics, "faas.invoke_duration")[0];
    assert_eq!(
        (durations.count, durations.min, durations.max),
        (3, Some(0.002), Some(0.05))
    );

    // What was accepted is not sent again, and the extremes are those of the interval.
    harness.invocation(700, 7, None);
    let metrics = harness.request(800, Some(Delivery::Accepted));
    check(&metrics, "faas.invocations", &[("", 600, 800, 1)]);
    assert!(find(&metrics, "faas.errors").is_none());
    let [durations] = histogram_points(&metrics, "faas.invoke_duration") else {
        panic!("{metrics:?}");
    };
    assert_eq!((durations.count, durations.sum), (1, Some(0.007)));
    assert_eq!((durations.min, durations.max), (Some(0.007), Some(0.007)));
    assert_eq!(
        (durations.start_time_unix_nano, durations.time_unix_nano),
        (nanos(600), nanos(800))
    );

    // What was rejected is lost.
    assert_eq!(harness.request(900, Some(Delivery::Rejected)), []);
    harness.invocation(1000, 9, None);
    let metrics = harness.request(1100, None);
    check(&metrics, "faas.invocations", &[("", 800, 1100, 1)]);
}

#[test]
fn values_recorded_while_a_request_is_in_flight_are_in_the_next() {
    for (temporality, expected) in [
        (TemporalityPreference::Delta, ("", 20, 40, 1)),
        (TemporalityPreference::LowMemory, ("", 20, 40, 1)),
        (TemporalityPreference::Cumulative, ("", 0, 40, 2)),
    ] {
        let mut harness = Harness::with_temporality(temporality);
        harness.invocation(10, 5, None);
        harness.request(20, None);
        harness.invocation(30, 5, None);
        let metrics = harness.request(40, Some(Delivery::Accepted));
        check(&metrics, "faas.invocations", &[expected]);
    }
}

#[test]
fn own_counters_follow_the_temporality() {
    let mut export = ExportCounters::default();
    export.exported.spans = 7;
    let telemetry = TelemetryCounters::default();
    for (temporality, second) in [
        (TemporalityPreference::Delta, ("", 10, 20, 2)),
        (TemporalityPreference::LowMemory, ("", 0, 20, 9)),
        (TemporalityPreference::Cumulative, ("", 0, 20, 9)),
    ] {
        let mut harness = Harness::with_temporality(temporality);
        let name = "functiongraph.otlp.exported.spans";
        let mut collect = |previous, millis, export: &ExportCounters| {
            let own = own_metrics(Some(&telemetry), export);
            let metrics = harness.translator.metrics(previous, &own, at(millis));
            let is_own = |metric: &Metric| metric.name.starts_with("functiongraph.");
            let metrics: Vec<_> = metrics.into_iter().filter(is_own).collect();
            assert_eq!(metrics.len(), 11);
            metrics
        };
        let is_delta = temporality == TemporalityPreference::Delta;
        // A total starts from zero until a collector knows the counter.
        let first = |millis| match is_delta {
            true => vec![("", 0, millis, 7)],
            false => vec![("", 0, 4, 0), ("", 0, millis, 7)],
        };
        check(&collect(None, 5, &export), name, &first(5));
        let metrics = collect(Some(Delivery::Failed), 10, &export);
        check(&metrics, name, &first(10));
        let dropped = "functiongraph.otlp.dropped.spans";
        check(&metrics, dropped, &[("", 0, 10, 0)]);
        let mut later = export;
        later.exported.spans = 9;
        let metrics = collect(Some(Delivery::Accepted), 20, &later);
        check(&metrics, name, &[second]);
        let Some(Data::Sum(queued)) = &find(&metrics, "functiongraph.telemetry.queued")
            .unwrap()
            .data
        else {
            panic!("{metrics:?}");
        };
        assert!(!queued.is_monotonic);
        assert_eq!(
            queued.aggregation_temporality(),
            AggregationTemporality::Cumulative
        );
    }
}

#[test]
fn time_never_goes_back() {
    let mut harness = Harness::with_temporality(TemporalityPreference::Delta);
    harness.invocation(10, 5, None);
    harness.request(1_000, None);
    harness.invocation(20, 5, None);
    let metrics = harness.request(20, Some(Delivery::Accepted));
    let point = &sum_points(&metrics, "faas.invocations")[0];
    assert_eq!(point.start_time_unix_nano, nanos(1_000));
    assert_eq!(point.time_unix_nano, nanos(1_000) + 1);
}
