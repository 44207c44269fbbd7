//! What is sent, and what becomes of it.

use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};

use super::collector::{Answer, Collector, Received};
use super::*;

/// The next so many requests, by path.
async fn requests<const N: usize>(collector: &mut Collector) -> [Received; N] {
    let mut requests = Vec::new();
    for _ in 0..N {
        requests.push(collector.received().await);
    }
    requests.sort_by(|a, b| a.path.cmp(&b.path));
    requests.try_into().ok().unwrap()
}

#[tokio::test]
async fn each_signal_is_sent_to_its_path() {
    let mut collector = Collector::start().await;
    let endpoint = format!("http://{}/otlp/", collector.address);
    let settings = settings(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret"),
        ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "user-agent=mine"),
        ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "none"),
    ]);
    let exporter = Exporter::start(&settings, |_| with_metrics(&["calls", "errors"])).unwrap();
    exporter.push(spans(&["a", "b"]), log_records(&["INFO", "WARN"]));
    exporter.metrics_changed();
    exporter.flush_for_invocation().await;

    let [logs, metrics, traces] = requests(&mut collector).await;
    assert_eq!(logs.path, "/otlp/v1/logs");
    assert_eq!(logs.names(), ["INFO", "WARN"]);
    assert_eq!(logs.headers["user-agent"], "mine");
    assert!(!logs.headers.contains_key("api-key"));
    assert_eq!(metrics.path, "/otlp/v1/metrics");
    assert_eq!(metrics.names(), ["calls", "errors"]);
    assert!(!metrics.headers.contains_key("content-encoding"));
    assert_eq!(traces.path, "/otlp/v1/traces");
    assert_eq!(traces.names(), ["a", "b"]);
    assert_eq!(traces.headers["content-encoding"], "gzip");
    assert_eq!(traces.headers["content-type"], "application/x-protobuf");
    assert_eq!(traces.headers["api-key"], "secret");
    assert_eq!(
        traces.headers["user-agent"],
        concat!(
            "FG-Extension-OTLP-Exporter-Rust/",
            env!("CARGO_PKG_VERSION")
        )
    );
    assert_eq!(traces.headers["host"], collector.address.to_string());

    let counts = exporter.counts();
    assert_eq!((counts.exported, counts.buffered_bytes), (tally(2, 2), 0));
    exporter.shutdown().await.unwrap();
    assert!(!collector.has_received());
}

#[tokio::test]
async fn metrics_are_sent_when_something_has_changed() {
    let mut collector = Collector::start().await;
    let endpoint = format!("http://{}", collector.address);
    let settings = settings(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]);
    let exporter = Exporter::start(&settings, |_| with_metrics(&["calls"])).unwrap();
    exporter.flush_for_invocation().await;
    assert!(!collector.has_received());
    exporter.metrics_changed();
    exporter.flush_for_invocation().await;
    assert_eq!(collector.received().await.names(), ["calls"]);
    // Our own counters have changed by now, and again with this log record, which is no reason to tell them.
    exporter.push(Vec::new(), log_records(&["INFO"]));
    exporter.flush_for_invocation().await;
    assert_eq!(collector.received().await.names(), ["INFO"]);
    exporter.flush_for_invocation().await;
    exporter.shutdown().await.unwrap();
    assert!(!collector.has_received());
}

#[tokio::test]
async fn nothing_is_lost_if_the_collector_comes_later() {
    let (socket, address) = silent_address();
    let exporter = exporter(address, &[]);
    exporter.push(spans(&["a"]), log_records(&["INFO"]));
    exporter.flush_for_invocation().await;
    exporter.push(spans(&["b"]), Vec::new());
    assert_eq!(exporter.counts().exported, tally(0, 0));

    // The workers try again of their own accord.
    let mut collector = Collector::start_late(socket);
    let [logs, traces] = requests(&mut collector).await;
    assert_eq!(logs.names(), ["INFO"]);
    assert_eq!(traces.names(), ["a", "b"]);
    exporter.shutdown().await.unwrap();
    assert_eq!(exporter.counts().exported, tally(2, 1));
}

#[tokio::test]
async fn nothing_is_lost_if_the_collector_is_killed_midway() {
    let mut collector = Collector::start().await;
    let address = collector.address;
    let exporter = exporter(address, &[]);
    collector.will(Answer::Never);
    exporter.push(spans(&["a"]), Vec::new());
    exporter.nudge();
    assert_eq!(collector.received().await.names(), ["a"]);
    collector.kill().await;

    exporter.push(spans(&["b"]), Vec::new());
    let mut collector = Collector::start_again(address).await;
    // `b` came after the flush that `a` belongs to, but before the one that the try again is.
    assert_eq!(collector.received().await.names(), ["a", "b"]);
    exporter.shutdown().await.unwrap();
    assert_eq!(exporter.counts().exported, tally(2, 0));
}

