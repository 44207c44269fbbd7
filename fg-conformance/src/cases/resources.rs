//! RES: what the extension uses while it is idle, where it listens, and where it writes.

use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use fg_emulator::{Platform, describe_exit};
use tokio::time::{Instant, timeout};

use super::CaseId;
use super::invocation::{INVOKE_PATH, event};
use crate::Error;
use crate::harness::client::{HttpResponse, post, wait_until_listening};
use crate::harness::read_only::{self, ReadOnly};
use crate::harness::{CallRecorder, Harness, ProcessGroup, Recorded, StopMode};
use crate::report::{Finding, Report};

/// How long RES-01 measures the CPU time at once, and how often. Right after the invocations, a just-in-time compiler or a
/// garbage collector may still be busy.
const IDLE_PERIOD: Duration = Duration::from_millis(500);
const IDLE_PERIODS: usize = 4;
/// The part of a core that an idle extension may use, in percent.
const IDLE_PERCENT: u128 = 10;
/// How long RES-04 waits for a subscription with the address of an unexpected listener.
const SUBSCRIBES_WITHIN: Duration = Duration::from_secs(2);

/// Checks RES-01.
pub(crate) async fn check_idle(group: Option<ProcessGroup>, report: &mut Report) {
    // An extension that receives telemetry all the time is not idle.
    if report.is_warned(CaseId::Tel04) {
        report.block(CaseId::Tel04, CaseId::Res01);
        return;
    }
    let finding = match group {
        Some(group) => idle_finding(group).await,
        None => Finding::skip("cannot measure the CPU time: the process ID is unknown"),
    };
    report.record(CaseId::Res01, finding);
}

async fn idle_finding(group: ProcessGroup) -> Finding {
    let mut lowest = u128::MAX;
    for _ in 0..IDLE_PERIODS {
        let (before, start) = (group.cpu_time(), Instant::now());
        tokio::time::sleep(IDLE_PERIOD).await;
        let (before, after) = match (before, group.cpu_time()) {
            (Ok(before), Ok(after)) => (before, after),
            (Err(error), _) | (_, Err(error)) => {
                return Finding::skip(format!("cannot measure the CPU time: {error}"));
            }
        };
        let percent = after.saturating_sub(before).as_millis() * 100 / start.elapsed().as_millis();
        lowest = lowest.min(percent);
        if lowest <= IDLE_PERCENT {
            return Finding::pass(format!("used {lowest} % of a core while idle"));
        }
    }
    Finding::warn(format!(
        "used at least {lowest} % of a core in each of {IDLE_PERIODS} idle periods of {IDLE_PERIOD:?}"
    ))
}

/// Checks RES-04.
pub(crate) async fn check_listening(
    group: Option<ProcessGroup>,
    recorder: &CallRecorder,
    report: &mut Report,
) {
    let finding = match group.map(ProcessGroup::listening) {
        Some(Ok(listening)) => {
            let unexpected = |recorded: &Recorded| {
                let known = recorded.known_addresses();
                let addresses = listening.iter();
                let unexpected =
                    addresses.filter_map(|address| unexpected_listener(*address, &known));
                unexpected.collect::<Vec<_>>()
            };
            // If the TEL cases are not selected, the extension may not have subscribed yet.
            let expected = recorder.until(|recorded| unexpected(recorded).is_empty());
            let _ = timeout(SUBSCRIBES_WITHIN, expected).await;
            let unexpected = unexpected(&recorder.recorded());
            if unexpected.is_empty() {
                Finding::pass("listens only on the addresses that it registers")
            } else {
                Finding::warn(unexpected.join("; "))
            }
        }
        Some(Err(error)) => Finding::skip(format!("cannot list the open ports: {error}")),
        None => Finding::skip("cannot list the open ports: the process ID is unknown"),
    };
    report.record(CaseId::Res04, finding);
}

