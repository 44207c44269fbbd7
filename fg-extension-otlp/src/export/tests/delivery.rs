//! Tests of requests and responses: what is sent, retried, and dropped.

use std::pin::pin;

use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};

use super::clock::freeze;
use super::collector::{Collector, Received, ScriptedResponse};
use super::*;

/// Waits for the next `N` requests, and sorts them by path.
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
    let config = config(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret"),
        ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "user-agent=mine"),
        ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "none"),
    ]);
    let exporter = Exporter::start(&config, |_| with_metrics(&["calls", "errors"])).unwrap();
    exporter.enqueue(spans(&["a", "b"]), log_records(&["INFO", "WARN"]));
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

    let counters = exporter.counters();
    assert_eq!(
        (counters.exported, counters.queued_bytes),
        (counts(2, 2), 0)
    );
    exporter.shutdown().await.unwrap();
    assert!(!collector.has_received());
}

#[tokio::test]
async fn metrics_are_sent_when_something_has_changed() {
    let mut collector = Collector::start().await;
    let endpoint = format!("http://{}", collector.address);
    let config = config(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint)]);
    let exporter = Exporter::start(&config, |_| with_metrics(&["calls"])).unwrap();
    exporter.flush_for_invocation().await;
    assert!(!collector.has_received());
    exporter.metrics_changed();
    exporter.flush_for_invocation().await;
    assert_eq!(collector.received().await.names(), ["calls"]);
    // The export counters have changed again, but changed counters alone do not cause a request.
    exporter.enqueue(Vec::new(), log_records(&["INFO"]));
    exporter.flush_for_invocation().await;
    assert_eq!(collector.received().await.names(), ["INFO"]);
    exporter.flush_for_invocation().await;
    exporter.shutdown().await.unwrap();
    assert!(!collector.has_received());
}

#[tokio::test]
async fn data_is_delivered_when_the_collector_starts_late() {
    let (socket, address) = reserve_address();
    let exporter = exporter(address, &[]);
    exporter.enqueue(spans(&["a"]), log_records(&["INFO"]));
    exporter.flush_for_invocation().await;
    exporter.enqueue(spans(&["b"]), Vec::new());
    assert_eq!(exporter.counters().exported, counts(0, 0));

    // The workers retry without another flush.
    let mut collector = Collector::start_late(socket);
    let [logs, traces] = requests(&mut collector).await;
    assert_eq!(logs.names(), ["INFO"]);
    assert_eq!(traces.names(), ["a", "b"]);
    exporter.shutdown().await.unwrap();
    assert_eq!(exporter.counters().exported, counts(2, 1));
}

#[tokio::test]
async fn data_is_delivered_when_the_collector_restarts() {
    let mut collector = Collector::start().await;
    let address = collector.address;
    let exporter = exporter(address, &[]);
    collector.will_respond(ScriptedResponse::Never);
    exporter.enqueue(spans(&["a"]), Vec::new());
    exporter.request_flush();
    assert_eq!(collector.received().await.names(), ["a"]);
    collector.kill().await;

    exporter.enqueue(spans(&["b"]), Vec::new());
    let mut collector = Collector::start_again(address).await;
    // `b` arrived after the flush that sent `a`, but before the retry.
    assert_eq!(collector.received().await.names(), ["a", "b"]);
    exporter.shutdown().await.unwrap();
    assert_eq!(exporter.counters().exported, counts(2, 0));
}

#[tokio::test]
async fn retryable_responses_are_retried() {
    let mut collector = Collector::start().await;
    let exporter = exporter(collector.address, &[]);
    collector.will_respond(ScriptedResponse::with(
        503,
        &[("retry-after", "1")],
        b"busy",
    ));
    for status in [429, 502, 504] {
        collector.will_respond(ScriptedResponse::status(status));
    }
    exporter.enqueue(spans(&["a"]), Vec::new());
    exporter.request_flush();
    for _ in 0..5 {
        assert_eq!(collector.received().await.names(), ["a"]);
    }
    exporter.shutdown().await.unwrap();
    assert_eq!(exporter.counters().exported, counts(1, 0));
    assert!(!collector.has_received());
}