#[tokio::test]
async fn retryable_answers_are_tried_again() {
    let mut collector = Collector::start().await;
    let exporter = exporter(collector.address, &[]);
    collector.will(Answer::with(503, &[("retry-after", "1")], b"busy"));
    for status in [429, 502, 504] {
        collector.will(Answer::status(status));
    }
    exporter.push(spans(&["a"]), Vec::new());
    exporter.nudge();
    for _ in 0..5 {
        assert_eq!(collector.received().await.names(), ["a"]);
    }
    exporter.shutdown().await.unwrap();
    assert_eq!(exporter.counts().exported, tally(1, 0));
    assert!(!collector.has_received());
}

#[tokio::test]
async fn answer_that_does_not_come_is_not_waited_for() {
    let mut collector = Collector::start().await;
    let exporter = exporter(collector.address, &[("OTEL_EXPORTER_OTLP_TIMEOUT", "50")]);
    collector.will(Answer::Never);
    exporter.push(spans(&["a"]), Vec::new());
    exporter.nudge();
    for connection in [0, 1] {
        let request = collector.received().await;
        assert_eq!(
            (request.names(), request.connection),
            (vec!["a".to_owned()], connection)
        );
    }
    exporter.shutdown().await.unwrap();
}

#[tokio::test]
async fn partial_success_is_counted() {
    let collector = Collector::start().await;
    let exporter = exporter(collector.address, &[]);
    collector.will(Answer::protobuf(
        200,
        &ExportTraceServiceResponse {
            partial_success: Some(ExportTracePartialSuccess {
                rejected_spans: 2,
                error_message: "too old".to_owned(),
            }),
        },
    ));
    exporter.push(spans(&["a", "b", "c"]), Vec::new());
    exporter.flush_for_invocation().await;
    collector.will(Answer::protobuf(
        200,
        &ExportLogsServiceResponse {
            partial_success: Some(ExportLogsPartialSuccess {
                rejected_log_records: 1,
                error_message: String::new(),
            }),
        },
    ));
    exporter.push(Vec::new(), log_records(&["INFO", "WARN", "ERROR"]));
    exporter.flush_for_invocation().await;

    let counts = exporter.counts();
    assert_eq!(
        (counts.exported, counts.rejected),
        (tally(1, 2), tally(2, 1))
    );
    exporter.shutdown().await.unwrap();
}

#[tokio::test]
async fn refused_request_is_dropped_and_counted() {
    let mut collector = Collector::start().await;
    let exporter = exporter(collector.address, &[]);
    let elsewhere = format!("http://{}/elsewhere", collector.address);
    let refusals = [
        Answer::with(400, &[], b"no such tenant"),
        Answer::status(401),
        Answer::status(413),
        Answer::status(500),
        // A redirect is not followed: it would take the credentials with it.
        Answer::with(307, &[("location", &elsewhere)], b""),
    ];
    let mut count = 0;
    for refusal in refusals {
        collector.will(refusal);
        exporter.push(spans(&["a", "b"]), Vec::new());
        exporter.flush_for_invocation().await;
        assert_eq!(collector.received().await.path, "/v1/traces");
        count += 2;
        let counts = exporter.counts();
        assert_eq!(
            (counts.rejected, counts.buffered_bytes),
            (tally(count, 0), 0)
        );
    }
    exporter.push(spans(&["c"]), Vec::new());
    exporter.flush_for_invocation().await;
    assert_eq!(exporter.counts().exported, tally(1, 0));
    exporter.shutdown().await.unwrap();
}

#[tokio::test]
async fn long_answer_is_not_read_to_its_end() {
    let collector = Collector::start().await;
    let exporter = exporter(collector.address, &[]);
    // What is after so long a message is not known any more.
    for (message, rejected) in [(1 << 10, 1), (1 << 20, 0)] {
        collector.will(Answer::protobuf(
            200,
            &ExportTraceServiceResponse {
                partial_success: Some(ExportTracePartialSuccess {
                    rejected_spans: 1,
                    error_message: "a".repeat(message),
                }),
            },
        ));
        let before = exporter.counts();
        exporter.push(spans(&["a"]), Vec::new());
        exporter.flush_for_invocation().await;
        let counts = exporter.counts();
        assert_eq!(counts.rejected.spans - before.rejected.spans, rejected);
        assert_eq!(counts.exported.spans - before.exported.spans, 1 - rejected);
    }
}

