//! Tests of flushing: when data is sent, and which invocations wait for it.

use std::time::{Instant, SystemTime};

use super::clock::freeze;
use super::collector::{Collector, ScriptedResponse};
use super::*;

#[tokio::test]
async fn flush_times_out_without_a_response() {
    let mut collector = Collector::start().await;
    let exporter = exporter(collector.address, &[("FG_OTLP_FLUSH_TIMEOUT", "20ms")]);
    collector.will_respond(ScriptedResponse::Never);
    exporter.enqueue(spans(&["a"]), Vec::new());
    let flushed = tokio::time::timeout(TEST_TIMEOUT, exporter.flush_for_invocation());
    flushed.await.unwrap();
    assert_eq!(collector.received().await.names(), ["a"]);

    let error = exporter.shutdown().await.unwrap_err().to_string();
    assert!(
        error.starts_with("not exported within 1s: 1 span to http://"),
        "{error}"
    );
}

#[tokio::test]
async fn request_continues_after_its_flush_is_canceled() {
    let mut collector = Collector::start().await;
    let exporter = exporter(collector.address, &[("FG_OTLP_FLUSH_TIMEOUT", "0")]);
    exporter.enqueue(spans(&["a"]), Vec::new());
    exporter.flush_for_invocation().await;
    assert_eq!(collector.received().await.names(), ["a"]);
}

#[tokio::test]
async fn flush_returns_immediately_while_the_collector_is_down() {
    let mut collector = Collector::start().await;
    // A flush that waits here would wait for an hour.
    let exporter = exporter(collector.address, &[]);
    collector.will_respond(ScriptedResponse::with(503, &[("retry-after", "30")], b""));
    exporter.enqueue(spans(&["a"]), Vec::new());
    exporter.flush_for_invocation().await;
    assert_eq!(collector.received().await.names(), ["a"]);
    exporter.enqueue(spans(&["b"]), Vec::new());
    exporter.flush_for_invocation().await;
    exporter.flush_for_invocation().await;
    assert!(!collector.has_received());

    // The last flush ignores the pause.
    exporter.shutdown().await.unwrap();
    assert_eq!(collector.received().await.names(), ["a", "b"]);
}

#[tokio::test]
async fn only_one_invocation_waits_for_an_unresponsive_collector() {
    let mut collector = Collector::start().await;
    let exporter = exporter(
        collector.address,
        &[
            ("FG_OTLP_FLUSH_TIMEOUT", "20ms"),
            ("OTEL_METRICS_EXPORTER", "none"),
            ("OTEL_LOGS_EXPORTER", "none"),
        ],
    );
    collector.will_respond(ScriptedResponse::Never);
    exporter.enqueue(spans(&["a"]), Vec::new());
    exporter.flush_for_invocation().await;
    assert_eq!(collector.received().await.names(), ["a"]);
    for _ in 0..2 {
        tokio::select! {
            biased;
            () = exporter.flush_for_invocation() => {}
            () = std::future::ready(()) => panic!("another invocation waits"),
        }
    }
}

#[tokio::test]
async fn failure_completes_every_pending_flush() {
    let mut collector = Collector::start().await;
    let exporter = exporter(collector.address, &[]);
    let (open, response) = ScriptedResponse::with(503, &[("retry-after", "300")], b"").gated();
    collector.will_respond(response);
    exporter.enqueue(spans(&["a"]), Vec::new());
    exporter.request_flush();
    assert_eq!(collector.received().await.names(), ["a"]);
    let waited = async {
        tokio::join!(exporter.flush_for_invocation(), async {
            open.send(()).unwrap();
        })
    };
    tokio::time::timeout(TEST_TIMEOUT, waited).await.unwrap();
    assert!(!collector.has_received());
}

#[tokio::test]
async fn thaw_sends_what_became_due_in_the_freeze() {
    let mut collector = Collector::start().await;
    let endpoint = format!("http://{}", collector.address);
    let config = config(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("FG_OTLP_FLUSH", "periodic"),
        ("FG_OTLP_FLUSH_INTERVAL", "30m"),
    ]);
    let exporter = Exporter::start(&config, |_| Snapshot::default()).unwrap();
    exporter.enqueue(spans(&["a"]), Vec::new());
    // The workers set their timers.
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    freeze(Duration::from_secs(3600));
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(!collector.has_received());
    exporter.record_invocation(SystemTime::now());
    let received = tokio::time::timeout(TEST_TIMEOUT, collector.received()).await;
    assert_eq!(received.unwrap().names(), ["a"]);
}

#[tokio::test]
async fn periodic_mode_does_not_flush_after_invocations() {
    let mut collector = Collector::start().await;
    let endpoint = format!("http://{}", collector.address);
    let periodic = |interval| {
        let config = config(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
            ("FG_OTLP_FLUSH", "periodic"),
            ("FG_OTLP_FLUSH_INTERVAL", interval),
        ]);
        Exporter::start(&config, |_| Snapshot::default()).unwrap()
    };
    let exporter = periodic("10ms");
    for name in ["a", "b"] {
        exporter.enqueue(spans(&[name]), Vec::new());
        assert_eq!(collector.received().await.names(), [name]);
    }
    exporter.shutdown().await.unwrap();

    let exporter = periodic("1h");
    exporter.enqueue(spans(&["c"]), Vec::new());
    exporter.flush_for_invocation().await;
    exporter.request_flush();
    exporter.record_invocation(SystemTime::now());
    assert!(!collector.has_received());
    exporter.shutdown().await.unwrap();
    assert_eq!(collector.received().await.names(), ["c"]);
}

