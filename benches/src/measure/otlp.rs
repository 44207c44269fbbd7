//! The cost of forwarding telemetry by OTLP.

use std::path::Path;
use std::process::Command;

use anyhow::ensure;

use super::{Bench, instructions, ours};
use crate::events::{self, Schema};
use crate::load::{self, Stop};
use crate::peers::OURS;
use crate::process::Process;
use crate::results::{Figures, set};

pub(super) fn measure(bench: &Bench<'_>, figures: &mut Figures) -> anyhow::Result<()> {
    let (Some(forwarder), Some(_)) = (bench.forwarder, ours(bench)) else {
        return Ok(());
    };
    for (figure, compression) in [("otlp.cpu", "none"), ("otlp.gzip.cpu", "gzip")] {
        let events = bench.plan.otlp_events;
        let command = Command::new(&forwarder.program);
        let cpu = forward(bench, command, events, compression)?;
        set(figures, figure, OURS, cpu / events as f64 * 1e6);
    }
    if instructions::is_installed() {
        let count = count(bench, &forwarder.program)?;
        set(figures, "otlp.instructions", OURS, count);
    }
    Ok(())
}

/// Returns the instructions per event.
pub(crate) fn count(bench: &Bench<'_>, program: &Path) -> anyhow::Result<f64> {
    instructions::difference(bench, bench.plan.counted_events, |events, callgrind| {
        forward(bench, callgrind(program), events, "none").map(drop)
    })
}

/// Posts events to the forwarder, waits until it has sent them and has exited, and returns its CPU time.
fn forward(
    bench: &Bench<'_>,
    mut command: Command,
    events: u64,
    compression: &str,
) -> anyhow::Result<f64> {
    command
        .env("FG_OTLP_FLUSH", "periodic")
        .env("FG_OTLP_FLUSH_INTERVAL", "200ms")
        .env("FG_SHUTDOWN_TIMEOUT", "60s")
        .env("OTEL_EXPORTER_OTLP_COMPRESSION", compression);
    let process = Process::command(bench.cpus, command, None)?;
    let address = process.platform.wait_for_subscription()?;
    let batches = events::batches(Schema::FunctionGraph, 100);
    let stop = Stop::Requests(events / 100);
    load::run(address, &batches, None, 4, stop)?;
    let exported = process.platform.exported_bytes();
    let cpu = process.terminate()?;
    let exported = exported();
    ensure!(exported > events, "only {exported} bytes were exported");
    Ok(cpu)
}
