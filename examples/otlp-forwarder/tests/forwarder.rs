//! Boots the extension in a local FunctionGraph, with a collector that is started, stopped, and slowed down.

#[allow(dead_code, reason = "the other tests use the rest")]
mod collector;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use collector::{Collector, reserve_address};
use fg_emulator::{Error, ExtensionCommand, Platform};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric, number_data_point};
use opentelemetry_proto::tonic::trace::v1::Span;

const SCRIPT: &str = "extensionOtlpForwarder.sh";
const PROGRAM: &str = env!("CARGO_BIN_EXE_otlp-forwarder");

fn boot(collector: SocketAddr) -> ExtensionCommand {
    ExtensionCommand::new(SCRIPT, PROGRAM)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{collector}"))
        // The tests run at the same time.
        .env("FG_OTLP_RECEIVER", "off")
        .lease_port()
        .lease_telemetry_port()
}

/// Invokes the function, and returns the trace IDs in OTLP's format.
async fn invoke(platform: &Platform, times: usize) -> Result<Vec<String>, Error> {
    let mut trace_ids = Vec::new();
    for _ in 0..times {
        let invoked = platform.invoke().await?;
        invoked.assert_ok();
        trace_ids.push(trace_id(&invoked.trace_id));
    }
    platform.wait_for_telemetry().await;
    Ok(trace_ids)
}

/// Converts a trace ID to OTLP's format.
fn trace_id(id: &str) -> String {
    id.replace('-', "")
}

