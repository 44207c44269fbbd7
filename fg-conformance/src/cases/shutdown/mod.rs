//! END: the shutdown on SIGTERM.

mod in_flight;
mod leader;
mod load;

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use fg_emulator::{Platform, ProcessExit, describe_exit};
use nix::sys::signal::Signal;

pub(crate) use self::in_flight::check_in_flight;
pub(crate) use self::leader::check_leader;
use super::CaseId;
use crate::Error;
use crate::harness::ProcessGroup;
use crate::report::{Finding, Report};

/// The exit status by which a shell and a JVM say that SIGTERM was the reason.
pub(super) const EXIT_AFTER_SIGTERM: i32 = 143;
/// A shutdown that takes longer is a warning.
const EXPECTED_WITHIN: Duration = Duration::from_secs(2);

/// Checks END-01. This shuts the platform down.
pub(crate) async fn check_sigterm(
    platform: Platform,
    group: Option<ProcessGroup>,
    report: &mut Report,
) -> Result<(), Error> {
    let is_handled = group.is_some_and(ProcessGroup::leader_handles_sigterm);
    let has_children = group.is_some_and(ProcessGroup::has_children);
    let shutdown = platform.shutdown().await?;
    if let [exit] = &shutdown.extensions[..] {
        report.record(CaseId::End01, exit_finding(exit, is_handled, has_children));
    }
    Ok(())
}

fn exit_finding(exit: &ProcessExit, is_handled: bool, has_children: bool) -> Finding {
    let status = exit.status;
    let Some(duration) = exit.stop_duration else {
        return Finding::fail(format!("{} before SIGTERM was sent", describe_exit(status)));
    };
    if exit.killed {
        Finding::fail(format!(
            "still running {duration:.1?} after SIGTERM, and killed"
        ))
    } else if status.code() == Some(EXIT_AFTER_SIGTERM) {
        // A JVM that shuts down in order exits with this status.
        Finding::warn(format!(
            "expected exit status 0, got {EXIT_AFTER_SIGTERM} (128 + SIGTERM), {duration:.0?} after SIGTERM"
        ))
    } else if is_handled && status.signal() == Some(Signal::SIGTERM as i32) {
        // Some servers shut down in order, then restore the default handler and raise the signal again.
        Finding::warn(format!(
            "expected exit status 0, but it handled SIGTERM and died from it {duration:.0?} later"
        ))
    } else if has_children && status.signal() == Some(Signal::SIGTERM as i32) {
        Finding::fail(format!(
            "the start script died from SIGTERM after {duration:.0?}, before the program that it has started could exit"
        ))
    } else if !status.success() {
        Finding::fail(format!(
            "expected exit status 0, but it {} {duration:.0?} after SIGTERM",
            describe_exit(status)
        ))
    } else if duration > EXPECTED_WITHIN {
        Finding::warn(format!(
            "exited with status 0, but {duration:.1?} after SIGTERM"
        ))
    } else {
        Finding::pass(format!(
            "exited with status 0, {duration:.1?} after SIGTERM"
        ))
    }
}
