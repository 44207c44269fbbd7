//! When a request to the platform is tried again, and for how long.

use std::time::Duration;

use fg_util::backoff::Backoff;
use fg_util::error::chain;
use serde_json::Value;
use tokio::time::Instant;

use super::client::{ApiRequest, ApiResponse, Rejection};
use crate::Error;

/// The platform is on the same host, so that an early retry costs little.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// With less time left than this there is no further attempt.
const SHORTEST_ATTEMPT: Duration = Duration::from_millis(10);

pub(crate) enum ApiError {
    /// The platform rejected the request.
    Rejected(Rejection),
    /// No response came in time: how often it was tried, and what went wrong last.
    NoResponse(u32, Error),
}

impl ApiRequest<'_> {
    /// Posts it, and returns the JSON of a response with status 200, or null if its body is not JSON.
    ///
    /// Failures that may pass (I: 5xx, 408, 429, a connection refused or broken, no response) are tried again until
    /// the time is over; any other response than 200 is final (D 2707, 2710).
    pub(crate) async fn post(&self, timeout: Duration) -> Result<Value, ApiError> {
        let deadline = Instant::now() + timeout;
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut attempts = 0_u32;
        loop {
            attempts += 1;
            // An attempt has half of what is left: time enough for a platform that is slow to respond, and
            // another attempt if it never does.
            let now = Instant::now();
            let error = match self.attempt(now + (deadline - now) / 2).await {
                Ok(ApiResponse::Ok(json)) => return Ok(json),
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
            // The pause is cut short where it would use up the time of another attempt.
            let pause = backoff.next_pause().min(left / 2);
            tracing::info!(
                "{} attempt {attempts} failed, next in {pause:.0?}: {}",
                self.purpose,
                chain(error.as_ref())
            );
            tokio::time::sleep(pause).await;
        }
    }
}
