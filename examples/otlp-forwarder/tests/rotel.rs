//! Boots the extension in a local FunctionGraph, with rotel as a real collector.
//!
//! `ROTEL_AGENT` is the path of rotel's program. `cargo xtask rotel` installs rotel and runs these tests.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::Duration;

use fg_emulator::{ExtensionCommand, Platform};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{sleep, timeout};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// How long to wait before a test fails.
const TEST_TIMEOUT: Duration = Duration::from_secs(20);

/// A collector that prints what it receives.
struct Rotel {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    printed: String,
}

impl Rotel {
    async fn start(address: SocketAddr) -> Result<Self> {
        let program = std::env::var("ROTEL_AGENT")
            .map_err(|_| "ROTEL_AGENT is not set; see CONTRIBUTING.md")?;
        let grpc = free_address().await?;
        let mut process = Command::new(&program)
            .args([
                "start",
                "--exporter",
                "blackhole",
                "--debug-log-verbosity",
                "detailed",
            ])
            .args([
                "--debug-log",
                "traces",
                "--debug-log",
                "logs",
                "--debug-log",
                "metrics",
            ])
            .args(["--otlp-http-endpoint", &address.to_string()])
            .args(["--otlp-grpc-endpoint", &grpc.to_string()])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("cannot start {program}: {error}"))?;
        let stdout = process.stdout.take().ok_or("stdout is not piped")?;
        // rotel does not report when it listens.
        let connects = async {
            while TcpStream::connect(address).await.is_err() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(TEST_TIMEOUT, connects).await?;
        Ok(Self {
            process,
            lines: BufReader::new(stdout).lines(),
            printed: String::new(),
        })
    }

    /// Waits until rotel has printed all texts.
    async fn wait_for(&mut self, texts: &[String]) -> Result<()> {
        for text in texts {
            self.wait_until(text, |printed| printed.contains(text))
                .await?;
        }
        Ok(())
    }

    async fn wait_until(
        &mut self,
        description: &str,
        condition: impl Fn(&str) -> bool,
    ) -> Result<()> {
        while !condition(&self.printed) {
            let Ok(line) = timeout(TEST_TIMEOUT, self.lines.next_line()).await else {
                panic!(
                    "timed out waiting for\n{description}\nrotel printed\n{}",
                    self.printed
                );
            };
            self.printed.push_str(&line?.ok_or("rotel exited")?);
            self.printed.push('\n');
        }
        Ok(())
    }

    async fn kill(mut self) -> Result<()> {
        Ok(self.process.kill().await?)
    }
}

/// Returns an address that is currently unused.
async fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    Ok(listener.local_addr()?)
}

async fn boot(platform: &Platform, collector: SocketAddr) -> Result<()> {
    let boot = ExtensionCommand::new(
        "extensionOtlpForwarder.sh",
        env!("CARGO_BIN_EXE_otlp-forwarder"),
    )
    .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{collector}"))
    .env(
        "OTEL_RESOURCE_ATTRIBUTES",
        "deployment.environment.name=test",
    )
    .env("OTEL_SERVICE_NAME", "shop")
    // The tests run at the same time.
    .env("FG_OTLP_RECEIVER", "off")
    .env("FG_OTLP_FLUSH", "end");
    platform
        .boot(boot.lease_port().lease_telemetry_port())
        .await?;
    platform.wait_for_subscription().await?;
    Ok(())
}

/// Invokes the function, and returns what the collector prints about each span.
async fn invoke(platform: &Platform, times: usize) -> Result<Vec<String>> {
    let mut spans = Vec::new();
    for _ in 0..times {
        let invoked = platform.invoke().await?;
        invoked.assert_ok();
        let id = invoked.trace_id.replace('-', "");
        spans.push(format!(
            "    Trace ID       : {id}\n    Parent ID      : \n"
        ));
    }
    platform.wait_for_telemetry().await;
    Ok(spans)
}

