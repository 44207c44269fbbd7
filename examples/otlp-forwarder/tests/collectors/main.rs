//! Boots the extension in a local FunctionGraph, with collectors of others and a function with a real OpenTelemetry SDK.
//!
//! `cargo xtask collectors` installs the programs and runs these tests. It sets their paths: `ROTEL_AGENT` is rotel's
//! program; `OTELTAP`, `PHOENIX` and `OTEL_PYTHON` are directories with Python packages.

mod function;
mod oteltap;
mod phoenix;
mod program;
mod rotel;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use fg_emulator::{ExtensionCommand, Platform};
use tokio::net::TcpListener;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// How long to wait before a test fails.
const TEST_TIMEOUT: Duration = Duration::from_secs(20);

/// Returns an address that is currently unused.
async fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    Ok(listener.local_addr()?)
}

/// Returns the variable that `cargo xtask collectors` sets.
fn variable(name: &str) -> Result<String> {
    std::env::var(name).map_err(|_| format!("{name} is not set; see CONTRIBUTING.md").into())
}

/// Creates a command for the extension, which receives the function's telemetry and sends all telemetry to the collector.
fn extension(collector: SocketAddr, receiver: SocketAddr) -> ExtensionCommand {
    ExtensionCommand::new(
        "extensionOtlpForwarder.sh",
        env!("CARGO_BIN_EXE_otlp-forwarder"),
    )
    .env("FG_OTLP_ENDPOINT", format!("http://{collector}"))
    .env("FG_OTLP_RECEIVER", receiver.to_string())
    .env("FG_OTLP_FLUSH", "end")
    .lease_port()
    .lease_telemetry_port()
}

/// Boots the extension.
async fn boot(platform: &Platform, extension: ExtensionCommand) -> Result<()> {
    platform.boot(extension).await?;
    platform.wait_for_subscription().await?;
    Ok(())
}

/// Converts the ID of an invocation to the trace ID and the span ID that are derived from it.
fn derived_ids(invocation: &str) -> (String, String) {
    let trace_id = invocation.replace('-', "");
    let span_id = trace_id[16..].to_owned();
    (trace_id, span_id)
}
