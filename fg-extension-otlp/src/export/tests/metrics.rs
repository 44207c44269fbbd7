//! Tests of our own metrics with a collector that fails.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, NumberDataPoint, ResourceMetrics, ScopeMetrics,
};
use prost::Message;
use serde_json::json;

use super::collector::{Collector, Received, ScriptedResponse};
use super::*;
use crate::config::ResourceConfig;
use crate::translate::{FunctionInfo, Translated, Translator};

const TEMPORALITY: &str = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE";

/// An exporter of the metrics of a translator.
struct Pipeline {
    translator: Arc<Mutex<Translator>>,
    exporter: Exporter,
    invocations: u64,
}

impl Pipeline {
    fn start(collector: &Collector, temporality: &str) -> Self {
        let endpoint = format!("http://{}", collector.address);
        let config = config(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
            ("FG_OTLP_FLUSH", "end"),
            (TEMPORALITY, temporality),
        ]);
        let translator = Translator::new(
            FunctionInfo::default(),
            ResourceConfig::default(),
            "instance".to_owned(),
            SystemTime::now(),
        );
        let translator = Arc::new(Mutex::new(translator.with_sdk(config.sdk.clone())));
        let snapshot = {
            let translator = Arc::clone(&translator);
            move |request: SnapshotRequest| {
                let mut translator = translator.lock().unwrap();
                let collect = |previous| translator.metrics(previous, &[], SystemTime::now());
                Snapshot {
                    metrics: request.metrics.map(collect).unwrap_or_default(),
                    ..Snapshot::default()
                }
            }
        };
        Self {
            translator,
            exporter: Exporter::start(&config, snapshot).unwrap(),
            invocations: 0,
        }
    }

    /// Counts an invocation, and requests a flush.
    fn invocation(&mut self) {
        self.invocations += 1;
        let event = json!({
            "name": "platform.runtimeDone", "traceId": self.invocations.to_string(), "status": "success",
        });
        let report = json!({
            "name": "platform.report", "traceId": self.invocations.to_string(), "metrics": {"durationMs": 1},
        });
        for event in [event, report] {
            let event = serde_json::from_value(event).unwrap();
            let mut out = Translated::default();
            let mut translator = self.translator.lock().unwrap();
            translator.translate(&event, SystemTime::now(), &mut out);
        }
        self.flush();
    }

    fn flush(&self) {
        self.exporter.metrics_changed();
        self.exporter.request_flush();
    }
}

/// Returns the data points of `faas.invocations`.
fn invocations(received: &Received) -> Vec<NumberDataPoint> {
    let request = ExportMetricsServiceRequest::decode(received.body.as_slice()).unwrap();
    let resources = request.resource_metrics.into_iter();
    let metrics = resources
        .flat_map(|resource| resource.scope_metrics)
        .flat_map(|scope| scope.metrics);
    let mut metrics = metrics.filter(|metric| metric.name == "faas.invocations");
    match metrics.next().unwrap().data {
        Some(Data::Sum(sum)) => sum.data_points,
        other => panic!("{other:?}"),
    }
}

fn value(point: &NumberDataPoint) -> i64 {
    match point.value {
        Some(Value::AsInt(value)) => value,
        other => panic!("{other:?}"),
    }
}

fn partial_success(rejected_data_points: i64) -> ScriptedResponse {
    let partial_success = Some(ExportMetricsPartialSuccess {
        rejected_data_points,
        error_message: "too old".to_owned(),
    });
    ScriptedResponse::protobuf(200, &ExportMetricsServiceResponse { partial_success })
}

#[tokio::test]
async fn delta_loses_nothing_and_counts_nothing_twice() {
    let mut collector = Collector::start().await;
    let mut pipeline = Pipeline::start(&collector, "delta");
    for response in [
        ScriptedResponse::status(503),
        ScriptedResponse::Disconnect,
        partial_success(0),
        ScriptedResponse::status(429),
    ] {
        collector.will_respond(response);
    }
    pipeline.invocation();
    let mut received = Vec::new();
    for _ in 0..3 {
        received.push(invocations(&collector.received().await));
    }
    pipeline.invocation();
    for _ in 0..2 {
        received.push(invocations(&collector.received().await));
    }
    let values: Vec<i64> = received.iter().flatten().map(value).collect();
    assert_eq!(values, [1; 5]);
    // Each interval starts where the previous accepted one ended.
    let times = |points: &[NumberDataPoint]| {
        let [point] = points else {
            panic!("{points:?}");
        };
        (point.start_time_unix_nano, point.time_unix_nano)
    };
    let start = times(&received[0]).0;
    assert_eq!([1, 2].map(|index| times(&received[index]).0), [start; 2]);
    let end = times(&received[2]).1;
    assert_eq!([3, 4].map(|index| times(&received[index]).0), [end; 2]);

    // An invocation that is counted while a request is in flight is in the next one, at the shutdown at the latest.
    let (respond, gated) = ScriptedResponse::status(200).gated();
    collector.will_respond(gated);
    pipeline.invocation();
    assert_eq!(value(&invocations(&collector.received().await)[0]), 1);
    pipeline.invocation();
    pipeline.invocation();
    respond.send(()).unwrap();
    pipeline.exporter.shutdown().await.unwrap();
    assert_eq!(value(&invocations(&collector.received().await)[0]), 2);
    assert!(!collector.has_received());
}