#[tokio::test]
async fn answer_whose_rest_stalls_counts() {
    let mut collector = Collector::start().await;
    let exporter = exporter(collector.address, &[("OTEL_EXPORTER_OTLP_TIMEOUT", "500")]);
    for name in ["a", "b"] {
        collector.will(Answer::Stall);
        exporter.push(spans(&[name]), Vec::new());
        let flushed = tokio::time::timeout(PATIENCE, exporter.flush_for_invocation());
        flushed.await.unwrap();
        assert_eq!(collector.received().await.names(), [name]);
    }
    assert_eq!(exporter.counts().exported, tally(2, 0));
    exporter.shutdown().await.unwrap();
    assert!(!collector.has_received());
}

#[tokio::test]
async fn signal_that_is_off_is_not_sent() {
    let mut collector = Collector::start().await;
    let exporter = exporter(
        collector.address,
        &[
            ("OTEL_TRACES_EXPORTER", "none"),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "collector:4318"),
        ],
    );
    exporter.push(spans(&["a"]), log_records(&["INFO"]));
    exporter.metrics_changed();
    exporter.flush_for_invocation().await;
    assert_eq!(collector.received().await.names(), ["INFO"]);
    exporter.shutdown().await.unwrap();
    assert!(!collector.has_received());
    assert_eq!(exporter.counts().exported, tally(0, 1));
}

#[tokio::test]
async fn oldest_items_make_room_while_the_collector_is_down() {
    let (socket, address) = silent_address();
    let exporter = exporter(address, &[("FG_OTLP_BUFFER", "1000")]);
    let name = |number| format!("{number:050}");
    exporter.push(spans(&[&name(0)]), Vec::new());
    // It costs something to keep one.
    let bytes = exporter.counts().buffered_bytes;
    assert!(bytes > body::span(spans(&[&name(0)]).remove(0)).len());
    let kept = 1000 / bytes;
    for number in 1..99 {
        exporter.push(spans(&[&name(number)]), Vec::new());
    }
    let counts = exporter.counts();
    assert_eq!(counts.dropped, tally(99 - kept as u64, 0));
    assert_eq!(counts.buffered_bytes, kept * bytes);

    let mut collector = Collector::start_late(socket);
    exporter.shutdown().await.unwrap();
    let newest: Vec<_> = (99 - kept..99).map(name).collect();
    assert_eq!(collector.received().await.names(), newest);
    assert_eq!(exporter.counts().exported, tally(kept as u64, 0));
}

#[tokio::test]
async fn connection_that_was_closed_meanwhile_costs_nothing() {
    let mut collector = Collector::start().await;
    let exporter = exporter(collector.address, &[]);
    // A retry would be for the next flush, so each of these is delivered at the first try.
    let flush = async |collector: &mut Collector, name: &str| {
        exporter.push(spans(&[name]), Vec::new());
        exporter.flush_for_invocation().await;
        collector.received().await.connection
    };
    assert_eq!(flush(&mut collector, "a").await, 0);
    assert_eq!(flush(&mut collector, "b").await, 0);
    collector.close_connections().await;
    assert_eq!(flush(&mut collector, "c").await, 1);
    assert_eq!(exporter.counts().exported, tally(3, 0));

    // Here it breaks when the request is on its way already.
    collector.will(Answer::Break);
    assert_eq!(flush(&mut collector, "d").await, 1);
    assert_eq!(exporter.counts().exported, tally(4, 0));
    assert_eq!(collector.received().await.connection, 2);
    exporter.shutdown().await.unwrap();
}

#[tokio::test]
async fn signal_that_fails_does_not_hold_up_the_others() {
    let mut collector = Collector::start().await;
    let hole = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let traces = format!("http://{}", hole.local_addr().unwrap());
    let exporter = exporter(
        collector.address,
        &[
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &traces),
            ("FG_OTLP_FLUSH_TIMEOUT", "500ms"),
        ],
    );
    for severity in ["INFO", "WARN"] {
        exporter.push(spans(&["a"]), log_records(&[severity]));
        exporter.nudge();
        assert_eq!(collector.received().await.names(), [severity]);
    }
    let error = exporter.shutdown().await.unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "not exported within 1.5s: 2 spans to {traces}/ (no answer in time); \
             FG_OTLP_FLUSH_TIMEOUT gives the last flush more time"
        )
    );
}
