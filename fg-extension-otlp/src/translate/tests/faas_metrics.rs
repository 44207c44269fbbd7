//! Tests of what the metrics count.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{HistogramDataPoint, Metric, NumberDataPoint};
use serde_json::{Value, json};

use crate::config::{SamplerConfig, SdkConfig};

use super::{
    Delivery, FunctionInfo, Harness, ID, ResourceConfig, at, attribute, nanos, text, time,
};

pub(super) fn find<'a>(metrics: &'a [Metric], name: &str) -> Option<&'a Metric> {
    metrics.iter().find(|metric| metric.name == name)
}

#[track_caller]
pub(super) fn histogram_points<'a>(metrics: &'a [Metric], name: &str) -> &'a [HistogramDataPoint] {
    let metric = find(metrics, name).unwrap();
    let Some(Data::Histogram(histogram)) = &metric.data else {
        panic!("{metric:?}");
    };
    &histogram.data_points
}

#[track_caller]
pub(super) fn sum_points<'a>(metrics: &'a [Metric], name: &str) -> &'a [NumberDataPoint] {
    let metric = find(metrics, name).unwrap();
    let Some(Data::Sum(sum)) = &metric.data else {
        panic!("{metric:?}");
    };
    &sum.data_points
}

pub(super) fn number(point: &NumberDataPoint) -> i64 {
    match point.value {
        Some(Number::AsInt(value)) => value,
        other => panic!("{other:?}"),
    }
}

/// Returns the `error.type` of a data point, or an empty text.
pub(super) fn error_type(attributes: &[KeyValue]) -> String {
    attribute(attributes, "error.type").map_or_else(String::new, |value| match value {
        super::Any::StringValue(value) => value.clone(),
        other => panic!("{other:?}"),
    })
}

/// Returns the sum of the latest data point of each series.
#[track_caller]
fn total(metrics: &[Metric], name: &str) -> i64 {
    let points = sum_points(metrics, name);
    let latest = points.iter().map(|point| point.time_unix_nano).max();
    let points = points.iter();
    points
        .filter(|point| Some(point.time_unix_nano) == latest)
        .map(number)
        .sum()
}

/// Returns the latest data point of the series without an error.
#[track_caller]
fn histogram(metrics: &[Metric], name: &str) -> HistogramDataPoint {
    let points = histogram_points(metrics, name).iter();
    let mut points = points.filter(|point| error_type(&point.attributes).is_empty());
    points.next_back().unwrap().clone()
}

fn report(id: &str, status: &str, metrics: Value) -> Value {
    json!({
        "name": "platform.report ", "startTime": time(0), "endTime": time(40), "traceId": id, "status": status,
        "metrics": metrics,
    })
}

impl Harness {
    /// Returns the number of successful invocations and the number of errors.
    pub(super) fn counts(&mut self) -> (i64, i64) {
        let metrics = self.metrics_after(Some(Delivery::Failed));
        (
            total(&metrics, "faas.invocations"),
            total(&metrics, "faas.errors"),
        )
    }

    /// Returns the sum of the memory of all invocations, in bytes.
    pub(super) fn memory(&mut self) -> f64 {
        let metrics = self.metrics_after(Some(Delivery::Failed));
        histogram(&metrics, "faas.mem_usage").sum.unwrap()
    }

    pub(super) fn timeouts(&mut self) -> i64 {
        total(&self.metrics_after(Some(Delivery::Failed)), "faas.timeouts")
    }

    pub(super) fn cold_starts(&mut self) -> i64 {
        total(
            &self.metrics_after(Some(Delivery::Failed)),
            "faas.coldstarts",
        )
    }