#[tokio::test]
async fn rejected_delta_is_counted_as_rejected() {
    let mut collector = Collector::start().await;
    let mut pipeline = Pipeline::start(&collector, "delta");
    collector.will_respond(ScriptedResponse::status(400));
    pipeline.invocation();
    // The count of invocations, that of cold starts, and the duration.
    assert_eq!(value(&invocations(&collector.received().await)[0]), 1);
    collector.will_respond(partial_success(1));
    pipeline.invocation();
    assert_eq!(value(&invocations(&collector.received().await)[0]), 1);
    let error = pipeline.exporter.shutdown().await.unwrap_err().to_string();
    assert!(error.contains("4 data points"), "{error}");
    assert!(!collector.has_received());
}

#[tokio::test]
async fn rejected_total_is_part_of_the_next() {
    let mut collector = Collector::start().await;
    let mut pipeline = Pipeline::start(&collector, "cumulative");
    collector.will_respond(ScriptedResponse::status(400));
    pipeline.invocation();
    let first = invocations(&collector.received().await);
    assert_eq!(first.iter().map(value).max(), Some(1));
    pipeline.invocation();
    let [second] = &*invocations(&collector.received().await) else {
        panic!("there is more than one data point");
    };
    assert_eq!(value(second), 2);
    pipeline.exporter.shutdown().await.unwrap();
    // All of it has been accepted.
    assert!(!collector.has_received());
}

#[tokio::test]
async fn unchanged_metrics_are_not_sent_again() {
    for temporality in ["cumulative", "delta"] {
        let mut collector = Collector::start().await;
        let mut pipeline = Pipeline::start(&collector, temporality);
        pipeline.invocation();
        assert_eq!(collector.received().await.path, "/v1/metrics");
        pipeline.flush();
        pipeline.exporter.flush_for_invocation().await;
        pipeline.flush();
        pipeline.exporter.shutdown().await.unwrap();
        assert!(!collector.has_received(), "{temporality}");
    }
}

#[tokio::test]
async fn received_metrics_are_sent_if_our_own_have_not_changed() {
    let received = |name: &str| {
        let metric = Metric {
            name: name.to_owned(),
            data: Some(Data::Gauge(Gauge {
                data_points: vec![NumberDataPoint::default()],
            })),
            ..Metric::default()
        };
        let scope = ScopeMetrics {
            metrics: vec![metric],
            ..ScopeMetrics::default()
        };
        ReceivedRequest::Metrics(vec![ResourceMetrics {
            scope_metrics: vec![scope],
            ..ResourceMetrics::default()
        }])
    };
    let mut collector = Collector::start().await;
    let endpoint = format!("http://{}", collector.address);
    let config = config(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("FG_OTLP_FLUSH", "end"),
    ]);
    let own = Arc::new(Mutex::new(vec!["own"]));
    let snapshot = {
        let own = Arc::clone(&own);
        move |request: SnapshotRequest| match request.metrics {
            Some(_) => with_metrics(&own.lock().unwrap()),
            None => Snapshot::default(),
        }
    };
    let exporter = Exporter::start(&config, snapshot).unwrap();

    // The collector rejects both together as too large, so they are sent in separate requests from now on.
    collector.will_respond(ScriptedResponse::status(413));
    exporter.metrics_changed();
    exporter.enqueue_received(received("a")).await;
    exporter.flush_for_invocation().await;
    for expected in [&["own", "a"][..], &["own"], &["a"]] {
        assert_eq!(collector.received().await.names(), expected);
    }

    own.lock().unwrap().clear();
    exporter.metrics_changed();
    exporter.enqueue_received(received("b")).await;
    exporter.flush_for_invocation().await;
    let request = tokio::time::timeout(TEST_TIMEOUT, collector.received()).await;
    assert_eq!(request.unwrap().names(), ["b"]);
}

#[tokio::test]
async fn last_metrics_of_the_forwarder_count_what_the_shutdown_sent() {
    let mut traces = Collector::start().await;
    let mut metrics = Collector::start().await;
    let (respond, response) = ScriptedResponse::status(200).gated();
    traces.will_respond(response);
    let url = |collector: &Collector, path| format!("http://{}{path}", collector.address);
    let config = config(&[
        (
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            &url(&traces, "/v1/traces"),
        ),
        (
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
            &url(&metrics, "/v1/metrics"),
        ),
        ("FG_OTLP_FLUSH", "periodic"),
        ("FG_OTLP_FLUSH_INTERVAL", "1h"),
        ("FG_OTLP_OWN_METRICS", "true"),
    ]);
    let exported = |request: SnapshotRequest| {
        let spans = request.counters.exported.spans.to_string();
        with_metrics(&[&spans])
    };
    let exporter = Exporter::start(&config, exported).unwrap();
    exporter.enqueue(spans(&["a"]), Vec::new());
    exporter.metrics_changed();
    let requests = async {
        traces.received().await;
        assert_eq!(metrics.received().await.names(), ["0"]);
        respond.send(()).unwrap();
        assert_eq!(metrics.received().await.names(), ["1"]);
    };
    let (shutdown, ()) = tokio::join!(exporter.shutdown(), requests);
    shutdown.unwrap();
    assert!(!metrics.has_received());
}
