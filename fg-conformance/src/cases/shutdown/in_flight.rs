//! END-02: invocations in flight at SIGTERM.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use fg_emulator::{Faults, RegisteredExtension};
use nix::sys::signal::Signal;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::Error;
use crate::cases::CaseId;
use crate::cases::invocation::{INVOKE_PATH, event};
use crate::harness::client::{Connection, HttpResponse, RequestError, wait_until_listening};
use crate::harness::{Booted, Harness, ProcessGroup, Start, StopMode};
use crate::port_owner::clients_without_unread_data;
use crate::report::{Finding, Report};

/// How many tasks post events until SIGTERM, each event on a new connection: the response to a later one on a connection is not
/// in flight in the extension, but may wait in the kernel for 40 ms.
const CLIENTS: usize = 32;
/// How many responses the check waits for before it sends SIGTERM, and how long.
const RESPONSES: usize = 16;
const RESPONSES_WITHIN: Duration = Duration::from_secs(1);
/// How long the check waits until the extension has read the half of a request. One that serves one connection at a time may not
/// do so.
const RECEIVED_WITHIN: Duration = Duration::from_secs(1);
/// The pause between two looks at what has been received.
const POLL_EVERY: Duration = Duration::from_millis(2);
/// How long the extension stays stopped, so that what either side has sent arrives, even if the kernel delays it by 40 ms.
const SENT_WITHIN: Duration = Duration::from_millis(60);
/// How long after SIGTERM the rest of the partial request is sent. Extensions built with fg-extension drop it after 150 ms.
const REST_AFTER: Duration = Duration::from_millis(30);
/// If this machine is so busy that the rest could be sent only later, the partial request does not count.
const REST_WITHIN: Duration = Duration::from_millis(100);
/// How long the extension may take to respond to the partial request.
const RESPONDS_WITHIN: Duration = Duration::from_secs(2);
/// How often the check boots the extension until it has received a complete request when SIGTERM arrives.
const ATTEMPTS: usize = 4;
/// How long the check waits for the process to exit.
const EXITS_WITHIN: Duration = Duration::from_secs(5);

/// Checks END-02, in separate boots.
pub(crate) async fn check_in_flight(
    harness: &Harness<'_>,
    report: &mut Report,
) -> Result<(), Error> {
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let booted = harness.boot(Faults::default()).await?;
        let attempt = attempt(&booted, report).await;
        let is_conclusive = attempt.as_ref().map_or(true, Attempt::is_conclusive);
        let finding = attempt.map_or_else(Finding::fail, Attempt::finding);
        if finding.is_fail() {
            report.keep_stderr(&booted.recorder);
        }
        stop(booted, &finding).await?;
        last = Some(finding);
        if is_conclusive {
            break;
        }
    }
    if let Some(finding) = last {
        report.record(CaseId::End02, finding);
    }
    Ok(())
}

/// Stops an extension that has received SIGTERM already, which must not be sent twice.
async fn stop(booted: Booted, finding: &Finding) -> Result<(), Error> {
    let has_exited = !finding.is_fail()
        && timeout(EXITS_WITHIN, booted.platform.wait_for_exit())
            .await
            .is_ok();
    let mode = if has_exited {
        StopMode::Graceful
    } else {
        StopMode::Kill
    };
    booted.stop(mode).await
}

/// The result of one boot.
struct Attempt {
    /// The responses to the requests that the extension had received completely at SIGTERM: how many there were, and the first
    /// that was not answered with status 200. `None` if there were none.
    complete: Option<(usize, Option<BadResponse>)>,
    /// What happened to the request of which the extension had received half.
    partial: Partial,
}

enum BadResponse {
    Status(String),
    None(String),
}

enum Partial {
    Completed,
    Dropped(String),
    /// The extension had not received the half, or it responded to the half.
    NotInFlight,
    /// This machine was so busy that the rest was sent too late.
    SentLate,
}

