//! Telemetry: subscription, delivery, and its end.

mod delivery;
mod end;
mod subscription;

use fg_extension_tests::{Extension, Start, event, post};

const TELEMETRY: &str = env!("CARGO_BIN_EXE_telemetry");

fn telemetry() -> Start {
    Start::new(TELEMETRY)
}

/// One that prints the events of a call, and then does what a line says.
fn asking() -> Extension {
    telemetry().env("HANDLER", "ask").registered()
}

/// What the fixture prints of its counters.
fn counters(received: u64, delivered: u64, refused: u64, lost: u64, queued: u64) -> String {
    format!(
        "TelemetryCounters {{ received: {received}, delivered: {delivered}, refused: {refused}, lost: {lost}, \
         bytes_queued: {queued} }}"
    )
}

fn invoke(extension: &Extension) -> u16 {
    post(extension.port(), "/extension/invoke", event("1")).status
}
