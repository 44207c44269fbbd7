//! Retries of API requests.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use fg_util::backoff::Backoff;
use fg_util::duration;
use fg_util::error::chain;

use super::client::{ApiRequest, ApiResponse, Rejection};
use super::stopwatch::Stopwatch;
use crate::Error;

/// The platform runs on the same host, so an early retry is cheap.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// No further attempt is made if less time than this is left.
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(10);

/// The maximum number of attempts that wait for a response at the same time.
const MAX_OPEN: usize = 2;

pub(crate) enum ApiError {
    /// The platform rejected the request.
    Rejected(Rejection),
    /// No attempt succeeded in time: the number of attempts, and the last error.
    NoResponse(u32, Error),
}

impl ApiRequest<'_> {
    /// Sends the request, with retries, and returns the body of the response with status 200.
    ///
    /// Failures that may be temporary are retried until `timeout` has elapsed: status 5xx, 408 or 429, and a refused
    /// or broken connection (I). Any other response than status 200 is final (D 2707, 2712).
    ///
    /// An attempt without a response stays open, since a slow platform may be about to accept it, and a platform may
    /// reject the same request if it arrives twice. A second one is only made when most of the time is used up, in
    /// case the first was lost. Then the first status 200 wins, and a rejection is final when no other attempt is open.
    ///
    /// Time in which the process could not run, such as a freeze, does not count.
    pub(crate) async fn post(&self, timeout: Duration) -> Result<Vec<u8>, ApiError> {
        let mut stopwatch = Stopwatch::default();
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut open = Vec::new();
        let mut attempts = 0_u32;
        let mut next_attempt = Some(Duration::ZERO);
        let mut failure = None;
        let mut rejected = None;
        loop {
            if next_attempt.is_some_and(|at| stopwatch.elapsed() >= at) {
                attempts += 1;
                open.push(Box::pin(self.send()));
                failure = None;
                next_attempt = match open.len() {
                    MAX_OPEN => None,
                    _ => end_of_patience(stopwatch.elapsed(), timeout),
                };
            }
            let response = stopwatch
                .run_until(next_attempt.unwrap_or(timeout), first_completed(&mut open))
                .await;
            let Some(response) = response else {
                if next_attempt.is_none() {
                    return Err(match rejected {
                        Some(rejection) => ApiError::Rejected(rejection),
                        None => {
                            let failure = failure.unwrap_or_else(|| "no response in time".into());
                            ApiError::NoResponse(attempts, failure)
                        }
                    });
                }
                if !open.is_empty() {
                    info!(
                        "{} attempt {attempts} has no response yet, making another attempt",
                        self.purpose
                    );
                }
                continue;
            };
            let left = timeout.saturating_sub(stopwatch.elapsed());
            let response = match response {
                Ok(response) => Ok(ApiResponse::read(response, &mut stopwatch, left).await),
                Err(error) => Err(error),
            };
            let error = match response {
                Ok(ApiResponse::Ok(body)) => return Ok(body),
                Ok(ApiResponse::Rejected(rejection)) if open.is_empty() => {
                    return Err(ApiError::Rejected(rejection));
                }
                Ok(ApiResponse::Rejected(rejection)) => {
                    rejected = Some(rejection);
                    next_attempt = None;
                    continue;
                }
                Ok(ApiResponse::Retry(rejection)) => {
                    format!("the platform responded with {rejection}").into()
                }
                Err(error) => error,
            };
            let elapsed = stopwatch.elapsed();
            let left = timeout.saturating_sub(elapsed);
            if !open.is_empty() {
                // The other attempt is still waited for.
                if rejected.is_none() {
                    next_attempt = end_of_patience(elapsed, timeout);
                }
            } else if let Some(rejection) = rejected {
                return Err(ApiError::Rejected(rejection));
            } else if left < SHORTEST_ATTEMPT {
                return Err(ApiError::NoResponse(attempts, error));
            } else {
                // The pause must not use up the time for another attempt.
                let pause = backoff.next_pause().min(left / 2);
                info!(
                    "{} attempt {attempts} failed, retrying in {}: {}",
                    self.purpose,
                    duration::format_rounded(pause),
                    chain(error.as_ref())
                );
                next_attempt = Some(elapsed + pause);
            }
            failure = Some(error);
        }
    }
}

/// Returns the time when another attempt is made although one is open, or `None` if the time is too short for that.
///
/// An open attempt gets three quarters of the time that is left: one that was lost is rare on the same host, while a
/// slow start of the platform is not.
fn end_of_patience(elapsed: Duration, timeout: Duration) -> Option<Duration> {
    let left = timeout.saturating_sub(elapsed);
    (left >= SHORTEST_ATTEMPT).then(|| elapsed + left * 3 / 4)
}

/// Waits until one of the attempts completes, and removes it. Pends forever if there are none.
async fn first_completed<F: Future>(open: &mut Vec<Pin<Box<F>>>) -> F::Output {
    poll_fn(|cx| {
        let mut attempts = open.iter_mut().enumerate();
        let completed = attempts.find_map(|(i, attempt)| match attempt.as_mut().poll(cx) {
            Poll::Ready(output) => Some((i, output)),
            Poll::Pending => None,
        });
        let Some((i, output)) = completed else {
            return Poll::Pending;
        };
        drop(open.remove(i));
        Poll::Ready(output)
    })
    .await
}

/// Formats a number of attempts for a message, such as `2 attempts`.
pub(super) fn count_attempts(attempts: u32) -> String {
    match attempts {
        1 => "1 attempt".to_owned(),
        attempts => format!("{attempts} attempts"),
    }
}