    /// Returns the number of the durations of inits, and their sum in seconds.
    pub(super) fn init_durations(&mut self) -> (u64, Option<f64>) {
        let metrics = self.metrics_after(Some(Delivery::Failed));
        let inits = histogram(&metrics, "faas.init_duration");
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
    let metrics = harness.metrics_after(None);

    let durations = histogram(&metrics, "faas.invoke_duration");
    assert_eq!(
        durations.explicit_bounds,
        [
            0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0
        ]
    );
    // 5 ms are in the first bucket, and 20 s in the last.
    assert_eq!(
        durations.bucket_counts,
        [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    );
    assert_eq!(durations.count, 2);
    assert!((durations.sum.unwrap() - 20.005).abs() < 1e-9);
    assert_eq!((durations.min, durations.max), (Some(0.005), Some(20.0)));
    assert_eq!(durations.start_time_unix_nano, nanos(0));
    assert_eq!(durations.time_unix_nano, nanos(1_000));

    // 40 ms, from the start time to the end time, in the fourth bucket.
    let failed = histogram_points(&metrics, "faas.invoke_duration")
        .last()
        .unwrap();
    assert_eq!(error_type(&failed.attributes), "Oh");
    assert_eq!((failed.count, failed.bucket_counts[3]), (1, 1));

    let inits = histogram(&metrics, "faas.init_duration");
    assert_eq!((inits.count, inits.sum), (1, Some(0.3)));

    let memory = histogram(&metrics, "faas.mem_usage");
    assert_eq!(memory.bucket_counts[..3], [0, 2, 0]);
    assert_eq!(memory.sum, Some(100.5 * 1024.0 * 1024.0));
    assert_eq!(memory.bucket_counts.len(), memory.explicit_bounds.len() + 1);

    let counts = [
        ("faas.invocations", "{invocation}", 2),
        ("faas.errors", "{error}", 1),
        ("faas.timeouts", "{timeout}", 0),
        ("faas.coldstarts", "{coldstart}", 1),
    ];
    for (name, unit, count) in counts {
        assert_eq!(total(&metrics, name), count, "{name}");
        assert_eq!(find(&metrics, name).unwrap().unit, unit);
    }
    for name in ["faas.invoke_duration", "faas.init_duration"] {
        assert_eq!(find(&metrics, name).unwrap().unit, "s");
    }
    assert_eq!(find(&metrics, "faas.mem_usage").unwrap().unit, "By");
    let error = sum_points(&metrics, "faas.errors").last().unwrap();
    assert_eq!(error_type(&error.attributes), "Oh");
    assert_eq!(error.start_time_unix_nano, nanos(0));
    assert_eq!(error.time_unix_nano, nanos(1_000));
}

#[test]
fn failed_invocation_counts_as_an_error() {
    let mut harness = Harness::new();
    harness.fail(ID);
    assert_eq!(harness.counts(), (0, 0));
    harness.report(ID);
    assert_eq!(harness.counts(), (0, 1));
}

#[test]
fn error_types_are_series_of_their_own_up_to_a_limit() {
    let mut harness = Harness::new();
    for number in 0..40 {
        let mut failed = report(&number.to_string(), "error", json!({"durationMs": 5}));
        failed["errorType"] = format!("Error{number}").into();
        harness.event(failed);
    }
    harness.finish();
    let metrics = harness.metrics_after(None);
    let errors: Vec<_> = sum_points(&metrics, "faas.errors")
        .iter()
        .map(|point| (error_type(&point.attributes), number(point)))
        .collect();
    // The series without an error, 32 error types, and the rest.
    assert_eq!(errors.len(), 34);
    assert_eq!(errors[0], (String::new(), 0));
    assert_eq!(errors[1], ("Error0".to_owned(), 1));
    assert_eq!(errors[33], ("_OTHER".to_owned(), 8));
    let durations = histogram_points(&metrics, "faas.invoke_duration");
    assert_eq!(durations.len(), 33);
    assert_eq!(error_type(&durations[32].attributes), "_OTHER");
    assert_eq!(durations[32].count, 8);
}

#[test]
fn duration_of_a_timeout_has_an_error_type() {
    let mut harness = Harness::new();
    harness.done(ID, "timeout");
    harness.report_alone(ID);
    let metrics = harness.metrics_after(None);
    let [point] = histogram_points(&metrics, "faas.invoke_duration") else {
        panic!("{metrics:?}");
    };
    assert_eq!(error_type(&point.attributes), "timeout");
    let [timeouts] = sum_points(&metrics, "faas.timeouts") else {
        panic!("{metrics:?}");
    };
    assert_eq!((number(timeouts), timeouts.attributes.len()), (1, 0));
    assert_eq!(harness.counts(), (0, 0));
}

#[test]
fn undocumented_status_is_neither_success_nor_error() {
    let mut harness = Harness::new();
    for status in ["failure", "ok", "200"] {
        harness.done(status, status);
        harness.report_alone(status);
    }
    assert_eq!(harness.counts(), (0, 0));
    let metrics = harness.metrics_after(Some(Delivery::Failed));
    let [point] = histogram_points(&metrics, "faas.invoke_duration") else {
        panic!("{metrics:?}");
    };
    assert_eq!(
        (point.count, error_type(&point.attributes)),
        (3, String::new())
    );
}

#[test]
fn invocations_that_are_not_sampled_are_counted() {
    let mut harness = Harness::new();
    harness.translator = harness.translator.with_sdk(SdkConfig {
        sampler: SamplerConfig {
            ratio: 0.0,
            is_parent_based: true,
        },
        ..SdkConfig::default()
    });
    harness.report(ID);
    assert_eq!(harness.out.spans, []);
    assert_eq!(harness.counts(), (1, 0));
}

#[test]
fn missing_measurements_are_omitted() {
    let mut harness = Harness::new();
    harness.event(json!({"name": "platform.report", "startTime": time(0), "traceId": "1", "metrics": {"durationMs": -7}}));
    harness.finish();
    let metrics = harness.metrics();
    let names: Vec<_> = metrics.iter().map(|metric| metric.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "faas.invocations",
            "faas.errors",
            "faas.timeouts",
            "faas.coldstarts"
        ]
    );
    assert_eq!(harness.counts(), (1, 0));
}

#[test]
fn trigger_is_an_attribute_if_it_is_set() {
    for trigger in [None, Some("timer")] {
        let config = ResourceConfig {
            trigger,
            ..ResourceConfig::default()
        };
        let mut harness = Harness::with(FunctionInfo::default(), config);
        harness.fail(ID);
        harness.report(ID);
        let metrics = harness.metrics();
        let expected = trigger.map(text);
        let durations = histogram_points(&metrics, "faas.invoke_duration").iter();
        let counters = ["faas.errors", "faas.invocations"];
        let counters = counters.map(|name| sum_points(&metrics, name));
        let attributes = counters
            .into_iter()
            .flatten()
            .map(|point| &point.attributes);
        for attributes in attributes.chain(durations.map(|point| &point.attributes)) {
            assert_eq!(attribute(attributes, "faas.trigger"), expected.as_ref());
        }
    }
}
