//! Tests of the metrics.

use fg_extension::TelemetryCounters;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, HistogramDataPoint, Metric, Sum,
};
use serde_json::{Value, json};

use super::{Harness, ID, at, attribute, nanos, text, time};

fn find<'a>(metrics: &'a [Metric], name: &str) -> Option<&'a Metric> {
    metrics.iter().find(|metric| metric.name == name)
}

#[track_caller]
fn histogram(metrics: &[Metric], name: &str, unit: &str) -> HistogramDataPoint {
    let metric = find(metrics, name).unwrap();
    assert_eq!(metric.unit, unit);
    let Some(Data::Histogram(histogram)) = &metric.data else {
        panic!("{metric:?}");
    };
    assert_eq!(
        histogram.aggregation_temporality(),
        AggregationTemporality::Cumulative
    );
    assert_eq!(histogram.data_points.len(), 1);
    histogram.data_points[0].clone()
}

#[track_caller]
fn sum<'a>(metrics: &'a [Metric], name: &str, unit: &str) -> &'a Sum {
    let metric = find(metrics, name).unwrap();
    assert_eq!(metric.unit, unit);
    let Some(Data::Sum(sum)) = &metric.data else {
        panic!("{metric:?}");
    };
    assert_eq!(
        sum.aggregation_temporality(),
        AggregationTemporality::Cumulative
    );
    assert_eq!(sum.data_points.len(), 1);
    sum
}

#[track_caller]
fn count(metrics: &[Metric], name: &str, unit: &str) -> i64 {
    let sum = sum(metrics, name, unit);
    assert!(sum.is_monotonic);
    match sum.data_points[0].value {
        Some(Number::AsInt(value)) => value,
        other => panic!("{other:?}"),
    }
}

fn report(id: &str, status: &str, metrics: Value) -> Value {
    json!({
        "name": "platform.report ", "startTime": time(0), "endTime": time(40), "traceId": id, "status": status,
        "metrics": metrics,
    })
}

impl Harness {
    /// Returns the number of successful invocations and the number of errors.
    pub(super) fn counts(&self) -> (i64, i64) {
        let metrics = self.metrics();
        let value = |name, unit| find(&metrics, name).map_or(0, |_| count(&metrics, name, unit));
        (
            value("faas.invocations", "{invocation}"),
            value("faas.errors", "{error}"),
        )
    }

    pub(super) fn timeouts(&self) -> i64 {
        count(&self.metrics(), "faas.timeouts", "{timeout}")
    }

    pub(super) fn cold_starts(&self) -> i64 {
        count(&self.metrics(), "faas.coldstarts", "{coldstart}")
    }

    /// Returns the number of the durations of inits, and their sum in seconds.
    pub(super) fn init_durations(&self) -> (u64, Option<f64>) {
        let inits = histogram(&self.metrics(), "faas.init_duration", "s");
        (inits.count, inits.sum)
    }
}

