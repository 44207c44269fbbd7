//! END: the shutdown on SIGTERM.

use std::time::Duration;

use fg_emulator::{Faults, Platform, ProcessExit, RegisteredExtension};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::time::timeout;

use super::CaseId;
use super::invocation::{INVOKE_PATH, event};
use crate::Error;
use crate::harness::client::{Connection, post, wait_until_listening};
use crate::harness::{Harness, Start, StopMode};
use crate::report::{Finding, Outcome, Report};

/// A shutdown that takes longer is a warning.
const EXPECTED_WITHIN: Duration = Duration::from_secs(2);
/// How long the check waits for the response to an event that is posted after half of another one.
const ACCEPTED_WITHIN: Duration = Duration::from_secs(3);
/// How long the check waits for a response to half a request, once a later, complete request has a response.
const EARLY_RESPONSE_WITHIN: Duration = Duration::from_millis(100);
/// How long the check waits after SIGTERM for an early response, and after a failure for the process to exit.
const SIGNAL_HANDLED_WITHIN: Duration = Duration::from_millis(200);

/// Checks END-01. This shuts the platform down.
pub(crate) async fn check_sigterm(platform: Platform, report: &mut Report) -> Result<(), Error> {
    let shutdown = platform.shutdown().await?;
    if let [exit] = &shutdown.extensions[..] {
        report.record(CaseId::End01, exit_finding(exit));
    }
    Ok(())
}

fn exit_finding(exit: &ProcessExit) -> Finding {
    let status = exit.status;
    let Some(duration) = exit.stop_duration else {
        return Finding::fail(format!("exited before SIGTERM was sent ({status})"));
    };
    if exit.killed {
        Finding::fail(format!(
            "still running {duration:.1?} after SIGTERM, and killed"
        ))
    } else if !status.success() {
        Finding::fail(format!(
            "expected exit status 0, got {status} ({duration:.0?} after SIGTERM)"
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

/// Checks END-02, in a separate boot.
pub(crate) async fn check_in_flight(
    harness: &Harness<'_>,
    report: &mut Report,
) -> Result<(), Error> {
    let booted = harness.boot(Faults::default()).await?;
    let finding = match &booted.start {
        Start::Registered(registered) => {
            // An extension that fails this case may not be listening yet.
            if report.is_failed(CaseId::Reg05) {
                wait_until_listening(registered.address).await;
            }
            let finding = sigterm_during_request(registered).await;
            finding.unwrap_or_else(Finding::fail)
        }
        _ => Finding::fail("did not register when it was booted again"),
    };
    if finding.is_fail() {
        report.keep_stderr(&booted.recorder);
    }
    // These outcomes mean that SIGTERM has been sent already. It must not be sent twice.
    let signal_was_sent = matches!(finding.outcome, Outcome::Pass | Outcome::Warn);
    let is_running = finding.outcome == Outcome::Skip;
    report.record(CaseId::End02, finding);
    let time_limit = if signal_was_sent {
        Duration::from_secs(5)
    } else {
        SIGNAL_HANDLED_WITHIN
    };
    let exited = timeout(time_limit, booted.platform.wait_for_exit()).await;
    let mode = if exited.is_ok() || is_running {
        StopMode::Graceful
    } else {
        StopMode::Kill
    };
    booted.stop(mode).await
}

async fn sigterm_during_request(registered: &RegisteredExtension) -> Result<Finding, String> {
    let address = registered.address;
    let group = registered.pid.and_then(|pid| i32::try_from(pid).ok());
    let group = group.ok_or("the process ID of the extension is unknown")?;
    let mut connection = Connection::open(address).await?;
    let Some(mut request) = connection.post_half(INVOKE_PATH, event()).await? else {
        return Ok(responds_early());
    };
    // Once a later request has a response, the extension has most likely accepted the first one. An extension that serves
    // one connection at a time cannot respond, so the wait is limited.
    let _ = timeout(ACCEPTED_WITHIN, post(address, INVOKE_PATH, event())).await;
    // On a busy machine, a response to the first half may arrive only now.
    if let Some(Ok(_)) = request.early_response(EARLY_RESPONSE_WITHIN).await {
        return Ok(responds_early());
    }
    killpg(Pid::from_raw(group), Signal::SIGTERM)
        .map_err(|error| format!("cannot send SIGTERM: {error}"))?;
    let response = match request.early_response(SIGNAL_HANDLED_WITHIN).await {
        Some(response) => response,
        None => request.finish().await,
    };
    Ok(match response {
        Ok(response) if response.status == 200 => {
            Finding::pass("responded with status 200, then exited")
        }
        // Only a warning, because the client at least learns of the failure.
        Ok(response) => Finding::warn(format!(
            "expected status 200 for the invocation in flight at SIGTERM, got {}",
            response.summary()
        )),
        Err(error) => Finding::fail(format!(
            "no response to the invocation in flight at SIGTERM: {error}"
        )),
    })
}

fn responds_early() -> Finding {
    Finding::skip(
        "the extension responds before it has received the complete request, so no invocation stays in flight",
    )
}
