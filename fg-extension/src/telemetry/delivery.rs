//! The delivery of acknowledged telemetry to the author's handler, with retries, in order of arrival.

use std::slice;
use std::sync::Arc;
use std::time::Duration;

use fg_util::backoff::Backoff;
use fg_util::duration::format_rounded;
use fg_util::error::{chain, excerpt};
use fg_util::select::{run_alongside, select};
use hyper::body::Bytes;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use super::batch::Batch;
use super::queue::{InFlight, PushError, Queue};
use super::{Telemetry, TelemetryCounters};
use crate::TelemetryHandler;
use crate::config::TelemetryConfig;
use crate::http::body::{BodyError, ReadBody};
use crate::http::response::HttpResponse;
use crate::lifecycle::witness::Moment;
use crate::lifecycle::{Lifecycle, Phase};
use crate::log::throttle::LogThrottle;
use crate::panics::catch;

/// The first pause between two attempts to deliver the same events.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause between two attempts during a shutdown, so that the last one is shortly before its deadline.
const SHORT_PAUSE: Duration = Duration::from_millis(250);

/// How long telemetry is delivered before other tasks run.
const LONGEST_TURN: Duration = Duration::from_millis(1);

/// Accepts telemetry into a queue, and delivers it to the author's handler.
pub(crate) struct Delivery {
    queue: Queue,
    counters: TelemetryCounters,
    log: LogThrottle,
    /// How long the delivery of a batch is retried.
    timeout: Duration,
}

/// The reason why a batch was not acknowledged.
#[derive(Debug, PartialEq)]
pub(super) enum Unacknowledged {
    Invalid(String),
    Full,
    ShuttingDown,
}

impl Delivery {
    pub(crate) fn new(config: &TelemetryConfig) -> Self {
        let counters = TelemetryCounters::default();
        Self {
            queue: Queue::new(config.buffer, counters.clone()),
            counters,
            log: LogThrottle::new(),
            timeout: config.timeout,
        }
    }

    /// Adds the batch in a request body to the queue.
    pub(super) fn receive(&self, body: Bytes) -> Result<(), Unacknowledged> {
        let parts = Batch::read(body).map_err(|why| {
            self.record_rejected_request(&why);
            Unacknowledged::Invalid(why)
        })?;
        if parts.is_empty() {
            return Ok(());
        }
        self.queue.push(parts).map_err(|why| self.rejected(why))
    }

