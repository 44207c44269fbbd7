//! END-02: invocations in flight at SIGTERM.

use std::collections::BTreeSet;
use std::time::Duration;

use fg_emulator::{Faults, RegisteredExtension};
use nix::sys::signal::Signal;
use tokio::time::{Instant, timeout};

use super::load::{Load, Responses};
use crate::Error;
use crate::cases::CaseId;
use crate::cases::invocation::{INVOKE_PATH, event};
use crate::harness::client::{Connection, wait_until_listening};
use crate::harness::{Booted, Harness, ProcessGroup, StopMode, clients_without_unread_data};
use crate::report::{Finding, Report};
use crate::system::{IS_LINUX, NEEDS_LINUX};

/// How long the check waits until the extension has read the half of a request. One that serves one connection at a time may not
/// do so.
const RECEIVED_WITHIN: Duration = Duration::from_secs(1);
/// The pause between two looks at what has been received.
const POLL_EVERY: Duration = Duration::from_millis(2);
/// How long after the stop SIGTERM is sent.
const RESUMES_WITHIN: Duration = Duration::from_millis(2);
/// How long after SIGTERM the rest of the partial request is sent. Extensions built with fg-extension drop it after 150 ms.
const REST_AFTER: Duration = Duration::from_millis(30);
/// If this machine is so busy that the rest could be sent only later, the partial request does not count.
const REST_WITHIN: Duration = Duration::from_millis(100);
/// How long the extension may take to respond to the partial request.
const RESPONDS_WITHIN: Duration = Duration::from_secs(2);
/// How many requests must have been in flight for a verdict, in all boots together.
const ENOUGH: usize = 4;
/// How often the check boots the extension until there were so many.
const ATTEMPTS: usize = 4;
/// In how many boots the check looks again if responses are missing. Some servers finish the requests that they handle, but lose
/// one that they have just read, which depends on the moment.
const BOOTS_WITH_LOSSES: usize = 3;
/// How long the check waits for the process to exit.
const EXITS_WITHIN: Duration = Duration::from_secs(5);

/// Checks END-02, in separate boots.
pub(crate) async fn check_in_flight(
    harness: &Harness<'_>,
    report: &mut Report,
) -> Result<(), Error> {
    // Only Linux lists which requests a server has read.
    if !IS_LINUX {
        let why = format!("cannot see what the extension has received: {NEEDS_LINUX}");
        report.record(CaseId::End02, Finding::skip(why));
        return Ok(());
    }
    let mut observed = Observed::default();
    for _ in 0..ATTEMPTS {
        let booted = harness.boot(Faults::default()).await?;
        let added = attempt(&booted, &mut observed, report).await;
        if added.is_err() || observed.responses.lost > 0 {
            report.keep_stderr(&booted.recorder);
        }
        stop(booted).await?;
        if let Err(error) = added {
            report.record(CaseId::End02, Finding::fail(error));
            return Ok(());
        }
        if observed.is_conclusive() {
            break;
        }
    }
    report.record(CaseId::End02, observed.finding());
    Ok(())
}

/// Stops an extension that has received SIGTERM already, which must not be sent twice.
async fn stop(booted: Booted) -> Result<(), Error> {
    let exits = timeout(EXITS_WITHIN, booted.platform.wait_for_exit()).await;
    let mode = match exits {
        Ok(_) => StopMode::Graceful,
        Err(_) => StopMode::Kill,
    };
    booted.stop(mode).await
}

/// What was observed in all boots so far.
#[derive(Default)]
struct Observed {
    /// The responses to the requests that the extension had received completely at SIGTERM.
    responses: Responses,
    /// What happened to the request of which the extension had received half, in the last boot in which it counts.
    partial: Option<Partial>,
    /// In how many boots there were requests in flight, and in how many of these at least half of them had no response.
    boots: usize,
    boots_with_losses: usize,
}

enum Partial {
    Completed,
    Dropped(String),
}

async fn attempt(booted: &Booted, observed: &mut Observed, report: &Report) -> Result<(), String> {
    let registered = booted.start.registered();
    let registered = registered.map_err(|reason| format!("in another boot: {reason}"))?;
    // An extension that fails this case may not be listening yet.
    if report.is_failed(CaseId::Reg05) {
        wait_until_listening(registered.address).await;
    }
    sigterm_during_requests(booted, registered, observed).await
}

