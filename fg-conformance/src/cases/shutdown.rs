//! END: what an extension does on SIGTERM.

use std::time::Duration;

use fg_emulator::{Faults, Platform, ProcessExit, RegisteredExtension};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::time::timeout;

use super::CaseId;
use super::invocation::{INVOKE_PATH, event};
use crate::Error;
use crate::harness::client::{Connection, listening, post};
use crate::harness::{Harness, Start, StopMode};
use crate::report::{Finding, Outcome, Report};

/// More is a warning.
const IN_TIME: Duration = Duration::from_secs(2);
/// How long an extension may take until it has accepted a connection, and answered the next one.
const ACCEPTED_WITHIN: Duration = Duration::from_secs(3);
/// How long an answer to half a request may take, once a whole request that came later was answered.
const EARLY_ANSWER_WITHIN: Duration = Duration::from_millis(100);
/// When the extension has handled the signal cannot be seen, so it gets this long to do so, or to hang up.
const SIGNAL_HANDLED_WITHIN: Duration = Duration::from_millis(200);

/// END-01, which shuts the platform down.
pub(crate) async fn check_sigterm(platform: Platform, report: &mut Report) -> Result<(), Error> {
    let shutdown = platform.shutdown().await?;
    if let [exit] = &shutdown.extensions[..] {
        report.record(CaseId::End01, judge(exit));
    }
    Ok(())
}

fn judge(exit: &ProcessExit) -> Finding {
    let status = exit.status;
    let Some(duration) = exit.stop_duration else {
        return Finding::fail(format!("it had ended before SIGTERM came, with {status}"));
    };
    if exit.killed {
        Finding::fail(format!(
            "it did not end in {duration:.1?} and had to be killed"
        ))
    } else if !status.success() {
        Finding::fail(format!("{status}, {duration:.0?} after SIGTERM"))
    } else if duration > IN_TIME {
        Finding::warn(format!("status 0, but {duration:.1?} after SIGTERM"))
    } else {
        Finding::pass(format!("status 0, {duration:.1?} after SIGTERM"))
    }
}

/// END-02, in a boot of its own. One that registers too early may not listen yet.
pub(crate) async fn check_in_flight(
    harness: &Harness<'_>,
    report: &mut Report,
) -> Result<(), Error> {
    let booted = harness.boot(Faults::default()).await?;
    let finding = match &booted.start {
        Start::Registered(registered) => {
            if report.is_failed(CaseId::Reg05) {
                listening(registered.address).await;
            }
            let finding = half_then_sigterm(registered).await;
            finding.unwrap_or_else(Finding::fail)
        }
        _ => Finding::fail("it did not register when it was booted again"),
    };
    if finding.is_fail() {
        report.keep_stderr(&booted.recorder);
    }
    // If it came so far, SIGTERM was sent already, and must not be sent twice.
    let is_signalled = matches!(finding.outcome, Outcome::Pass | Outcome::Warn);
    let is_up = finding.outcome == Outcome::Skip;
    report.record(CaseId::End02, finding);
    let patience = if is_signalled {
        Duration::from_secs(5)
    } else {
        SIGNAL_HANDLED_WITHIN
    };
    let ended = timeout(patience, booted.platform.wait_for_exit()).await;
    let mode = if ended.is_ok() || is_up {
        StopMode::Graceful
    } else {
        StopMode::Kill
    };
    booted.stop(mode).await
}

async fn half_then_sigterm(registered: &RegisteredExtension) -> Result<Finding, String> {
    let address = registered.address;
    let group = registered.pid.and_then(|pid| i32::try_from(pid).ok());
    let group = group.ok_or("its process is not known")?;
    let mut connection = Connection::open(address).await?;
    let Some(mut request) = connection.post_half(INVOKE_PATH, event()).await? else {
        return Ok(answers_early());
    };
    // Once one is answered that came later, the first is most likely taken. Who serves one connection at a time
    // cannot answer it.
    let _ = timeout(ACCEPTED_WITHIN, post(address, INVOKE_PATH, event())).await;
    // By now a busy machine has come round to the early answer as well.
    if let Some(Ok(_)) = request.early_response(EARLY_ANSWER_WITHIN).await {
        return Ok(answers_early());
    }
    killpg(Pid::from_raw(group), Signal::SIGTERM)
        .map_err(|error| format!("cannot send SIGTERM: {error}"))?;
    let response = match request.early_response(SIGNAL_HANDLED_WITHIN).await {
        Some(response) => response,
        None => request.finish().await,
    };
    Ok(match response {
        Ok(response) if response.status == 200 => Finding::pass("answered with 200, then it ended"),
        // The client knows at least.
        Ok(response) => Finding::warn(format!(
            "after SIGTERM it was answered with {}",
            response.summary()
        )),
        Err(error) => Finding::fail(format!("after SIGTERM it was not answered: {error}")),
    })
}

fn answers_early() -> Finding {
    Finding::skip("it answers before a request is whole, so that none stays in flight")
}