#[tokio::test]
async fn adaptive_mode_flushes_at_end_while_invocations_are_rare() {
    let mut collector = Collector::start().await;
    let endpoint = format!("http://{}", collector.address);
    let config = config(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("FG_OTLP_FLUSH_INTERVAL", "1m"),
    ]);
    let exporter = Exporter::start(&config, |_| Snapshot::default()).unwrap();
    let start = SystemTime::now();
    exporter.record_invocation(start);
    exporter.enqueue(spans(&["a"]), Vec::new());
    exporter.flush_for_invocation().await;
    assert_eq!(collector.received().await.names(), ["a"]);

    for second in 1..9 {
        exporter.record_invocation(start + Duration::from_secs(second));
    }
    exporter.enqueue(spans(&["b"]), Vec::new());
    exporter.flush_for_invocation().await;
    assert!(!collector.has_received());

    exporter.record_invocation(start + Duration::from_secs(600));
    exporter.flush_for_invocation().await;
    assert_eq!(collector.received().await.names(), ["b"]);
}

#[tokio::test]
async fn last_flush_retries() {
    let mut collector = Collector::start().await;
    let exporter = exporter(collector.address, &[]);
    collector.will_respond(ScriptedResponse::status(503));
    exporter.enqueue(spans(&["a"]), Vec::new());
    exporter.shutdown().await.unwrap();
    for _ in 0..2 {
        assert_eq!(collector.received().await.names(), ["a"]);
    }
    assert_eq!(exporter.counters().exported, counts(1, 0));
}

#[tokio::test]
async fn last_flush_does_not_lose_time_in_a_freeze() {
    let (socket, address) = reserve_address();
    let exporter = exporter(address, &[("FG_OTLP_FLUSH_TIMEOUT", "1s")]);
    exporter.enqueue(spans(&["a"]), Vec::new());
    let frozen = async {
        // Blocks the only thread for longer than the flush may take, which looks like a freeze.
        std::thread::sleep(Duration::from_secs(4));
        Collector::start_late(socket)
    };
    let (shutdown, mut collector) = tokio::join!(exporter.shutdown(), frozen);
    shutdown.unwrap();
    assert_eq!(collector.received().await.names(), ["a"]);
}

#[tokio::test]
async fn last_flush_makes_a_last_attempt() {
    let fail: [fn() -> ScriptedResponse; 2] = [
        || ScriptedResponse::status(503),
        || ScriptedResponse::Disconnect,
    ];
    for fail in fail {
        let mut collector = Collector::start().await;
        let exporter = exporter(collector.address, &[("FG_OTLP_FLUSH_TIMEOUT", "1s")]);
        for _ in 0..100 {
            collector.will_respond(fail());
        }
        exporter.enqueue(spans(&["a"]), Vec::new());
        let start = Instant::now();
        exporter.shutdown().await.unwrap_err();
        assert!(start.elapsed() >= Duration::from_millis(2750));
        let mut attempts = 0;
        while collector.has_received() {
            attempts += 1;
        }
        // Pauses of at most 50, 100, 200, 400 and then 500 ms, which jitter shortens by up to half.
        assert!((5..=18).contains(&attempts), "{attempts}");
    }
}

#[tokio::test]
async fn last_flush_reports_lost_items() {
    let (_socket, address) = reserve_address();
    let endpoint = format!("http://{address}");
    let config = config(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("FG_OTLP_FLUSH_TIMEOUT", "1s"),
    ]);
    let exporter = Exporter::start(&config, |_| with_metrics(&["calls"])).unwrap();
    exporter.enqueue(spans(&["a", "b"]), log_records(&["INFO"]));
    exporter.metrics_changed();
    let error = exporter.shutdown().await.unwrap_err().to_string();
    for part in [
        "not exported within 3s: 2 spans to http://127.0.0.1:",
        "/v1/traces, 1 log record to http://127.0.0.1:",
        ", the latest metrics to http://127.0.0.1:",
        "/v1/metrics (tcp connect error: ",
        "Connection refused",
        "FG_OTLP_FLUSH_TIMEOUT",
    ] {
        assert!(error.contains(part), "{part} is not in {error}");
    }
    // A second shutdown fails at once instead of hanging.
    exporter.shutdown().await.unwrap_err();
}

#[test]
fn exporter_needs_a_runtime() {
    let config = config(&[]);
    assert!(Exporter::start(&config, |_| Snapshot::default()).is_err());
}

#[tokio::test]
async fn exporter_is_send_and_aborts_its_tasks_on_drop() {
    fn assert_send_sync(_: &(impl Send + Sync)) {}
    fn assert_send(_: &impl Send) {}
    let (_socket, address) = reserve_address();
    let exporter = exporter(address, &[]);
    assert_send_sync(&exporter);
    assert_send(&exporter.flush_for_invocation());
    assert_send(&exporter.shutdown());

    let tasks = tokio::runtime::Handle::current().metrics();
    assert_eq!(tasks.num_alive_tasks(), 3);
    drop(exporter);
    while tasks.num_alive_tasks() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn data_of_several_signals_that_fills_half_of_the_buffer_is_sent_at_once() {
    let mut collector = Collector::start().await;
    let endpoint = format!("http://{}", collector.address);
    let config = config(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
        ("FG_OTLP_FLUSH", "periodic"),
        ("FG_OTLP_FLUSH_INTERVAL", "1h"),
        ("FG_OTLP_BUFFER", "100KB"),
    ]);
    let exporter = Exporter::start(&config, |_| Snapshot::default()).unwrap();
    let long = "a".repeat(30_000);
    exporter.enqueue(spans(&[&long]), log_records(&[&long]));
    let capacity = tokio::time::timeout(TEST_TIMEOUT, exporter.wait_for_capacity());
    assert!(capacity.await.is_ok());
    assert_eq!(collector.received().await.names(), [long]);
}