async fn sigterm_during_requests(
    booted: &Booted,
    registered: &RegisteredExtension,
    observed: &mut Observed,
) -> Result<(), String> {
    let address = registered.address;
    let group = ProcessGroup::of(registered).ok_or("the process ID of the extension is unknown")?;
    let load = Load::start(address);
    load.wait_for_responses().await;
    let received = || clients_without_unread_data(address.port());
    // Without a connection, or after an early response, no request waits for its rest.
    let mut half_connection = Connection::open_within(address, RESPONDS_WITHIN).await.ok();
    let half_client = half_connection
        .as_ref()
        .map(|connection| connection.local_address().port());
    let mut half = match &mut half_connection {
        Some(connection) => connection
            .post_half(INVOKE_PATH, event())
            .await
            .ok()
            .flatten(),
        None => None,
    };
    let is_half_received =
        |received: &BTreeSet<u16>| half_client.is_some_and(|client| received.contains(&client));
    let start = Instant::now();
    while half.is_some() && !is_half_received(&received()) && start.elapsed() < RECEIVED_WITHIN {
        tokio::time::sleep(POLL_EVERY).await;
    }

    // The extension is stopped while the check looks at its sockets, because an event is handled faster than that.
    load.finish();
    booted.platform.freeze();
    let received = received();
    let in_flight = load.in_flight(&received);
    booted.platform.thaw();
    // The kernel gives a signal for a process that has not run since the stop to any of its threads. Some runtimes, such as
    // Python, notice it only in the main thread.
    tokio::time::sleep(RESUMES_WITHIN).await;
    group.signal_all(Signal::SIGTERM)?;

    let signal = Instant::now();
    let early = match &mut half {
        Some(half) => half.early_response(REST_AFTER).await,
        None => None,
    };
    let rest_after = signal.elapsed();
    let partial = match (half, early) {
        (Some(_), Some(early)) => Some(early),
        (Some(half), None) => Some(half.finish().await),
        (None, _) => None,
    };
    // Some servers wait for their clients.
    drop(half_connection);
    match partial.filter(|_| is_half_received(&received)) {
        Some(Ok(response)) if response.status == 200 => {
            observed.partial = Some(Partial::Completed);
        }
        Some(Ok(response)) => observed.partial = Some(Partial::Dropped(response.summary())),
        Some(Err(error)) if rest_after <= REST_WITHIN => {
            observed.partial = Some(Partial::Dropped(error.to_string()));
        }
        // The extension had not received the half, it responded to the half, or the rest was sent too late.
        _ => {}
    }
    observed.add(load.responses(&in_flight).await);
    Ok(())
}

impl Observed {
    fn add(&mut self, responses: Responses) {
        if responses.in_flight > 0 {
            self.boots += 1;
            self.boots_with_losses += usize::from(responses.lost * 2 >= responses.in_flight);
        }
        self.responses.add(responses);
    }

    fn is_conclusive(&self) -> bool {
        let is_consistent = self.responses.lost == 0 || self.boots >= BOOTS_WITH_LOSSES;
        is_consistent && self.responses.in_flight >= ENOUGH && self.partial.is_some()
    }

    fn finding(self) -> Finding {
        let Responses {
            in_flight,
            lost,
            error,
            bad_status,
        } = self.responses;
        if let Some(error) = error {
            let detail = format!(
                "no response to {lost} of {in_flight} invocations that the extension had received completely at SIGTERM: {error}"
            );
            return if self.boots >= BOOTS_WITH_LOSSES && self.boots_with_losses == self.boots {
                Finding::fail(detail)
            } else {
                Finding::warn(detail)
            };
        }
        // Only a warning, because the client at least learns of the failure.
        if let Some(status) = bad_status {
            return Finding::warn(format!(
                "expected status 200 for the invocations in flight at SIGTERM, got {status}"
            ));
        }
        let complete = match in_flight {
            0 => None,
            1 => Some("responded to the invocation in flight".to_owned()),
            count => Some(format!("responded to the {count} invocations in flight")),
        };
        match (complete, self.partial) {
            (complete, Some(Partial::Dropped(error))) => Finding::warn(format!(
                "{}drops a request of which it has received half at SIGTERM: {error}",
                complete.map(|text| text + ", but ").unwrap_or_default()
            )),
            (None, Some(Partial::Completed)) => {
                Finding::pass("completed a request of which it had received half at SIGTERM")
            }
            (Some(complete), _) => Finding::pass(complete),
            (None, None) => Finding::skip(format!(
                "inconclusive: no invocation was in flight at SIGTERM in {ATTEMPTS} boots"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Observed, Partial, Responses};
    use crate::Outcome;

    #[test]
    fn only_complete_requests_without_a_response_are_a_failure() {
        let completed = || Some(Partial::Completed);
        let dropped = || Some(Partial::Dropped("reset".to_owned()));
        for (in_flight, lost, bad_status, partial, outcome, detail) in [
            (
                4,
                4,
                None,
                completed(),
                Outcome::Fail,
                "no response to 4 of 4 invocations that the extension had received completely at SIGTERM: closed",
            ),
            (
                5,
                2,
                None,
                completed(),
                Outcome::Warn,
                "no response to 2 of 5 invocations that the extension had received completely at SIGTERM: closed",
            ),
            (
                3,
                0,
                Some(503),
                dropped(),
                Outcome::Warn,
                "expected status 200 for the invocations in flight at SIGTERM, got 503",
            ),
            (
                3,
                0,
                None,
                dropped(),
                Outcome::Warn,
                "responded to the 3 invocations in flight, but drops a request of which it has received half at SIGTERM: reset",
            ),
            (
                0,
                0,
                None,
                dropped(),
                Outcome::Warn,
                "drops a request of which it has received half at SIGTERM: reset",
            ),
            (
                1,
                0,
                None,
                None,
                Outcome::Pass,
                "responded to the invocation in flight",
            ),
            (
                0,
                0,
                None,
                completed(),
                Outcome::Pass,
                "completed a request of which it had received half at SIGTERM",
            ),
            (
                0,
                0,
                None,
                None,
                Outcome::Skip,
                "inconclusive: no invocation was in flight at SIGTERM in 4 boots",
            ),
        ] {
            let responses = Responses {
                in_flight,
                lost,
                error: (lost > 0).then(|| "closed".to_owned()),
                bad_status,
            };
            let mut observed = Observed {
                partial,
                boots: 2,
                boots_with_losses: 2,
                ..Observed::default()
            };
            observed.add(responses);
            let finding = observed.finding();
            assert_eq!((finding.outcome, &*finding.detail), (outcome, detail));
        }
    }
}