#[tokio::test]
async fn panic_is_a_failed_request() {
    use std::sync::atomic::{AtomicU32, Ordering};
    let mut collector = Collector::start().await;
    let endpoint = format!("http://{}", collector.address);
    let config = config(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("FG_OTLP_FLUSH", "end"),
    ]);
    let panics = AtomicU32::new(4);
    let exporter = Exporter::start(&config, move |_| {
        let left = panics.fetch_sub(1, Ordering::Relaxed);
        assert!(left == 0, "{left} more panics");
        panics.store(0, Ordering::Relaxed);
        with_metrics(&["calls"])
    })
    .unwrap();
    exporter.enqueue(spans(&["a", "b"]), Vec::new());
    exporter.flush_for_invocation().await;
    assert_eq!(exporter.counters().exported, counts(0, 0));
    // The worker retries without another flush, and then goes on.
    assert_eq!(collector.received().await.names(), ["a", "b"]);
    exporter.enqueue(spans(&["c"]), Vec::new());
    exporter.flush_for_invocation().await;
    assert_eq!(collector.received().await.names(), ["c"]);
    exporter.shutdown().await.unwrap();
    assert_eq!(exporter.counters().exported, counts(3, 0));
    assert_eq!(exporter.counters().queued_bytes, 0);
}

#[tokio::test]
async fn missing_response_times_out() {
    let mut collector = Collector::start().await;
    let exporter = exporter(
        collector.address,
        &[("OTEL_EXPORTER_OTLP_TIMEOUT", "60000")],
    );
    collector.will_respond(ScriptedResponse::Never);
    exporter.enqueue(spans(&["a"]), Vec::new());
    exporter.request_flush();
    for connection in [0, 1] {
        let request = collector.received().await;
        assert_eq!(
            (request.names(), request.connection),
            (vec!["a".to_owned()], connection)
        );
        freeze(Duration::from_secs(61));
    }
    exporter.shutdown().await.unwrap();
}

#[tokio::test]
async fn partial_success_is_counted() {
    let collector = Collector::start().await;
    let exporter = exporter(collector.address, &[]);
    collector.will_respond(ScriptedResponse::protobuf(
        200,
        &ExportTraceServiceResponse {
            partial_success: Some(ExportTracePartialSuccess {
                rejected_spans: 2,
                error_message: "too old".to_owned(),
            }),
        },
    ));
    exporter.enqueue(spans(&["a", "b", "c"]), Vec::new());
    exporter.flush_for_invocation().await;
    collector.will_respond(ScriptedResponse::protobuf(
        200,
        &ExportLogsServiceResponse {
            partial_success: Some(ExportLogsPartialSuccess {
                rejected_log_records: 1,
                error_message: String::new(),
            }),
        },
    ));
    exporter.enqueue(Vec::new(), log_records(&["INFO", "WARN", "ERROR"]));
    exporter.flush_for_invocation().await;

    let counters = exporter.counters();
    assert_eq!(
        (counters.exported, counters.rejected),
        (counts(1, 2), counts(2, 1))
    );
    let error = exporter.shutdown().await.unwrap_err().to_string();
    let endpoint = format!("http://{}", collector.address);
    assert_eq!(
        error,
        format!(
            "rejected: 2 spans by {endpoint}/v1/traces (too old), 1 log record by {endpoint}/v1/logs (no reason given)"
        )
    );
}

