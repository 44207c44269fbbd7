//! END: what an extension does when it is asked to end.

use std::time::Duration;

use fg_emulator::{Faults, Platform, ProcessExit, RegisteredExtension};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::time::timeout;

use super::boots::{Boots, Start};
use super::client::{Connection, listening, post};
use super::invocation::event;
use super::report::{Finding, Outcome, Report};

const PATH: &str = "/extension/invoke";
/// What is no warning yet.
const IN_TIME: Duration = Duration::from_secs(2);
/// Nobody tells us when the extension has seen the signal, so it gets so long to do so, or to hang up.
const SEEN: Duration = Duration::from_millis(200);

/// END-01, which ends the platform.
pub(super) async fn sigterm(platform: Platform, report: &mut Report) -> anyhow::Result<()> {
    let shutdown = platform.shutdown().await?;
    if let [stopped] = &shutdown.extensions[..] {
        report.tell("END-01", judge(stopped));
    }
    Ok(())
}

fn judge(stopped: &ProcessExit) -> Finding {
    let ProcessExit {
        status,
        stop_duration,
        killed,
        ..
    } = stopped;
    let Some(took) = stop_duration else {
        return Finding::fail(format!("it had ended before SIGTERM came, with {status}"));
    };
    if *killed {
        Finding::fail(format!("it did not end in {took:.1?} and had to be killed"))
    } else if !status.success() {
        Finding::fail(format!("{status}, {took:.0?} after SIGTERM"))
    } else if *took > IN_TIME {
        Finding::warn(format!("status 0, but {took:.1?} after SIGTERM"))
    } else {
        Finding::pass(format!("status 0, {took:.1?} after SIGTERM"))
    }
}

/// END-02, in a boot of its own. One that registers too early may not listen yet.
pub(super) async fn in_flight(
    boots: &Boots<'_>,
    is_late: bool,
    report: &mut Report,
) -> anyhow::Result<()> {
    let booted = boots.boot(Faults::default()).await?;
    let finding = match &booted.start {
        Start::Registered(registered) => {
            if is_late {
                listening(registered.address).await;
            }
            let finding = half_then_sigterm(registered).await;
            finding.unwrap_or_else(Finding::fail)
        }
        _ => Finding::fail("it did not register when it was booted again"),
    };
    report.heard(&booted.watch, finding.is_fail());
    // It was asked to end already, if it came so far, and must not be asked twice.
    let is_asked = matches!(finding.outcome, Outcome::Pass | Outcome::Warn);
    let is_up = finding.outcome == Outcome::Skip;
    report.tell("END-02", finding);
    let patience = if is_asked {
        Duration::from_secs(5)
    } else {
        SEEN
    };
    let ended = timeout(patience, booted.platform.wait_for_exit()).await;
    booted.end(ended.is_ok() || is_up).await
}

async fn half_then_sigterm(registered: &RegisteredExtension) -> Result<Finding, String> {
    let address = registered.address;
    let group = registered.pid.and_then(|pid| i32::try_from(pid).ok());
    let group = group.ok_or("its process is not known")?;
    let mut connection = Connection::open(address).await?;
    let Some(mut half) = connection.half(PATH, event()).await? else {
        let why = "it answers before a request is whole, so that none stays in flight";
        return Ok(Finding::skip(why));
    };
    // Once one is answered that came later, the first is most likely taken. Who serves one connection at a time
    // cannot answer it.
    let _ = timeout(Duration::from_millis(500), post(address, PATH, event())).await;
    killpg(Pid::from_raw(group), Signal::SIGTERM)
        .map_err(|error| format!("cannot send SIGTERM: {error}"))?;
    let answer = match half.early(SEEN).await {
        Some(answer) => answer,
        None => half.finish().await,
    };
    Ok(match answer {
        Ok(answer) if answer.status == 200 => Finding::pass("answered with 200, then it ended"),
        // The client knows at least.
        Ok(answer) => Finding::warn(format!(
            "after SIGTERM it was answered with {}",
            answer.told()
        )),
        Err(error) => Finding::fail(format!("after SIGTERM it was not answered: {error}")),
    })
}