/// Waits until the collector has received one span and the log records of each invocation.
async fn wait_for(collector: &Collector, trace_ids: &[String]) -> collector::Received {
    let received = collector
        .wait_for("all telemetry", |received| {
            trace_ids.iter().all(|id| {
                received.spans.iter().any(|span| span.name == "helloWorld" && hex(&span.trace_id) == *id)
                    // One line at the start and one at the end of the invocation.
                    && received.logs.iter().filter(|log| hex(&log.trace_id) == *id).count() >= 2
            })
        })
        .await;
    for id in trace_ids {
        let is = |span: &&Span| span.name == "helloWorld" && hex(&span.trace_id) == *id;
        assert_eq!(received.spans.iter().filter(is).count(), 1);
    }
    received
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn everything_arrives_once() -> Result<(), Error> {
    for flush in ["adaptive", "end", "periodic"] {
        let collector = Collector::start().await;
        let platform = Platform::start().await?;
        let boot = boot(collector.address)
            .env("FG_OTLP_FLUSH", flush)
            .env("FG_OTLP_FLUSH_INTERVAL", "50ms")
            .env("FG_OTLP_OWN_METRICS", "true");
        platform.boot(boot).await?;
        platform.wait_for_subscription().await?;
        let trace_ids = invoke(&platform, 5).await?;
        wait_for(&collector, &trace_ids).await;
        let received = collector
            .wait_for("the count of invocations", |received| {
                sum(&received.metrics, "faas.invocations") == Some(5)
            })
            .await;
        assert_eq!(sum(&received.metrics, "faas.coldstarts"), Some(1));
        assert_eq!(sum(&received.metrics, "faas.errors"), Some(0));
        assert_eq!(
            sum(&received.metrics, "functiongraph.telemetry.lost"),
            Some(0)
        );
        let shutdown = platform.shutdown().await?;
        assert!(shutdown.is_clean(), "{shutdown:?}");
    }
    Ok(())
}

fn sum(metrics: &[Metric], name: &str) -> Option<i64> {
    let metric = metrics.iter().find(|metric| metric.name == name)?;
    let Some(metric::Data::Sum(sum)) = &metric.data else {
        panic!("{name} is not a sum");
    };
    // The first value of a series may follow a zero.
    match sum.data_points.last()?.value {
        Some(number_data_point::Value::AsInt(value)) => Some(value),
        other => panic!("{name} is {other:?}"),
    }
}

#[tokio::test]
async fn endpoint_in_the_user_data_of_the_function_is_found() -> Result<(), Error> {
    let collector = Collector::start().await;
    let endpoint = format!("http://{}", collector.address);
    let platform = Platform::builder()
        .user_data("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        .user_data("FG_OTLP_FLUSH", "end")
        .start()
        .await?;
    let forwarder = ExtensionCommand::new(SCRIPT, PROGRAM)
        .env("FG_OTLP_RECEIVER", "off")
        .lease_port()
        .lease_telemetry_port();
    platform.boot(forwarder).await?;
    platform.wait_for_subscription().await?;
    let trace_ids = invoke(&platform, 2).await?;
    wait_for(&collector, &trace_ids).await;
    let shutdown = platform.shutdown().await?;
    assert!(shutdown.is_clean(), "{shutdown:?}");
    Ok(())
}

#[tokio::test]
async fn data_is_not_dropped_when_the_collector_is_slow() -> Result<(), Error> {
    let collector = Collector::start().await;
    let platform = Platform::start().await?;
    let boot = boot(collector.address)
        .env("FG_OTLP_BUFFER", "256KiB")
        .env("FG_TELEMETRY_BUFFER", "256KiB");
    platform.boot(boot).await?;
    platform.wait_for_subscription().await?;
    let line = serde_json::json!({"type": "function", "record": "x".repeat(200)});
    let batch = serde_json::json!(vec![line; 500]).to_string();
    let mut rejected = 0;
    for _ in 0..30 {
        // Retry rejected batches, as the platform may do.
        while platform.send_telemetry(batch.clone()).await? == 503 {
            rejected += 1;
            assert!(rejected < 100_000, "every batch is rejected");
        }
    }
    // The collector also receives the extension's own log lines.
    let is_flood = |log: &&LogRecord| format!("{:?}", log.body).contains("xxxxx");
    let all =
        |received: &collector::Received| received.logs.iter().filter(is_flood).count() >= 15_000;
    let received = collector.wait_for("the flood", all).await;
    assert_eq!(received.logs.iter().filter(is_flood).count(), 15_000);
    assert!(platform.shutdown().await?.is_clean());
    Ok(())
}

#[tokio::test]
async fn collector_that_fails_and_recovers_gets_everything() -> Result<(), Error> {
    let collector = Collector::start_failing(7).await;
    let platform = Platform::start().await?;
    platform
        .boot(boot(collector.address).env("FG_OTLP_FLUSH", "end"))
        .await?;
    platform.wait_for_subscription().await?;
    let trace_ids = invoke(&platform, 20).await?;
    wait_for(&collector, &trace_ids).await;
    assert_eq!(collector.rejected(), 7);
    assert!(platform.shutdown().await?.is_clean());
    Ok(())
}

#[tokio::test]
async fn collector_that_starts_late_and_restarts_gets_everything() -> Result<(), Error> {
    let (socket, address) = reserve_address();
    let platform = Platform::start().await?;
    platform
        .boot(boot(address).env("FG_OTLP_FLUSH_INTERVAL", "100ms"))
        .await?;
    platform.wait_for_subscription().await?;
    let before = invoke(&platform, 3).await?;
    let collector = Collector::start_late(socket);
    wait_for(&collector, &before).await;
    drop(collector);
    let between = invoke(&platform, 3).await?;
    let collector = Collector::start_again(address).await;
    wait_for(&collector, &between).await;
    assert!(platform.shutdown().await?.is_clean());
    Ok(())
}

/// The longest time that a flush may delay an invocation.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The number of signals. Each may delay one invocation.
const SIGNALS: usize = 3;

/// Invokes the function twenty times. Returns how many invocations were delayed by the flush timeout, and all trace
/// IDs.
async fn invoke_twenty_times(
    platform: &Platform,
    collector: SocketAddr,
) -> Result<(usize, Vec<String>), Error> {
    let boot = boot(collector)
        .env("FG_OTLP_FLUSH", "end")
        .env("FG_OTLP_FLUSH_TIMEOUT", "1s")
        // The flush at shutdown may take three times as long.
        .env("FG_SHUTDOWN_TIMEOUT", "10s");
    platform.boot(boot).await?;
    platform.wait_for_subscription().await?;
    let (mut delayed, mut trace_ids) = (0, Vec::new());
    for _ in 0..20 {
        let start = Instant::now();
        let invoked = platform.invoke().await?;
        delayed += usize::from(start.elapsed() >= FLUSH_TIMEOUT);
        invoked.assert_ok();
        trace_ids.push(trace_id(&invoked.trace_id));
    }
    platform.wait_for_telemetry().await;
    Ok((delayed, trace_ids))
}

#[tokio::test]
async fn unresponsive_collector_delays_one_invocation_per_signal() -> Result<(), Error> {
    // The listener never accepts a connection.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("a local address");
    let platform = Platform::start().await?;
    let (delayed, _) = invoke_twenty_times(&platform, address).await?;
    assert!(delayed <= SIGNALS, "{delayed}");
    let shutdown = platform.shutdown().await?;
    let forwarder = &shutdown.extensions[0];
    assert_eq!(forwarder.status.code(), Some(1));
    let printed = forwarder.stderr();
    let last = printed.lines().last().unwrap_or_default();
    assert!(
        last.starts_with(
            "ERROR extensionOtlpForwarder.sh: the extension failed to shut down: not exported within 3s: 21 spans to "
        ),
        "{printed}"
    );
    Ok(())
}

#[tokio::test]
async fn slow_collector_delays_one_invocation_per_signal() -> Result<(), Error> {
    // Slower than the timeout, also if timers are late, so that there are invocations between any two responses.
    let collector = Collector::start_slow(FLUSH_TIMEOUT + Duration::from_millis(100)).await;
    let platform = Platform::start().await?;
    let (delayed, trace_ids) = invoke_twenty_times(&platform, collector.address).await?;
    assert!(delayed <= SIGNALS, "{delayed}");
    wait_for(&collector, &trace_ids).await;
    // The collector may be too slow for the last flush, so the result of the shutdown is not checked.
    platform.shutdown().await?;
    Ok(())
}

#[tokio::test]
async fn log_line_after_the_report_does_not_wait_for_the_next_invocation() -> Result<(), Error> {
    let collector = Collector::start().await;
    let platform = Platform::start().await?;
    platform
        .boot(boot(collector.address).env("FG_OTLP_FLUSH", "end"))
        .await?;
    platform.wait_for_subscription().await?;
    let trace_ids = invoke(&platform, 1).await?;
    wait_for(&collector, &trace_ids).await;
    let body =
        r#"[{"time":"2026-01-01T00:00:00.000Z","type":"function","record":"the last line"}]"#;
    assert_eq!(platform.send_telemetry(body).await?, 200);
    collector
        .wait_for("the last line", |received| {
            received
                .logs
                .iter()
                .any(|log| format!("{log:?}").contains("the last line"))
        })
        .await;
    assert!(platform.shutdown().await?.is_clean());
    Ok(())
}

#[tokio::test]
async fn invalid_fg_setting_is_reported() -> Result<(), Error> {
    let platform = Platform::start().await?;
    let boot = ExtensionCommand::new(SCRIPT, PROGRAM).env("FG_OTLP_FLUSH", "never");
    platform
        .boot(boot.lease_port().lease_telemetry_port())
        .await?;
    platform.wait_for_exit().await;
    let shutdown = platform.shutdown().await?;
    let printed = shutdown.extensions[0].stderr();
    assert!(
        printed.starts_with(
            "ERROR extensionOtlpForwarder.sh: the extension failed to initialize: cannot read FG_OTLP_FLUSH from the environment: `never` is "
        ) && printed.lines().count() == 1,
        "{printed}"
    );
    Ok(())
}

#[tokio::test]
async fn invalid_standard_setting_disables_only_its_signal() -> Result<(), Error> {
    let collector = Collector::start().await;
    let platform = Platform::start().await?;
    let boot = boot(collector.address)
        .env("OTEL_EXPORTER_OTLP_TIMEOUT", "10s")
        .env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector:4318");
    platform.boot(boot).await?;
    platform.wait_for_subscription().await?;
    invoke(&platform, 2).await?;
    let received = collector
        .wait_for("log records and metrics", |received| {
            !received.logs.is_empty() && sum(&received.metrics, "faas.invocations") == Some(2)
        })
        .await;
    assert!(received.spans.is_empty());
    let shutdown = platform.shutdown().await?;
    assert!(shutdown.is_clean(), "{shutdown:?}");
    let printed = shutdown.extensions[0].stderr();
    let starts = [
        "ERROR extensionOtlpForwarder.sh: cannot read OTEL_EXPORTER_OTLP_TRACES_ENDPOINT from the environment: `collector:4318` ",
        "WARN extensionOtlpForwarder.sh: cannot read OTEL_EXPORTER_OTLP_TIMEOUT from the environment: `10s` ",
    ];
    assert_eq!(printed.lines().count(), 2, "{printed}");
    for start in starts {
        assert!(
            printed
                .lines()
                .any(|line| line.trim_start().starts_with(start)),
            "{printed}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn rejected_key_is_the_reason_that_the_shutdown_reports() -> Result<(), Error> {
    let collector = Collector::start_failing(usize::MAX).await;
    collector.fail_with(hyper::StatusCode::UNAUTHORIZED);
    let platform = Platform::start().await?;
    let boot = boot(collector.address).env("OTEL_EXPORTER_OTLP_HEADERS", "api-key=wrong");
    platform.boot(boot).await?;
    platform.wait_for_subscription().await?;
    invoke(&platform, 1).await?;
    let shutdown = platform.shutdown().await?;
    let forwarder = &shutdown.extensions[0];
    assert_eq!(forwarder.status.code(), Some(1));
    let printed = forwarder.stderr();
    let last = printed.lines().last().unwrap_or_default();
    // One span is that of the initialization.
    let start = "ERROR extensionOtlpForwarder.sh: the extension failed to shut down: nothing was exported; rejected: 2 spans by ";
    let end = "(status 401 Unauthorized; check OTEL_EXPORTER_OTLP_HEADERS)";
    assert!(last.starts_with(start) && last.ends_with(end), "{printed}");
    assert!(!printed.contains("wrong"), "{printed}");
    Ok(())
}

#[tokio::test]
async fn disabled_forwarder_sends_no_requests() -> Result<(), Error> {
    let collector = Collector::start_failing(usize::MAX).await;
    let platform = Platform::start().await?;
    platform
        .boot(boot(collector.address).env("OTEL_SDK_DISABLED", "TRUE"))
        .await?;
    platform.wait_for_subscription().await?;
    invoke(&platform, 2).await?;
    assert!(platform.shutdown().await?.is_clean());
    assert_eq!(collector.rejected(), 0);
    Ok(())
}