#[test]
fn reports_are_counted_once() {
    let mut harness = Harness::new();
    harness.event(json!({"name": "platform.initStart", "startTime": time(0), "traceId": "1"}));
    for _ in 0..2 {
        harness.event(json!({
            "name": "platform.initReport", "startTime": time(0), "endTime": time(300), "traceId": "1",
            "metrics": {"durationMs": 300.0},
        }));
        harness.event(report(
            "1",
            "success",
            json!({"durationMs": 5, "maxMemoryUsedMB": 64}),
        ));
        harness.event(report("2", " success ", json!({"durationMs": 20_000})));
        let mut failed = report("3", "error", json!({"maxMemoryUsedMB": 36.5}));
        failed["errorType"] = "Oh".into();
        harness.event(failed);
    }
    harness.finish();
    harness.now = at(1_000);
    let metrics = harness.metrics();

    let durations = histogram(&metrics, "faas.invoke_duration", "s");
    assert_eq!(
        durations.explicit_bounds,
        [
            0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0
        ]
    );
    // 5 ms are in the first bucket, 40 ms (from the start time to the end time) in the fourth, and 20 s in the last.
    assert_eq!(
        durations.bucket_counts,
        [1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    );
    assert_eq!(durations.count, 3);
    assert!((durations.sum.unwrap() - 20.045).abs() < 1e-9);
    assert_eq!((durations.min, durations.max), (Some(0.005), Some(20.0)));
    assert_eq!(durations.start_time_unix_nano, nanos(0));
    assert_eq!(durations.time_unix_nano, nanos(1_000));

    let inits = histogram(&metrics, "faas.init_duration", "s");
    assert_eq!((inits.count, inits.sum), (1, Some(0.3)));

    let memory = histogram(&metrics, "faas.mem_usage", "By");
    assert_eq!(memory.bucket_counts[..3], [0, 2, 0]);
    assert_eq!(memory.sum, Some(100.5 * 1024.0 * 1024.0));
    assert_eq!(memory.bucket_counts.len(), memory.explicit_bounds.len() + 1);

    assert_eq!(count(&metrics, "faas.invocations", "{invocation}"), 2);
    assert_eq!(count(&metrics, "faas.errors", "{error}"), 1);
    assert_eq!(count(&metrics, "faas.coldstarts", "{coldstart}"), 1);
    assert_eq!(
        attribute(&durations.attributes, "faas.trigger"),
        Some(&text("other"))
    );
    let point = &sum(&metrics, "faas.errors", "{error}").data_points[0];
    assert_eq!(
        attribute(&point.attributes, "faas.trigger"),
        Some(&text("other"))
    );
    assert_eq!(point.start_time_unix_nano, nanos(0));
    assert_eq!(point.time_unix_nano, nanos(1_000));

    // Metrics are cumulative, so a second snapshot is the same.
    assert_eq!(harness.metrics(), metrics);
}

#[test]
fn failed_invocation_counts_as_an_error() {
    let mut harness = Harness::new();
    harness.fail(ID);
    assert!(find(&harness.metrics(), "faas.errors").is_none());
    harness.report(ID);
    let metrics = harness.metrics();
    assert_eq!(count(&metrics, "faas.errors", "{error}"), 1);
    assert!(find(&metrics, "faas.invocations").is_none());
}

#[test]
fn undocumented_status_is_neither_success_nor_error() {
    let mut harness = Harness::new();
    for status in ["killed", "failure", "ok", "200"] {
        harness.done(status, status);
        harness.report_alone(status);
    }
    assert_eq!(harness.counts(), (0, 0));
    let durations = histogram(&harness.metrics(), "faas.invoke_duration", "s");
    assert_eq!(durations.count, 4);
}

#[test]
fn missing_measurements_are_omitted() {
    let mut harness = Harness::new();
    harness.event(json!({"name": "platform.report", "startTime": time(0), "traceId": "1", "metrics": {"durationMs": -7}}));
    harness.finish();
    let metrics = harness.metrics();
    let names: Vec<_> = metrics
        .iter()
        .map(|metric| metric.name.as_str())
        .filter(|name| name.starts_with("faas."))
        .collect();
    assert_eq!(names, ["faas.invocations", "faas.coldstarts"]);
}

#[test]
fn own_counters_are_included() {
    let harness = Harness::new();
    let own = [
        ("fg_extension.otlp.exported", "{item}", 7),
        ("fg_extension.otlp.bytes", "By", u64::MAX),
    ];
    let metrics = harness.translator.metrics(
        Some(&TelemetryCounters::default()),
        &own,
        at(0) - std::time::Duration::from_secs(1),
    );
    for (name, unit) in [
        ("received", "{event}"),
        ("delivered", "{event}"),
        ("rejected", "{batch}"),
        ("lost", "{event}"),
    ] {
        let name = format!("fg_extension.telemetry.{name}");
        assert_eq!(count(&metrics, &name, unit), 0);
    }
    let queued = sum(&metrics, "fg_extension.telemetry.queued", "By");
    assert!(!queued.is_monotonic);
    // The clock was set back.
    assert_eq!(queued.data_points[0].time_unix_nano, nanos(0));
    assert_eq!(count(&metrics, "fg_extension.otlp.exported", "{item}"), 7);
    assert_eq!(count(&metrics, "fg_extension.otlp.bytes", "By"), i64::MAX);
    assert_eq!(metrics.len(), 7);
}
