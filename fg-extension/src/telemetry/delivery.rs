//! Telemetry on its way: acknowledged once it is in the queue, handled in order of arrival.

use std::slice;
use std::time::Duration;

use fg_util::backoff::Backoff;
use fg_util::error::{chain, excerpt};
use fg_util::select::{run_alongside, select};
use hyper::StatusCode;
use hyper::body::Bytes;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};

use super::batch::Batch;
use super::queue::{PushError, Queue};
use super::{Telemetry, TelemetryCounters};
use crate::TelemetryHandler;
use crate::config::TelemetryConfig;
use crate::http::body::BodyError;
use crate::http::response::HttpResponse;
use crate::lifecycle::{Lifecycle, Phase};
use crate::log::throttle::LogThrottle;
use crate::panics::catch;

/// The pauses between two attempts with the same events.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause between two attempts during a shutdown.
const SHORT_PAUSE: Duration = Duration::from_millis(50);

/// Telemetry that was acknowledged, on its way to the author's handler.
pub(crate) struct Delivery {
    queue: Queue,
    counters: TelemetryCounters,
    log: LogThrottle,
    /// For how long the handler is tried with a batch.
    timeout: Duration,
}

/// Why a request's batch is not acknowledged.
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

    /// Puts a request's batch into the queue.
    pub(super) fn receive(&self, body: &[u8]) -> Result<(), Unacknowledged> {
        let parts = Batch::read(body).map_err(|why| {
            self.record_rejected_request(&why);
            Unacknowledged::Invalid(why)
        })?;
        let events: u64 = parts.iter().map(Batch::events).sum();
        if events == 0 {
            return Ok(());
        }
        match self.queue.push(parts) {
            Ok(()) => Ok(()),
            Err(PushError::Full) => {
                self.log.record(|pending| pending.rejected += events);
                Err(Unacknowledged::Full)
            }
            Err(PushError::Closed) => Err(Unacknowledged::ShuttingDown),
        }
    }

    /// Records that a request was rejected, for the next log line.
    pub(super) fn record_rejected_request(&self, why: &str) {
        self.log.record(|pending| {
            pending.requests += 1;
            pending.rejection = Some(excerpt(why));
        });
    }

    /// Gives the batches to the handler, all in one call, and if that fails one by one: what one of them does to the
    /// handler is not to be the others' loss.
    async fn deliver_batches<T: TelemetryHandler>(
        &self,
        batches: Vec<Batch>,
        lifecycle: &Lifecycle,
        extension: &T,
    ) {
        if batches.len() > 1 {
            let Err(failure) = self.attempt(&batches, self.timeout / 2, extension).await else {
                batches
                    .iter()
                    .for_each(|batch| self.queue.settle(batch, true));
                return;
            };
            self.report_failure(failure, 0);
            self.pause(backoff().next_pause(), lifecycle).await;
        }
        for batch in &batches {
            let delivered = self.deliver_one(batch, lifecycle, extension).await;
            self.queue.settle(batch, delivered);
        }
    }

    /// Calls the handler until it succeeds or the time is over; whether it did.
    async fn deliver_one<T: TelemetryHandler>(
        &self,
        batch: &Batch,
        lifecycle: &Lifecycle,
        extension: &T,
    ) -> bool {
        let mut left = self.timeout;
        let mut backoff = backoff();
        loop {
            // One that hangs has half of what is left, and is called again. If the process is frozen meanwhile, it
            // costs no more than that either.
            let time_limit = left / 2;
            let start = Instant::now();
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

    /// One call of the handler; why it failed.
    async fn attempt<T: TelemetryHandler>(
        &self,
        batches: &[Batch],
        time_limit: Duration,
        extension: &T,
    ) -> Result<(), String> {
        // All that is the author's may panic: the handler, its end, the words of its error.
        let handled = catch(async {
            // Decoded for each call: most batches need but one.
            let mut events = Vec::new();
            for batch in batches {
                match events.is_empty() {
                    true => events = batch.decode(),
                    false => events.append(&mut batch.decode()),
                }
            }
            let handler = async { extension.telemetry(events, &self.counters).await };
            match timeout(time_limit, handler).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(chain(error.as_ref())),
                Err(_elapsed) => Err(format!("it took longer than {time_limit:.0?}")),
            }
        });
        handled.await.unwrap_or_else(|panic| Err(panic.to_string()))
    }

    /// Waits; not for long if the end has come, where all that counts is to be done with it.
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

    fn respond(&self, body: Result<Bytes, BodyError>) -> HttpResponse {
        self.accept(body)
    }

    fn report_rejected_request(&self, _: StatusCode, message: &str) {
        // It may be its own lines that the extension receives, so they are throttled.
        self.record_rejected_request(message);
    }

    /// Calls the handler with what arrives.
    ///
    /// # Cancel safety
    ///
    /// What the handler had when this is dropped stays counted as queued, for [`abandon`](Telemetry::abandon).
    async fn deliver(&self, extension: &T, lifecycle: &Lifecycle) {
        let deliver = async {
            while let Some(batches) = self.queue.next().await {
                self.deliver_batches(batches, lifecycle, extension).await;
                // Nothing in here may have waited, and others want to run: a queue can be long.
                yield_now().await;
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