async fn attempt(booted: &Booted, report: &Report) -> Result<Attempt, String> {
    let Start::Registered(registered) = &booted.start else {
        return Err("did not register when it was booted again".to_owned());
    };
    // An extension that fails this case may not be listening yet.
    if report.is_failed(CaseId::Reg05) {
        wait_until_listening(registered.address).await;
    }
    sigterm_during_requests(booted, registered).await
}

async fn sigterm_during_requests(
    booted: &Booted,
    registered: &RegisteredExtension,
) -> Result<Attempt, String> {
    let address = registered.address;
    let group = ProcessGroup::of(registered).ok_or("the process ID of the extension is unknown")?;
    let mut load = Load::start(address);
    load.wait_for_responses().await;
    let mut half_connection = Connection::open_within(address, RESPONDS_WITHIN).await?;
    let half_address = half_connection.local_address();
    let mut half = half_connection.post_half(INVOKE_PATH, event()).await?;
    let start = Instant::now();
    while !clients_without_unread_data(address).contains(&half_address)
        && start.elapsed() < RECEIVED_WITHIN
    {
        tokio::time::sleep(POLL_EVERY).await;
    }

    load.finish.store(true, Ordering::SeqCst);
    booted.platform.freeze();
    tokio::time::sleep(SENT_WITHIN).await;
    // A stopped process reads nothing, so what is not in its sockets now was received by the extension.
    load.discard_responses();
    load.received = clients_without_unread_data(address);
    let half_received = load.received.contains(&half_address);
    // In this order: the kernel gives a signal for a stopped process to any of its threads, and some runtimes, such as Python,
    // then do not notice it.
    booted.platform.thaw();
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
    let partial = match partial.filter(|_| half_received) {
        Some(Err(_)) if rest_after > REST_WITHIN => Partial::SentLate,
        Some(Ok(response)) if response.status == 200 => Partial::Completed,
        Some(Ok(response)) => Partial::Dropped(response.summary()),
        Some(Err(error)) => Partial::Dropped(error.to_string()),
        None => Partial::NotInFlight,
    };
    Ok(Attempt {
        complete: load.responses().await,
        partial,
    })
}

/// Tasks that post one event after another.
struct Load {
    tasks: JoinSet<Result<(SocketAddr, Result<HttpResponse, RequestError>), RequestError>>,
    /// The clients whose requests the extension has received completely.
    received: BTreeSet<SocketAddr>,
    /// Whether no further events are posted.
    finish: Arc<AtomicBool>,
    responses: Arc<AtomicUsize>,
}

impl Load {
    fn start(address: SocketAddr) -> Self {
        let mut load = Self {
            tasks: JoinSet::new(),
            received: BTreeSet::new(),
            finish: Arc::default(),
            responses: Arc::default(),
        };
        for _ in 0..CLIENTS {
            let (finish, responses) = (Arc::clone(&load.finish), Arc::clone(&load.responses));
            load.tasks.spawn(post_until(address, finish, responses));
        }
        load
    }

    /// Waits until some events have a response, for a moment at most: a slow handler may not respond yet.
    async fn wait_for_responses(&self) {
        let start = Instant::now();
        while self.responses.load(Ordering::SeqCst) < RESPONSES
            && start.elapsed() < RESPONSES_WITHIN
        {
            tokio::time::sleep(POLL_EVERY).await;
        }
    }

    /// Removes the tasks that already have their last response.
    fn discard_responses(&mut self) {
        while self.tasks.try_join_next().is_some() {}
    }

    /// Waits for the responses to the requests that were in flight.
    async fn responses(self) -> Option<(usize, Option<BadResponse>)> {
        let (mut count, mut bad) = (0, None);
        let responses = self.tasks.join_all().await.into_iter();
        let in_flight = responses
            .filter_map(Result::ok)
            .filter(|(client, _)| self.received.contains(client));
        for (_, response) in in_flight {
            count += 1;
            match response {
                Ok(response) if response.status == 200 => {}
                Ok(response) => {
                    bad.get_or_insert(BadResponse::Status(response.summary()));
                }
                Err(error) if !matches!(bad, Some(BadResponse::None(_))) => {
                    bad = Some(BadResponse::None(error.to_string()));
                }
                Err(_) => {}
            }
        }
        (count > 0).then_some((count, bad))
    }
}

