//! Tests of telemetry: subscription, delivery, overload, and shutdown.

mod delivery;
mod overload;
mod shutdown;
mod subscription;

use std::time::{Duration, Instant};

use fg_extension_tests::{Extension, Start, event, post};

const TELEMETRY: &str = env!("CARGO_BIN_EXE_telemetry");

fn telemetry() -> Start {
    Start::new(TELEMETRY)
}

/// Starts an extension whose telemetry handler waits for a line that selects its behavior.
fn start_interactive() -> Extension {
    telemetry().env("HANDLER", "ask").registered()
}

/// Returns the line that the extension prints for these counters.
fn counters(received: u64, delivered: u64, rejected: u64, lost: u64, queued: u64) -> String {
    format!(
        "TelemetryCounters {{ received: {received}, delivered: {delivered}, rejected: {rejected}, lost: {lost}, \
         bytes_queued: {queued} }}"
    )
}

/// Invokes the extension until it prints these counters.
fn wait_for_counters(extension: &mut Extension, expected: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        assert_eq!(invoke(extension), 200);
        let line = extension.wait_for_start_of_line("TelemetryCounters ");
        if line == expected {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "expected {expected}, found {line}"
        );
    }
}

/// Returns the sum of the numbers that follow `text` in the lines. A line with `text` but no number counts as 1.
fn sum(lines: &[&str], text: &str) -> u64 {
    let rests = lines.iter().filter_map(|line| line.split_once(text));
    rests
        .map(|(_, rest)| {
            let rest = rest.trim_start();
            let end = rest.find(|it: char| !it.is_ascii_digit());
            rest[..end.unwrap_or(rest.len())].parse().unwrap_or(1)
        })
        .sum()
}

fn invoke(extension: &Extension) -> u16 {
    post(extension.port(), "/extension/invoke", event("1")).status
}
