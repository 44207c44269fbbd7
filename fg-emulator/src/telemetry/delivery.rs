//! The task that posts, one batch after the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Batch, Subscription};
use crate::platform::{Event, Shared};
use crate::{Error, client};

/// How long a subscriber may take to answer (?).
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a batch is posted before it is given up (?).
const ATTEMPTS: u32 = 3;
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
        let event = match post_batch(&subscription, batch).await {
            Ok((status, took)) => Event::TelemetryDelivered {
                events,
                status,
                took,
            },
            Err(reason) => Event::TelemetryLost { events, reason },
        };
        shared.observe(&event);
        shared.change(|state| state.telemetry.settle());
    }
}

/// One POST; the answer's status.
pub(super) async fn post(subscription: &Subscription, body: Vec<u8>) -> Result<u16, Error> {
    let Subscription { address, path, .. } = subscription;
    let (status, _) = client::post("telemetry", *address, path, body, PATIENCE).await?;
    Ok(status)
}

/// The status, which is a success, and what the POST took that got it; or why it was given up.
async fn post_batch(subscription: &Subscription, batch: Batch) -> Result<(u16, Duration), String> {
    let mut attempt = 1;
    loop {
        let start = Instant::now();
        let reason = match post(subscription, batch.body.clone().into_bytes()).await {
            Ok(status @ 200..300) => return Ok((status, start.elapsed())),
            Ok(status @ ..500) => {
                return Err(format!("{} answered {status}", subscription.uri));
            }
            Ok(status) => format!("{} answered {status}", subscription.uri),
            Err(error) => match std::error::Error::source(&error) {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            },
        };
        if attempt == ATTEMPTS {
            return Err(format!("{reason}, at the last of {ATTEMPTS} attempts"));
        }
        attempt += 1;
        tokio::time::sleep(PAUSE).await;
    }
}