#[tokio::test]
#[ignore = "needs rotel: `cargo xtask rotel` installs it and runs this"]
async fn collector_receives_the_platform_telemetry() -> Result<()> {
    let address = free_address().await?;
    let mut rotel = Rotel::start(address).await?;
    let platform = Platform::start().await?;
    boot(&platform, address).await?;
    platform.invoke().await?.assert_ok();
    let trace_id = "3da1f2dc-3222-475e-9205-e2e6c6318895";
    let batch = json!([
        {"name": "platform.start", "startTime": "2026-11-24T10:00:00.250Z", "traceId": trace_id},
        {
            "time": "2026-11-24T10:00:00.255Z", "type": "function",
            "record": format!("2026-11-24T10:00:00.254Z {trace_id} ERROR no stock left: ü"),
        },
        {
            "name": "platform.RuntimeDone", "startTime": "2026-11-24T10:00:00.250Z",
            "traceId": trace_id, "status": "error", "errorType": "OutOfMemory",
        },
        {
            "name": "platform.report", "startTime": "2026-11-24T10:00:00.250Z",
            "endTime": "2026-11-24T10:00:03.250Z", "traceId": trace_id,
            "metrics": {"durationMs": 3000.0, "maxMemoryUsedMB": 64},
        },
    ]);
    assert_eq!(platform.send_telemetry(batch.to_string()).await?, 200);

    let id = "3da1f2dc3222475e9205e2e6c6318895";
    rotel
        .wait_for(&[format!(
            "    Trace ID       : {id}\n    Parent ID      : \n    ID             : "
        )])
        .await?;
    let span = &rotel.printed[rotel
        .printed
        .find(&format!(": {id}\n    Parent ID"))
        .ok_or("rotel printed no span")?..];
    let (_, span_id) = span
        .split_once("    ID             : ")
        .ok_or("rotel printed no span ID")?;
    let (span_id, _) = span_id.split_once('\n').ok_or("rotel printed no span ID")?;
    let span_id = span_id.to_owned();
    assert_eq!(span_id.len(), 16, "{span_id}");
    let texts = [
        // The span and its status.
        format!(
            "    ID             : {span_id}\n    Name           : helloWorld\n    Kind           : SPAN_KIND_SERVER\n\
             Start time: 1795514400250000000\nEnd time: 1795514403250000000\n"
        ),
        format!("     -> faas.invocation_id: Str({trace_id})\n"),
        "     -> error.type: Str(OutOfMemory)\n".to_owned(),
        // The log record, correlated with the span.
        "Timestamp: 1795514400255000000\nSeverityText: ERROR\nSeverityNumber: SEVERITY_NUMBER_ERROR(17)\n\
         Body: Str(2026-11-24T10:00:00.254Z 3da1f2dc-3222-475e-9205-e2e6c6318895 ERROR no stock left: ü)\n"
            .to_owned(),
        format!("    Trace ID       : {id}\n    Span ID        : {span_id}\n"),
        // The resource.
        "     -> service.name: Str(shop)\n".to_owned(),
        "     -> deployment.environment.name: Str(test)\n".to_owned(),
        "     -> cloud.provider: Str(huawei_cloud)\n".to_owned(),
        "     -> faas.name: Str(helloWorld)\n".to_owned(),
    ];
    rotel.wait_for(&texts).await?;
    for (name, value) in [
        ("faas.errors", "Value: 1\n"),
        ("faas.invocations", "Value: 1\n"),
        ("faas.coldstarts", "Value: 1\n"),
        ("faas.invoke_duration", "Count: 2\nSum: 3.0"),
        ("faas.init_duration", "Count: 1\n"),
        ("faas.mem_usage", "Count: 1\nSum: 67108864\n"),
        ("fg_extension.telemetry.lost", "Value: 0\n"),
    ] {
        let name_line = format!("-> Name: {name}\n");
        let condition = |printed: &str| {
            let mut metrics = printed.split("Metric #");
            metrics.any(|metric| metric.contains(&name_line) && metric.contains(value))
        };
        rotel
            .wait_until(&format!("{name} {value}"), condition)
            .await?;
    }
    assert!(platform.shutdown().await?.is_clean());
    Ok(())
}

#[tokio::test]
#[ignore = "needs rotel: `cargo xtask rotel` installs it and runs this"]
async fn late_and_restarted_collector_receives_everything() -> Result<()> {
    let address = free_address().await?;
    let platform = Platform::start().await?;
    boot(&platform, address).await?;
    let early = invoke(&platform, 3).await?;
    let mut rotel = Rotel::start(address).await?;
    rotel.wait_for(&early).await?;
    let midway = invoke(&platform, 3).await?;
    rotel.wait_for(&midway).await?;
    rotel.kill().await?;
    let without = invoke(&platform, 3).await?;
    let mut rotel = Rotel::start(address).await?;
    let after = invoke(&platform, 3).await?;
    rotel.wait_for(&without).await?;
    rotel.wait_for(&after).await?;
    assert!(platform.shutdown().await?.is_clean());
    Ok(())
}
