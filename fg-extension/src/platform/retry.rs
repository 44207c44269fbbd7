//! Retries of API requests.

use std::time::Duration;

use fg_util::backoff::Backoff;
use fg_util::error::chain;
use tokio::time::Instant;

use super::client::{ApiRequest, ApiResponse, Rejection};
use crate::Error;

/// The platform runs on the same host, so an early retry is cheap.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// No further attempt is made if less time than this is left.
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(10);

pub(crate) enum ApiError {
    /// The platform rejected the request.
    Rejected(Rejection),
    /// No attempt succeeded in time: the number of attempts, and the last error.
    NoResponse(u32, Error),
}

impl ApiRequest<'_> {
    /// Sends the request, with retries, and returns the body of the response with status 200.
    ///
    /// Failures that may be temporary are retried until `timeout` has elapsed: status 5xx, 408 or 429, a refused or
    /// broken connection, and a missing response (I). Any other response than status 200 is final (D 2707, 2710).
    pub(crate) async fn post(&self, timeout: Duration) -> Result<Vec<u8>, ApiError> {
        let deadline = Instant::now() + timeout;
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut attempts = 0_u32;
        loop {
            attempts += 1;
            // An attempt may take half of the time that is left. This allows for a slow response, and leaves time for
            // another attempt if there is none.
            let now = Instant::now();
            let error = match self.attempt(now + (deadline - now) / 2).await {
                Ok(ApiResponse::Ok(body)) => return Ok(body),
                Ok(ApiResponse::Rejected(rejection)) => return Err(ApiError::Rejected(rejection)),
                Ok(ApiResponse::Retry(rejection)) => {
                    format!("the platform responded with {rejection}").into()
                }
                Err(error) => error,
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left < SHORTEST_ATTEMPT {
                return Err(ApiError::NoResponse(attempts, error));
            }
            // The pause must not use up the time for another attempt.
            let pause = backoff.next_pause().min(left / 2);
            tracing::info!(
                "{} attempt {attempts} failed, retrying in {pause:.0?}: {}",
                self.purpose,
                chain(error.as_ref())
            );
            tokio::time::sleep(pause).await;
        }
    }
}

/// Formats a number of attempts for a message, such as `2 attempts`.
pub(super) fn count_attempts(attempts: u32) -> String {
    match attempts {
        1 => "1 attempt".to_owned(),
        attempts => format!("{attempts} attempts"),
    }
}
