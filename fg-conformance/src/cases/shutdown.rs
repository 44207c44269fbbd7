//! END: the shutdown on SIGTERM.

use std::time::Duration;

use fg_emulator::{Faults, Platform, ProcessExit, RegisteredExtension};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::time::{Instant, timeout};

use super::CaseId;
use super::invocation::{INVOKE_PATH, event};
use crate::Error;
use crate::harness::client::{Connection, RESPONSE_TIMEOUT, post, wait_until_listening};
use crate::harness::{Harness, Start, StopMode};
use crate::report::{Finding, Report};

/// The exit status by which a shell and a JVM say that SIGTERM was the reason.
const EXIT_AFTER_SIGTERM: i32 = 143;
/// A shutdown that takes longer is a warning.
const EXPECTED_WITHIN: Duration = Duration::from_secs(2);
/// How long the check waits for the response to an event that is posted after half of another one.
const ACCEPTED_WITHIN: Duration = Duration::from_secs(3);
/// How long the check waits for a response to half a request, once a later, complete request has a response.
const EARLY_RESPONSE_WITHIN: Duration = Duration::from_millis(100);
/// How long after SIGTERM the rest of the request is sent: the extension has probably handled the signal by then, but does not
/// yet drop the request. It may drop it at its discretion, since a client can send half a request and no more; extensions
/// built with fg-extension do so after 150 ms.
const REST_AFTER: Duration = Duration::from_millis(30);
/// If more time has passed since SIGTERM when the connection breaks, the cause may be that this process or the extension was not
/// scheduled in time, so that the request arrived too late.
const CONCLUSIVE_WITHIN: Duration = Duration::from_millis(100);
/// How often the check boots the extension until an attempt is conclusive.
const ATTEMPTS: usize = 4;
/// How long the check waits for the process to exit after a failure.
const FAILED_EXIT_WITHIN: Duration = Duration::from_millis(200);

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
    } else if status.code() == Some(EXIT_AFTER_SIGTERM) {
        // A JVM that shuts down in order exits with this status.
        Finding::warn(format!(
            "expected exit status 0, got {EXIT_AFTER_SIGTERM} (128 + SIGTERM), {duration:.0?} after SIGTERM"
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

/// Checks END-02, in separate boots.
pub(crate) async fn check_in_flight(
    harness: &Harness<'_>,
    report: &mut Report,
) -> Result<(), Error> {
    for _ in 1..ATTEMPTS {
        let attempt = attempt(harness, report).await?;
        if !matches!(attempt, Attempt::Broken(_)) {
            report.record(CaseId::End02, attempt.finding());
            return Ok(());
        }
    }
    let last = attempt(harness, report).await?;
    report.record(CaseId::End02, last.finding());
    Ok(())
}

/// The result of one boot.
enum Attempt {
    RespondsEarly,
    Conclusive(Finding),
    Broken(BrokenConnection),
}

/// A connection that broke so long after the signal that the extension may have dropped a request that arrived late.
struct BrokenConnection {
    error: String,
    /// When the rest of the request was sent, or the connection broke before, counted from the signal.
    sent_after: Duration,
}

/// Boots the extension, and sends SIGTERM during a request.
async fn attempt(harness: &Harness<'_>, report: &mut Report) -> Result<Attempt, Error> {
    let booted = harness.boot(Faults::default()).await?;
    let attempt = match &booted.start {
        Start::Registered(registered) => {
            // An extension that fails this case may not be listening yet.
            if report.is_failed(CaseId::Reg05) {
                wait_until_listening(registered.address).await;
            }
            let attempt = sigterm_during_request(registered).await;
            attempt.unwrap_or_else(|error| Attempt::Conclusive(Finding::fail(error)))
        }
        _ => Attempt::Conclusive(Finding::fail("did not register when it was booted again")),
    };
    let has_failed = match &attempt {
        Attempt::RespondsEarly => false,
        Attempt::Conclusive(finding) => finding.is_fail(),
        Attempt::Broken(_) => true,
    };
    if has_failed {
        report.keep_stderr(&booted.recorder);
    }
    let exits_within = if has_failed {
        FAILED_EXIT_WITHIN
    } else {
        Duration::from_secs(5)
    };
    // SIGTERM must not be sent twice.
    let has_signal = !matches!(attempt, Attempt::RespondsEarly);
    let mode = if has_signal
        && timeout(exits_within, booted.platform.wait_for_exit())
            .await
            .is_err()
    {
        StopMode::Kill
    } else {
        StopMode::Graceful
    };
    booted.stop(mode).await?;
    Ok(attempt)
}

impl Attempt {
    fn finding(self) -> Finding {
        match self {
            Self::RespondsEarly => Finding::skip(
                "the extension responds before it has received the complete request, so no invocation stays in flight",
            ),
            Self::Conclusive(finding) => finding,
            Self::Broken(broken) => broken.finding(),
        }
    }
}

impl BrokenConnection {
    fn finding(&self) -> Finding {
        let Self { error, sent_after } = self;
        if *sent_after <= CONCLUSIVE_WITHIN {
            return Finding::fail(format!(
                "no response to the invocation in flight at SIGTERM: {error}"
            ));
        }
        Finding::skip(format!(
            "inconclusive, because this machine is too busy: the rest of the event could be sent only {sent_after:.0?} \
             after SIGTERM instead of {REST_AFTER:?}: {error}"
        ))
    }
}

async fn sigterm_during_request(registered: &RegisteredExtension) -> Result<Attempt, String> {
    let address = registered.address;
    let group = registered.pid.and_then(|pid| i32::try_from(pid).ok());
    let group = group.ok_or("the process ID of the extension is unknown")?;
    let mut connection = Connection::open(address).await?;
    let Some(mut request) = connection.post_half(INVOKE_PATH, event()).await? else {
        return Ok(Attempt::RespondsEarly);
    };
    // Once a later request has a response, the extension has most likely accepted the first one. An extension that serves
    // one connection at a time cannot respond, so the wait is limited.
    let _ = timeout(ACCEPTED_WITHIN, post(address, INVOKE_PATH, event())).await;
    // On a busy machine, a response to the first half may arrive only now.
    if let Some(Ok(_)) = request.early_response(EARLY_RESPONSE_WITHIN).await {
        return Ok(Attempt::RespondsEarly);
    }
    let signal = Instant::now();
    killpg(Pid::from_raw(group), Signal::SIGTERM)
        .map_err(|error| format!("cannot send SIGTERM: {error}"))?;
    let (response, sent_after) = match request.early_response(REST_AFTER).await {
        Some(response) => (response, signal.elapsed()),
        None => {
            let request = request.send_rest().await;
            // The task of the connection writes the data.
            tokio::task::yield_now().await;
            let sent_after = signal.elapsed();
            (request.response().await, sent_after)
        }
    };
    Ok(Attempt::Conclusive(match response {
        Ok(response) if response.status == 200 => {
            Finding::pass("responded with status 200, then exited")
        }
        // Only a warning, because the client at least learns of the failure.
        Ok(response) => Finding::warn(format!(
            "expected status 200 for the invocation in flight at SIGTERM, got {}",
            response.summary()
        )),
        Err(error) => {
            let broken = BrokenConnection { error, sent_after };
            // A request that is neither dropped nor responded to is conclusive, too.
            if signal.elapsed() > CONCLUSIVE_WITHIN && signal.elapsed() < RESPONSE_TIMEOUT {
                return Ok(Attempt::Broken(broken));
            }
            broken.finding()
        }
    }))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::BrokenConnection;
    use crate::Outcome;

    #[test]
    fn request_that_is_sent_late_is_inconclusive() {
        for (sent_after, outcome) in [(30, Outcome::Fail), (101, Outcome::Skip)] {
            let broken = BrokenConnection {
                error: "connection closed".to_owned(),
                sent_after: Duration::from_millis(sent_after),
            };
            assert_eq!(broken.finding().outcome, outcome, "{sent_after} ms");
        }
    }
}
