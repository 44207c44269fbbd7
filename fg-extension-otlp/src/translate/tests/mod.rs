//! Tests of the translator.

mod event_order;
mod faas_metrics;
mod log_correlation;
mod log_records;
mod metric_requests;
mod missing_reports;
mod received_logs;
mod received_spans;
mod resource_attributes;
mod span_fields;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fg_extension::Invocation;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::Metric;
use serde_json::{Value, json};

use super::{FunctionInfo, Translated, Translator};
use crate::config::ResourceConfig;
use crate::delivery::Delivery;

const ID: &str = "3da1f2dc-3222-475e-9205-e2e6c6318895";
const OTHER_ID: &str = "00000000-0000-4000-8000-000000000002";
const URN: &str = "urn:fss:cn-north-4:0a1b:function:default:hello:latest";

/// The start of every test, in seconds: 2023-06-25T00:00:00Z.
const T0: u64 = 1_687_651_200;

/// A translator, its output, and a clock that the test sets.
struct Harness {
    translator: Translator,
    out: Translated,
    now: SystemTime,
}

impl Harness {
    fn new() -> Self {
        Self::with(FunctionInfo::default(), ResourceConfig::default())
    }

    fn with(function: FunctionInfo, resource: ResourceConfig) -> Self {
        let now = at(0);
        Self {
            translator: Translator::new(function, resource, "instance".into(), now),
            out: Translated::default(),
            now,
        }
    }

    fn json(&mut self, text: &str) {
        let event = serde_json::from_str(text).unwrap();
        self.translator.translate(&event, self.now, &mut self.out);
    }

    fn event(&mut self, event: Value) {
        self.json(&event.to_string());
    }

    fn invoked(&mut self, id: &str, urn: &str) {
        let invocation: Invocation =
            serde_json::from_value(json!({"traceId": id, "invokedFunctionUrn": urn})).unwrap();
        self.translator
            .record_invocation(&invocation, self.now, &mut self.out);
    }

    fn start(&mut self, id: &str) {
        self.event(json!({"name": "platform.start", "startTime": time(0), "traceId": id}));
    }

    fn done(&mut self, id: &str, status: &str) {
        self.event(json!({"name": "platform.runtimeDone", "traceId": id, "status": status}));
    }

    /// Ends an invocation with a failure.
    fn fail(&mut self, id: &str) {
        self.event(json!({
            "name": "platform.runtimeDone", "traceId": id, "status": "error", "errorType": "OutOfMemory",
        }));
    }

    /// Ends an invocation successfully: `runtimeDone`, then `report`.
    fn report(&mut self, id: &str) {
        self.done(id, "success");
        self.report_alone(id);
    }

    fn report_alone(&mut self, id: &str) {
        self.event(json!({
            "name": "platform.report",
            "startTime": time(0),
            "endTime": time(20),
            "traceId": id,
            "metrics": {"durationMs": 20},
        }));
    }

    fn finish(&mut self) {
        self.translator.finish(self.now, &mut self.out);
    }

    /// Returns the metrics for a request, as if the collector had accepted the previous one.
    fn metrics(&mut self) -> Vec<Metric> {
        self.metrics_after(Some(Delivery::Accepted))
    }

    /// Returns the metrics for a request.
    fn metrics_after(&mut self, previous: Option<Delivery>) -> Vec<Metric> {
        self.translator.metrics(previous, &[], self.now)
    }
}

/// Returns the time `millis` after the start.
fn at(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(T0) + Duration::from_millis(millis)
}

/// Returns the same time in OTLP's format.
fn nanos(millis: u64) -> u64 {
    T0 * 1_000_000_000 + millis * 1_000_000
}

/// Returns the same time in the platform's format.
fn time(millis: u64) -> String {
    let (seconds, millis) = (millis / 1000, millis % 1000);
    format!(
        "2023-06-25T00:{:02}:{:02}.{millis:03}Z",
        seconds / 60,
        seconds % 60
    )
}

#[track_caller]
fn attribute<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Any> {
    let mut values = attributes.iter().filter(|attribute| attribute.key == key);
    let value = values.next()?.value.as_ref()?.value.as_ref();
    assert!(values.next().is_none(), "{key} occurs twice");
    value
}

fn text(text: &str) -> Any {
    Any::StringValue(text.to_owned())
}

fn any(value: Any) -> AnyValue {
    AnyValue { value: Some(value) }
}