/// Posts events until no further ones are to be posted. Returns the last response and the address of its client.
async fn post_until(
    address: SocketAddr,
    finish: Arc<AtomicBool>,
    responses: Arc<AtomicUsize>,
) -> Result<(SocketAddr, Result<HttpResponse, RequestError>), RequestError> {
    loop {
        let mut connection = Connection::open(address).await?;
        let response = connection.post(INVOKE_PATH, event()).await;
        if finish.load(Ordering::SeqCst) {
            return Ok((connection.local_address(), response));
        }
        response?;
        responses.fetch_add(1, Ordering::SeqCst);
    }
}

impl Attempt {
    fn is_conclusive(&self) -> bool {
        self.complete.is_some() && !matches!(self.partial, Partial::SentLate)
    }

    fn finding(self) -> Finding {
        let complete = match &self.complete {
            Some((count, Some(BadResponse::None(error)))) => {
                return Finding::fail(format!(
                    "no response to an invocation that the extension had received completely at SIGTERM ({count} in flight): {error}"
                ));
            }
            // Only a warning, because the client at least learns of the failure.
            Some((_, Some(BadResponse::Status(response)))) => {
                return Finding::warn(format!(
                    "expected status 200 for the invocation in flight at SIGTERM, got {response}"
                ));
            }
            Some((1, None)) => Some("responded to the invocation in flight".to_owned()),
            Some((count, None)) => Some(format!("responded to the {count} invocations in flight")),
            None => None,
        };
        match (complete, self.partial) {
            (complete, Partial::Dropped(error)) => Finding::warn(format!(
                "{}drops a request of which it has received half at SIGTERM: {error}",
                complete.map(|text| text + ", but ").unwrap_or_default()
            )),
            (None, Partial::Completed) => {
                Finding::pass("completed a request of which it had received half at SIGTERM")
            }
            (Some(complete), _) => Finding::pass(complete),
            (None, Partial::NotInFlight | Partial::SentLate) => Finding::skip(format!(
                "inconclusive: no invocation was in flight at SIGTERM in {ATTEMPTS} boots"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Attempt, BadResponse, Partial};
    use crate::Outcome;

    #[test]
    fn only_a_complete_request_without_a_response_is_a_failure() {
        let dropped = || Partial::Dropped("reset".to_owned());
        let none = || Some(BadResponse::None("reset".to_owned()));
        let status = || Some(BadResponse::Status("503".to_owned()));
        for (complete, partial, outcome, detail) in [
            (
                Some((3, none())),
                Partial::Completed,
                Outcome::Fail,
                "no response to an invocation that the extension had received completely at SIGTERM (3 in flight): reset",
            ),
            (
                Some((3, status())),
                dropped(),
                Outcome::Warn,
                "expected status 200 for the invocation in flight at SIGTERM, got 503",
            ),
            (
                Some((3, None)),
                dropped(),
                Outcome::Warn,
                "responded to the 3 invocations in flight, but drops a request of which it has received half at SIGTERM: reset",
            ),
            (
                None,
                dropped(),
                Outcome::Warn,
                "drops a request of which it has received half at SIGTERM: reset",
            ),
            (
                Some((3, None)),
                Partial::NotInFlight,
                Outcome::Pass,
                "responded to the 3 invocations in flight",
            ),
            (
                None,
                Partial::Completed,
                Outcome::Pass,
                "completed a request of which it had received half at SIGTERM",
            ),
            (
                None,
                Partial::SentLate,
                Outcome::Skip,
                "inconclusive: no invocation was in flight at SIGTERM in 4 boots",
            ),
        ] {
            let finding = Attempt { complete, partial }.finding();
            assert_eq!((finding.outcome, &*finding.detail), (outcome, detail));
        }
    }
}
