//! The task that delivers telemetry to the subscriber, one batch at a time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fg_util::backoff::Backoff;
use hyper::body::Bytes;
use hyper::{Response, header};

use super::Subscription;
use super::buffer::{Batch, LostEvents};
use crate::http::client;
use crate::inner::Inner;
use crate::{Error, Event};

/// How long a subscriber may take to respond (?).
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How many times a batch is posted before it is dropped (?).
const ATTEMPTS: u32 = 5;
/// The first pause between two attempts (?). It doubles with each attempt; a `Retry-After` header overrides it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Delivers telemetry until the future is dropped.
pub(crate) async fn deliver(inner: Arc<Inner>) {
    loop {
        let (subscription, batch) = inner.wait_until(|state| state.telemetry.next_batch()).await;
        let Batch {
            body,
            events,
            dropped,
        } = batch;
        if let Some(LostEvents { events, body }) = dropped {
            inner.report(&Event::TelemetryLost {
                events,
                reason: "the buffer was full".to_owned(),
                body,
            });
        }
        let event = match post_batch(&subscription, &body, events, &inner).await {
            Ok((status, started_at, round_trip)) => Event::TelemetryDelivered {
                events,
                status,
                started_at,
                round_trip,
                body,
            },
            Err(reason) => Event::TelemetryLost {
                events,
                reason,
                body,
            },
        };
        inner.report(&event);
        inner.update(|state| state.telemetry.batch_settled());
    }
}

/// Posts a body once, and returns the response.
pub(super) async fn post(
    subscription: &Subscription,
    body: Bytes,
) -> Result<Response<Bytes>, Error> {
    let Subscription { address, path, .. } = subscription;
    client::post("telemetry", *address, path, body, RESPONSE_TIMEOUT).await
}

/// Posts the batch until it is accepted or lost. Returns the status of the successful response, the start of its POST, and
/// the round trip; or the reason why the batch is lost.
async fn post_batch(
    subscription: &Subscription,
    body: &Bytes,
    events: usize,
    inner: &Inner,
) -> Result<(u16, Instant, Duration), String> {
    let mut backoff = Backoff::new(FIRST_PAUSE, RESPONSE_TIMEOUT);
    let mut attempt = 1;
    loop {
        let start = Instant::now();
        let freezes = inner.state().telemetry.freezes;
        let response = post(subscription, body.clone()).await;
        let round_trip = start.elapsed();
        let retry_after = response.as_ref().ok().and_then(retry_after);
        let (reason, is_final) = match response.map(|response| response.status().as_u16()) {
            Ok(status @ 200..300) => return Ok((status, start, round_trip)),
            Ok(status) => (
                format!("{} responded with status {status}", subscription.uri),
                status < 500 && status != 408 && status != 429,
            ),
            Err(error) => (format!("{error:?}"), false),
        };
        inner.report(&Event::TelemetryAttemptFailed {
            events,
            started_at: start,
            round_trip,
            reason: reason.clone(),
        });
        if is_final {
            return Err(reason);
        }
        // An attempt that failed because the subscriber was frozen does not count.
        inner
            .wait_until(|state| (!state.telemetry.frozen).then_some(()))
            .await;
        if inner.state().telemetry.freezes != freezes {
            continue;
        }
        if attempt == ATTEMPTS {
            return Err(format!("{reason} (attempt {ATTEMPTS} of {ATTEMPTS})"));
        }
        let pause = backoff.next_pause();
        attempt += 1;
        tokio::time::sleep(retry_after.unwrap_or(pause)).await;
    }
}

/// Returns the pause that the `Retry-After` header requests, at most five seconds. A header with a date is ignored.
fn retry_after(response: &Response<Bytes>) -> Option<Duration> {
    let text = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    Some(Duration::from_secs(text.trim().parse().ok()?).min(RESPONSE_TIMEOUT))
}
