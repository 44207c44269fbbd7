//! END-03: SIGTERM for the process of the start script alone.

use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::time::Instant;

use crate::Error;
use crate::cases::CaseId;
use crate::harness::{Booted, ProcessGroup, Start, StopMode};
use crate::report::{Finding, Report};

/// How long the processes may take to exit, as long as the emulator waits before it kills an extension.
const EXITS_WITHIN: Duration = Duration::from_secs(5);
/// The pause between two looks at the processes. The kernel sends no notification about the exit of a process that is not a
/// child.
const POLL_EVERY: Duration = Duration::from_millis(10);

/// Checks END-03 on a boot, which this stops.
pub(crate) async fn check_leader(booted: Booted, report: &mut Report) -> Result<(), Error> {
    let group = match &booted.start {
        Start::Registered(registered) => ProcessGroup::of(registered),
        _ => None,
    };
    let finding = match group {
        Some(group) => sigterm_to_leader(group).await.unwrap_or_else(Finding::skip),
        None => Finding::skip("the process ID of the extension is unknown"),
    };
    report.record(CaseId::End03, finding);
    // SIGTERM must not be sent twice.
    booted.stop(StopMode::Kill).await
}

async fn sigterm_to_leader(group: ProcessGroup) -> Result<Finding, String> {
    group.signal_leader(Signal::SIGTERM)?;
    let start = Instant::now();
    // The process of the start script is not reaped here, so it keeps its ID and the processes their group.
    let names = || {
        let names = group.names();
        names.map_err(|error| format!("cannot list the processes: {error}"))
    };
    let mut running = names()?;
    while !running.is_empty() && start.elapsed() < EXITS_WITHIN {
        tokio::time::sleep(POLL_EVERY).await;
        running = names()?;
    }
    Ok(if running.is_empty() {
        Finding::pass(format!("exited {:.1?} after SIGTERM", start.elapsed()))
    } else {
        Finding::warn(format!(
            "still running {EXITS_WITHIN:?} after SIGTERM to the process of the start script alone: {}",
            running.join(", ")
        ))
    })
}
