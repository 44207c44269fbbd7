//! phoenix as the backend, which stores spans and has an HTTP API. It accepts no log records and no metrics.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use fg_emulator::Platform;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::function::{Mode, boot_function};
use crate::program::wait_until_listening;
use crate::{Result, TEST_TIMEOUT, boot, derived_ids, extension, free_address, variable};

async fn start(address: SocketAddr, directory: &TempDir) -> Result<Child> {
    let grpc = free_address().await?.port().to_string();
    let mut command = Command::new("python3");
    command
        .args(["-m", "phoenix.server.main", "serve"])
        .env("PYTHONPATH", variable("PHOENIX")?)
        .env("PHOENIX_HOST", "127.0.0.1")
        .env("PHOENIX_PORT", address.port().to_string())
        .env("PHOENIX_GRPC_PORT", grpc)
        .env("PHOENIX_WORKING_DIR", directory.path())
        .env("PHOENIX_TELEMETRY_ENABLED", "false");
    // It prints much.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let process = command.kill_on_drop(true).spawn()?;
    wait_until_listening(address).await?;
    Ok(process)
}

/// Returns all spans that phoenix has stored.
async fn spans(address: SocketAddr) -> Result<Vec<Value>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get("/v1/projects/default/spans/otlpv1?limit=100")
        .header("Host", address.to_string())
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let body = response.into_body().collect().await?.to_bytes();
    let body: Value = serde_json::from_slice(&body)?;
    Ok(body["data"].as_array().cloned().unwrap_or_default())
}

fn find<'a>(spans: &'a [Value], name: &str) -> Option<&'a Value> {
    spans.iter().find(|span| span["name"] == name)
}

#[tokio::test]
#[ignore = "needs phoenix and the Python SDK: `cargo xtask collectors phoenix` installs them and runs this"]
async fn backend_stores_one_trace() -> Result<()> {
    let (backend, directory) = (free_address().await?, TempDir::new()?);
    let _phoenix = start(backend, &directory).await?;
    for mode in [Mode::Recipe, Mode::Joined] {
        let receiver = free_address().await?;
        let platform = Platform::start().await?;
        let extension = extension(backend, receiver)
            .env("OTEL_LOGS_EXPORTER", "none")
            .env("OTEL_METRICS_EXPORTER", "none")
            .env("FG_OTLP_FLUSH_TIMEOUT", "2s");
        boot(&platform, extension).await?;
        let _directory = boot_function(&platform, mode, receiver, &[]).await?;
        let invoked = platform.invoke().await?;
        invoked.assert_ok();
        platform.wait_for_telemetry().await;
        let (_, span_id) = derived_ids(&invoked.trace_id);
        // Phoenix stores spans some time after it has accepted them.
        let stored = async {
            loop {
                let spans = spans(backend).await?;
                let trace = spans.iter().find(|span| span["span_id"] == *span_id);
                let trace = trace.map(|span| span["trace_id"].clone());
                let of_trace = |span: &Value| Some(&span["trace_id"]) == trace.as_ref();
                let of_trace: Vec<Value> = spans.into_iter().filter(of_trace).collect();
                if find(&of_trace, "handler").is_some() && find(&of_trace, "query").is_some() {
                    return Ok::<_, Box<dyn std::error::Error>>(of_trace);
                }
                sleep(Duration::from_millis(50)).await;
            }
        };
        let trace = timeout(TEST_TIMEOUT, stored).await;
        let trace = trace.map_err(|_| format!("{mode:?}: the trace is not complete"))??;
        let query = find(&trace, "query").ok_or("no query")?;
        let mut handlers = trace.iter().filter(|span| span["name"] == "handler");
        assert!(
            handlers
                .clone()
                .all(|handler| handler["parent_span_id"] == *span_id)
        );
        assert!(handlers.any(|handler| handler["span_id"] == query["parent_span_id"]));
        assert!(platform.shutdown().await?.is_clean());
    }
    Ok(())
}