#[tokio::test]
async fn rejected_request_is_dropped_and_counted() {
    let mut collector = Collector::start().await;
    let exporter = exporter(collector.address, &[]);
    let elsewhere = format!("http://{}/elsewhere", collector.address);
    let rejections = [
        ScriptedResponse::with(400, &[], b"no such tenant"),
        ScriptedResponse::status(401),
        ScriptedResponse::status(413),
        ScriptedResponse::status(500),
        // A redirect is not followed, because that would send the credentials elsewhere.
        ScriptedResponse::with(307, &[("location", &elsewhere)], b""),
    ];
    let mut count = 0;
    for rejection in rejections {
        collector.will_respond(rejection);
        exporter.enqueue(spans(&["a", "b"]), Vec::new());
        exporter.flush_for_invocation().await;
        assert_eq!(collector.received().await.path, "/v1/traces");
        count += 2;
        let counters = exporter.counters();
        assert_eq!(
            (counters.rejected, counters.queued_bytes),
            (counts(count, 0), 0)
        );
    }
    exporter.enqueue(spans(&["c"]), Vec::new());
    exporter.flush_for_invocation().await;
    assert_eq!(exporter.counters().exported, counts(1, 0));
    let error = exporter.shutdown().await.unwrap_err().to_string();
    let endpoint = format!("http://{}/v1/traces", collector.address);
    assert_eq!(
        error,
        format!(
            "rejected: 10 spans by {endpoint} (status 307 Temporary Redirect; it redirects to {elsewhere}, \
             and redirects are not followed; write the final URL)"
        )
    );
}

#[tokio::test]
async fn long_response_is_truncated() {
    let collector = Collector::start().await;
    let exporter = exporter(collector.address, &[]);
    // A message that is too long makes the whole body unreadable.
    for (message, rejected) in [(1 << 10, 1), (1 << 20, 0)] {
        collector.will_respond(ScriptedResponse::protobuf(
            200,
            &ExportTraceServiceResponse {
                partial_success: Some(ExportTracePartialSuccess {
                    rejected_spans: 1,
                    error_message: "a".repeat(message),
                }),
            },
        ));
        let before = exporter.counters();
        exporter.enqueue(spans(&["a"]), Vec::new());
        exporter.flush_for_invocation().await;
        let counters = exporter.counters();
        assert_eq!(counters.rejected.spans - before.rejected.spans, rejected);
        assert_eq!(
            counters.exported.spans - before.exported.spans,
            1 - rejected
        );
    }
}

#[tokio::test]
async fn head_of_a_response_is_limited() {
    let mut collector = Collector::start().await;
    let exporter = exporter(collector.address, &[]);
    for (header, attempts) in [(12 << 10, 1), (20 << 10, 2)] {
        let header = "a".repeat(header);
        collector.will_respond(ScriptedResponse::with(200, &[("x-long", &header)], b""));
        exporter.enqueue(spans(&["a"]), Vec::new());
        exporter.request_flush();
        for _ in 0..attempts {
            let received = tokio::time::timeout(TEST_TIMEOUT, collector.received()).await;
            assert_eq!(received.expect("another attempt").names(), ["a"]);
        }
    }
    exporter.shutdown().await.unwrap();
    assert_eq!(exporter.counters().exported, counts(2, 0));
    assert!(!collector.has_received());
}

#[tokio::test]
async fn response_with_a_stalled_body_is_accepted() {
    let mut collector = Collector::start().await;
    let exporter = exporter(
        collector.address,
        &[("OTEL_EXPORTER_OTLP_TIMEOUT", "3600000")],
    );
    for name in ["a", "b"] {
        collector.will_respond(ScriptedResponse::StallBody);
        exporter.enqueue(spans(&[name]), Vec::new());
        let mut flush = pin!(exporter.flush_for_invocation());
        // It is not known when the head arrives, so freezes are simulated until the time for the body has elapsed.
        let poll = Duration::from_millis(100);
        while tokio::time::timeout(poll, &mut flush).await.is_err() {
            freeze(Duration::from_secs(3));
        }
        assert_eq!(collector.received().await.names(), [name]);
    }
    assert_eq!(exporter.counters().exported, counts(2, 0));
    exporter.shutdown().await.unwrap();
    assert!(!collector.has_received());
}

