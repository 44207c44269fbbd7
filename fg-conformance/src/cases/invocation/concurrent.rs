//! INV-02 and INV-07: many events at once, and how long the responses take.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::{INVOKE_PATH, blocked_warning, event};
use crate::cases::CaseId;
use crate::harness::CallRecorder;
use crate::harness::client::{Connection, HttpResponse, post};
use crate::report::{Finding, Report};

/// How many events are posted at once.
const CONCURRENT: u32 = 64;
/// How long all of them may take. Handling one after another is slow, and if the backlog is short, the kernel retries the
/// connection after 1, 3, 7, 15 and 31 seconds.
const ALL_WITHIN: Duration = Duration::from_secs(60);
/// How long the first of them may take, and how long ago the last one may be when the time is over.
const PROGRESS_WITHIN: Duration = Duration::from_secs(10);
/// How long a response may take while another request is incomplete, unless the handler takes longer anyway.
const RESPONSE_WITHIN: Duration = Duration::from_secs(3);
/// A response to a single event that takes longer is a warning.
const SINGLE_WITHIN: Duration = Duration::from_secs(1);
/// If all of the events take longer than this, and nearly as long as one after another or longer, this is a warning.
const SERIAL_AFTER: Duration = Duration::from_secs(2);

/// How long the responses took.
struct Latency {
    single: Duration,
    all: Duration,
    /// How many of the [`CONCURRENT`] events had a response when the time was over.
    responses: u32,
}

/// Checks INV-02 and INV-07.
pub(crate) async fn check_concurrent(
    address: SocketAddr,
    recorder: &CallRecorder,
    report: &mut Report,
) {
    match measure(address).await {
        Ok(latency) => {
            // Only a warning: another invocation arrives at the same time only if the concurrency of the function is above 1.
            let during = invoke_during_partial_request(address, latency.single).await;
            report.record(CaseId::Inv02, latency.concurrency_finding(during));
            report.record(CaseId::Inv07, latency.duration_finding());
        }
        Err(error) => {
            let finding = Finding::fail(match blocked_warning(recorder).await {
                Some(line) => format!("{error}; stderr says: {line}"),
                None => error,
            });
            report.record(CaseId::Inv02, finding);
            report.block_dependents(CaseId::Inv02);
        }
    }
}

impl Latency {
    fn concurrency_finding(&self, during_partial_request: Result<(), String>) -> Finding {
        let Self { all, responses, .. } = self;
        if *responses < CONCURRENT {
            return Finding::warn(format!(
                "{responses} of {CONCURRENT} responses within {ALL_WITHIN:?}"
            ));
        }
        let detail = format!("all {CONCURRENT} succeeded in {all:.1?}");
        match during_partial_request {
            Ok(()) => Finding::pass(detail),
            Err(why) => Finding::warn(format!("{detail}, but {why}")),
        }
    }

    fn duration_finding(&self) -> Finding {
        let Self {
            single,
            all,
            responses,
        } = self;
        let of = match *responses {
            CONCURRENT => String::new(),
            fewer => format!("{fewer} of "),
        };
        let detail = format!("{single:.1?} for one event, {all:.1?} for {of}{CONCURRENT} at once");
        let serial = *single * *responses;
        if *single > SINGLE_WITHIN {
            Finding::warn(detail)
        } else if *all > SERIAL_AFTER && *all > serial * 2 {
            Finding::warn(format!(
                "{detail}: slower than one after another; the backlog may be too short, or this machine too busy"
            ))
        } else if *all > SERIAL_AFTER && *all > serial * 4 / 5 {
            Finding::warn(format!("{detail}: they are handled one after another"))
        } else {
            Finding::pass(detail)
        }
    }
}

async fn measure(address: SocketAddr) -> Result<Latency, String> {
    let start = Instant::now();
    let response = post(address, INVOKE_PATH, event()).await;
    response.and_then(HttpResponse::expect_200)?;
    let single = start.elapsed();
    let start = Instant::now();
    let responses = invoke_concurrently(address, start).await?;
    Ok(Latency {
        single,
        all: start.elapsed(),
        responses,
    })
}

/// Posts many events at once. They may be handled in parallel or one after another. Returns how many had a response in time.
async fn invoke_concurrently(address: SocketAddr, start: Instant) -> Result<u32, String> {
    let mut requests = JoinSet::new();
    for _ in 0..CONCURRENT {
        requests.spawn(async move {
            let mut connection = Connection::open_within(address, ALL_WITHIN).await?;
            connection
                .post(INVOKE_PATH, event())
                .await
                .and_then(HttpResponse::expect_200)
        });
    }
    let (mut responses, mut deadline, mut last) = (0, start + PROGRESS_WITHIN, start);
    loop {
        match timeout_at(deadline, requests.join_next()).await {
            Ok(Some(Ok(Ok(_)))) => {
                responses += 1;
                (deadline, last) = (start + ALL_WITHIN, Instant::now());
            }
            Ok(Some(Ok(Err(error)))) => {
                return Err(format!(
                    "one invocation failed after {responses} successful ones: {error}"
                ));
            }
            Ok(Some(Err(error))) => return Err(error.to_string()),
            Ok(None) => return Ok(responses),
            Err(_) if responses == 0 => {
                return Err(format!("no response within {PROGRESS_WITHIN:?}"));
            }
            // It is slow, but it has not stopped.
            Err(_) if last.elapsed() < PROGRESS_WITHIN => return Ok(responses),
            Err(_) => {
                return Err(format!(
                    "{responses} of {CONCURRENT} responses within {ALL_WITHIN:?}"
                ));
            }
        }
    }
}

/// Posts an event while another request is incomplete, then completes that request.
async fn invoke_during_partial_request(
    address: SocketAddr,
    single: Duration,
) -> Result<(), String> {
    let mut connection = Connection::open(address).await?;
    let Some(request) = connection.post_half(INVOKE_PATH, event()).await? else {
        // An extension that does not wait for the other half does not block other requests.
        return Ok(());
    };
    let limit = RESPONSE_WITHIN + 2 * single;
    let other = timeout(limit, post(address, INVOKE_PATH, event())).await;
    let last = request.finish().await.and_then(HttpResponse::expect_200);
    match other {
        Ok(response) => response.and_then(HttpResponse::expect_200).map(drop)?,
        Err(_) => return Err("a stalled connection blocks the others".to_owned()),
    }
    last.map(drop)
        .map_err(|error| format!("a request that arrived slowly failed: {error}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Latency;
    use crate::Outcome::{self, Pass, Warn};

    #[test]
    fn slow_and_serial_responses_are_warnings() {
        for (single, all, responses, concurrency, duration) in [
            (1, 20, 64, Pass, Pass),
            (40, 200, 64, Pass, Pass),
            // Handled one after another, or slow because the machine is busy.
            (40, 2_600, 64, Pass, Warn),
            (10, 2_600, 64, Pass, Warn),
            (20, 700, 64, Pass, Pass),
            (4_000, 4_100, 64, Pass, Warn),
            (4_000, 60_000, 15, Warn, Warn),
        ] {
            let latency = Latency {
                single: Duration::from_millis(single),
                all: Duration::from_millis(all),
                responses,
            };
            let outcome: Outcome = latency.concurrency_finding(Ok(())).outcome;
            assert_eq!(outcome, concurrency, "{single}, {all}");
            let outcome = latency.duration_finding().outcome;
            assert_eq!(outcome, duration, "{single}, {all}");
        }
    }
}
