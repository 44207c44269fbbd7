//! The task that posts, one batch after the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use hyper::{Response, header};

use super::{Batch, Subscription};
use crate::shared::Shared;
use crate::{Error, Event, client};

/// How long a subscriber may take to answer (?).
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a batch is posted before it is given up (?).
const ATTEMPTS: u32 = 5;
/// Doubles with each attempt, unless the answer has a `Retry-After`.
const PAUSE: Duration = Duration::from_millis(100);

/// Delivers until it is dropped.
pub(crate) async fn deliver(shared: Arc<Shared>) {
    loop {
        let (subscription, batch) = shared.when(|state| state.telemetry.next_batch()).await;
        if batch.dropped > 0 {
            shared.observe(&Event::TelemetryLost {
                events: batch.dropped,
                reason: "more waited than there is room for".to_owned(),
            });
        }
        let events = batch.events;
        let event = match post_batch(&subscription, batch, &shared).await {
            Ok((status, started_at, round_trip)) => Event::TelemetryDelivered {
                events,
                status,
                started_at,
                round_trip,
            },
            Err(reason) => Event::TelemetryLost { events, reason },
        };
        shared.observe(&event);
        shared.change(|state| state.telemetry.settle());
    }
}

/// One POST; the answer.
pub(super) async fn post(
    subscription: &Subscription,
    body: Bytes,
) -> Result<Response<Bytes>, Error> {
    let Subscription { address, path, .. } = subscription;
    client::post("telemetry", *address, path, body, PATIENCE).await
}

/// The status, which is a success, and when the POST began that got it and what it took; or why it was given up.
async fn post_batch(
    subscription: &Subscription,
    batch: Batch,
    shared: &Shared,
) -> Result<(u16, Instant, Duration), String> {
    let body = Bytes::from(batch.body);
    let mut attempt = 1;
    loop {
        let start = Instant::now();
        let freezes = shared.state().telemetry.freezes;
        let answer = post(subscription, body.clone()).await;
        let retry_after = answer.as_ref().ok().and_then(retry_after);
        let reason = match answer.map(|answer| answer.status().as_u16()) {
            Ok(status @ 200..300) => return Ok((status, start, start.elapsed())),
            Ok(status @ ..500) if status != 408 && status != 429 => {
                return Err(format!("{} answered {status}", subscription.uri));
            }
            Ok(status) => format!("{} answered {status}", subscription.uri),
            Err(error) => error.in_one_line(),
        };
        // A frozen subscriber could not answer.
        shared
            .when(|state| (!state.telemetry.frozen).then_some(()))
            .await;
        if shared.state().telemetry.freezes != freezes {
            continue;
        }
        if attempt == ATTEMPTS {
            return Err(format!("{reason}, at the last of {ATTEMPTS} attempts"));
        }
        let pause = retry_after.unwrap_or(PAUSE * 2_u32.pow(attempt - 1));
        attempt += 1;
        tokio::time::sleep(pause).await;
    }
}

/// How long the subscriber asks to be left alone, five seconds at most. The form that is a date is not read.
fn retry_after(answer: &Response<Bytes>) -> Option<Duration> {
    let text = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    Some(Duration::from_secs(text.trim().parse().ok()?).min(PATIENCE))
}