#[tokio::test]
async fn disabled_signal_is_not_sent() {
    let mut collector = Collector::start().await;
    let exporter = exporter(
        collector.address,
        &[
            ("OTEL_TRACES_EXPORTER", "none"),
            ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "collector:4318"),
        ],
    );
    exporter.enqueue(spans(&["a"]), log_records(&["INFO"]));
    exporter.metrics_changed();
    exporter.flush_for_invocation().await;
    assert_eq!(collector.received().await.names(), ["INFO"]);
    exporter.shutdown().await.unwrap();
    assert!(!collector.has_received());
    assert_eq!(exporter.counters().exported, counts(0, 1));
}

#[tokio::test]
async fn oldest_items_are_dropped_while_the_collector_is_down() {
    let (socket, address) = reserve_address();
    let exporter = exporter(address, &[("FG_OTLP_BUFFER", "1000")]);
    let name = |number| format!("{number:050}");
    exporter.enqueue(spans(&[&name(0)]), Vec::new());
    // Queueing an item has an overhead.
    let bytes = exporter.counters().queued_bytes;
    assert!(bytes > request::encode_span(spans(&[&name(0)]).remove(0)).bytes());
    let remaining = 1000 / bytes;
    for number in 1..99 {
        exporter.enqueue(spans(&[&name(number)]), Vec::new());
    }
    let counters = exporter.counters();
    assert_eq!(counters.dropped, counts(99 - remaining as u64, 0));
    assert_eq!(counters.queued_bytes, remaining * bytes);

    let mut collector = Collector::start_late(socket);
    let error = exporter.shutdown().await.unwrap_err().to_string();
    let dropped = format!("buffer was full: {} spans, ", 99 - remaining);
    assert!(error.contains(&dropped), "{error}");
    let newest: Vec<_> = (99 - remaining..99).map(name).collect();
    assert_eq!(collector.received().await.names(), newest);
    assert_eq!(exporter.counters().exported, counts(remaining as u64, 0));
}

#[tokio::test]
async fn closed_idle_connection_is_replaced() {
    let mut collector = Collector::start().await;
    let exporter = exporter(collector.address, &[]);
    // A flush completes at the first failure, so each of these is delivered at the first attempt.
    let flush = async |collector: &mut Collector, name: &str| {
        exporter.enqueue(spans(&[name]), Vec::new());
        exporter.flush_for_invocation().await;
        collector.received().await.connection
    };
    assert_eq!(flush(&mut collector, "a").await, 0);
    assert_eq!(flush(&mut collector, "b").await, 0);
    collector.close_connections().await;
    assert_eq!(flush(&mut collector, "c").await, 1);
    assert_eq!(exporter.counters().exported, counts(3, 0));

    // Here the connection is closed after the request has been sent.
    collector.will_respond(ScriptedResponse::Disconnect);
    assert_eq!(flush(&mut collector, "d").await, 1);
    assert_eq!(exporter.counters().exported, counts(4, 0));
    assert_eq!(collector.received().await.connection, 2);
    exporter.shutdown().await.unwrap();
}

#[tokio::test]
async fn failing_signal_does_not_delay_the_others() {
    let mut collector = Collector::start().await;
    let hole = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let traces = format!("http://{}", hole.local_addr().unwrap());
    let exporter = exporter(
        collector.address,
        &[
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &traces),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "3600000"),
            ("FG_OTLP_FLUSH_TIMEOUT", "500ms"),
        ],
    );
    for severity in ["INFO", "WARN"] {
        exporter.enqueue(spans(&["a"]), log_records(&[severity]));
        exporter.request_flush();
        assert_eq!(collector.received().await.names(), [severity]);
    }
    let error = exporter.shutdown().await.unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "not exported within 1.5s: 2 spans to {traces}/ (no response in time); \
             increase FG_OTLP_FLUSH_TIMEOUT if the collector needs more time"
        )
    );
}