    /// Returns whether there is room for a batch of this size.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.queue.admits(bytes).is_ok()
    }

    /// Counts a batch that was not admitted, and returns the reason.
    pub(super) fn reject_unread(&self) -> Unacknowledged {
        self.rejected(self.queue.reject_unread())
    }

    fn rejected(&self, why: PushError) -> Unacknowledged {
        match why {
            PushError::Full => {
                self.log.record(|pending| pending.rejected += 1);
                Unacknowledged::Full
            }
            PushError::Closed => Unacknowledged::ShuttingDown,
        }
    }

    /// Records a rejected request for the next log line.
    pub(super) fn record_rejected_request(&self, why: &str) {
        self.log.record(|pending| {
            pending.requests += 1;
            pending.rejection = Some(excerpt(why));
        });
    }

    /// Delivers several batches in one call. If that fails, delivers each batch separately, so that a batch that the
    /// handler cannot process does not affect the others.
    async fn deliver_batches<T: TelemetryHandler>(
        &self,
        mut batches: InFlight<'_>,
        lifecycle: &Lifecycle,
        extension: &T,
    ) {
        let together = batches.unsettled().len();
        if together > 1 {
            let attempt = self.attempt(batches.unsettled(), self.timeout / 2, extension);
            let Err(failure) = attempt.await else {
                (0..together).for_each(|_| batches.settle_first(true));
                return;
            };
            self.report_failure(failure, 0);
            self.pause(backoff().next_pause(), lifecycle).await;
        }
        while let Some(batch) = batches.unsettled().first() {
            let delivered = self.deliver_one(batch, lifecycle, extension).await;
            batches.settle_first(delivered);
        }
    }

    /// Delivers a batch, with retries. Returns `false` if no attempt succeeded in time.
    async fn deliver_one<T: TelemetryHandler>(
        &self,
        batch: &Batch,
        lifecycle: &Lifecycle,
        extension: &T,
    ) -> bool {
        let mut left = self.timeout;
        let mut backoff = backoff();
        loop {
            // An attempt may take half of the time that is left, so that a hanging call leaves time for a retry. A handler
            // that blocks its thread does not cost more than that either.
            let time_limit = left / 2;
            let start = Moment::now();
            let Err(failure) = self
                .attempt(slice::from_ref(batch), time_limit, extension)
                .await
            else {
                return true;
            };
            left -= start.elapsed().min(time_limit);
            if left < Duration::from_millis(10) {
                self.report_failure(failure, batch.events());
                return false;
            }
            self.report_failure(failure, 0);
            let pause = backoff.next_pause().min(left / 2);
            left -= pause;
            self.pause(pause, lifecycle).await;
        }
    }

    /// Calls the handler once. Returns the error message if it fails.
    async fn attempt<T: TelemetryHandler>(
        &self,
        batches: &[Batch],
        time_limit: Duration,
        extension: &T,
    ) -> Result<(), String> {
        // All of the author's code may panic: the handler, its destructors if it is dropped, and the `Display` of its
        // error.
        let handled = catch("`telemetry`", async {
            let mut events = Vec::new();
            for batch in batches {
                batch.append_to(&mut events);
            }
            let handler = async { extension.telemetry(events, &self.counters).await };
            match Moment::now().timeout(time_limit, handler).await {
                Some(Ok(())) => Ok(()),
                Some(Err(error)) => Err(chain(error.as_ref())),
                None => Err(format!("timed out after {}", format_rounded(time_limit))),
            }
        });
        handled.await.unwrap_or_else(|panic| Err(panic.to_string()))
    }

    /// Waits between two attempts. During a shutdown, the pause is short, since the remaining time is limited.
    async fn pause(&self, pause: Duration, lifecycle: &Lifecycle) {
        if lifecycle.has_reached(Phase::Draining) {
            sleep(pause.min(SHORT_PAUSE)).await;
        } else {
            select(sleep(pause), lifecycle.reached(Phase::Draining)).await;
        }
    }

    fn report_failure(&self, failure: String, lost: u64) {
        self.log.record(|pending| {
            pending.failures += 1;
            pending.failure = Some(excerpt(&failure));
            pending.lost += lost;
        });
    }
}

impl<T: TelemetryHandler> Telemetry<T> for Delivery {
    const SUBSCRIBED: bool = true;

    fn admits(&self, bytes: usize) -> bool {
        self.has_room(bytes)
    }

    async fn respond(self: &Arc<Self>, body: Result<ReadBody, BodyError>) -> HttpResponse {
        self.accept(body).await
    }

    /// Delivers batches as they arrive.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the batches in flight return to the queue.
    async fn deliver(&self, extension: &T, lifecycle: &Lifecycle) {
        let deliver = async {
            let mut turn = Instant::now();
            while let Some(batches) = self.queue.next().await {
                self.deliver_batches(batches, lifecycle, extension).await;
                // If the handler never waits, a long queue would keep other tasks from running. If each call were a
                // turn, however, several connections would fill the queue faster than it is emptied.
                if turn.elapsed() >= LONGEST_TURN {
                    yield_now().await;
                    turn = Instant::now();
                }
            }
        };
        run_alongside(self.log.run(), deliver).await;
    }

    fn close(&self) {
        self.queue.close();
    }

    fn abandon(&self) -> u64 {
        let left = self.queue.abandon();
        self.log.flush();
        left
    }

    fn lost(&self) -> u64 {
        self.queue.lost()
    }
}

const fn backoff() -> Backoff {
    Backoff::new(FIRST_PAUSE, LONGEST_PAUSE)
}