/// Describes a listener that should not be there.
fn unexpected_listener(address: SocketAddr, known: &[SocketAddr]) -> Option<String> {
    let ip = address.ip().to_canonical();
    if !ip.is_loopback() {
        let scope = if ip.is_unspecified() {
            "on all interfaces"
        } else {
            "outside the instance's loopback interface"
        };
        Some(format!("listens on {address}, {scope}"))
    } else if known.contains(&SocketAddr::new(ip, address.port())) {
        None
    } else {
        Some(format!(
            "listens on {address}, which it has neither registered nor subscribed"
        ))
    }
}

/// Checks RES-03, in a separate boot.
pub(crate) async fn check_writes(
    harness: &Harness<'_>,
    stop_mode: StopMode,
    report: &mut Report,
) -> Result<(), Error> {
    let read_only = match ReadOnly::find(harness.extension.directory()).await {
        Ok(read_only) => read_only,
        Err(why) => {
            let why = format!("cannot make the file systems read-only: {why}");
            report.record(CaseId::Res03, Finding::skip(why));
            return Ok(());
        }
    };
    let booted = harness.boot_read_only(&read_only).await?;
    let invoked = match booted.start.registered() {
        Ok(registered) => {
            if report.is_failed(CaseId::Reg05) {
                wait_until_listening(registered.address).await;
            }
            let response = post(registered.address, INVOKE_PATH, event()).await;
            response
                .and_then(HttpResponse::expect_200)
                .map(drop)
                .map_err(|error| format!("the invocation failed: {error}"))
        }
        Err(reason) => Err(reason),
    };
    let recorder = booted.recorder.clone();
    let exited = if stop_mode == StopMode::Graceful && invoked.is_ok() {
        exit_result(booted.platform).await
    } else {
        booted.stop(StopMode::Kill).await.map(|()| Ok(()))
    }?;
    let reported = recorder.recorded().stderr.iter().rev().find_map(|line| {
        let line = line.trim();
        line.to_lowercase()
            .contains(read_only::ERROR)
            .then(|| line.to_owned())
    });
    let finding = match (invoked.and(exited), reported) {
        (Ok(()), None) => Finding::pass("works although only /tmp is writable"),
        (Ok(()), Some(line)) => Finding::warn(format!("works, but stderr says: {line}")),
        (Err(error), Some(line)) => Finding::fail(format!(
            "if only /tmp is writable: {error}; stderr says: {line}"
        )),
        (Err(error), None) => Finding::fail(format!("if only /tmp is writable: {error}")),
    };
    if finding.is_fail() {
        report.keep_stderr(&recorder);
    }
    report.record(CaseId::Res03, finding);
    Ok(())
}

/// Shuts the platform down. The result is an error if the extension does not exit as it should.
async fn exit_result(platform: Platform) -> Result<Result<(), String>, Error> {
    let shutdown = platform.shutdown().await?;
    let failed = shutdown.extensions.iter().find(|exit| {
        let by_sigterm = [
            exit.status.code(),
            exit.status.signal().map(|signal| signal + 128),
        ];
        !exit.is_clean() && !by_sigterm.contains(&Some(super::shutdown::EXIT_AFTER_SIGTERM))
    });
    Ok(match failed {
        Some(exit) => Err(format!(
            "the shutdown failed: it {}",
            describe_exit(exit.status)
        )),
        None => Ok(()),
    })
}

#[cfg(test)]
mod tests {
    use super::unexpected_listener;

    #[test]
    fn only_registered_loopback_addresses_are_expected() {
        let known = ["127.0.0.1:8081".parse().unwrap()];
        let describe = |address: &str| unexpected_listener(address.parse().unwrap(), &known);
        assert_eq!(describe("127.0.0.1:8081"), None);
        assert_eq!(describe("[::ffff:127.0.0.1]:8081"), None);
        for (address, detail) in [
            ("0.0.0.0:8081", "listens on 0.0.0.0:8081, on all interfaces"),
            ("[::]:8081", "listens on [::]:8081, on all interfaces"),
            (
                "10.0.0.7:8081",
                "listens on 10.0.0.7:8081, outside the instance's loopback interface",
            ),
            (
                "127.0.0.1:9090",
                "listens on 127.0.0.1:9090, which it has neither registered nor subscribed",
            ),
        ] {
            assert_eq!(describe(address).as_deref(), Some(detail));
        }
    }
}
