//! Telemetry on its way: acknowledged once it is in the queue, handled in order of arrival.

use std::slice;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};

use super::batch::Batch;
use super::queue::{Overflow, Queue, Refusal};
use super::{TelemetryCounters, TelemetryEvent};
use crate::Error;
use crate::lifecycle::{Lifecycle, Phase};
use crate::log::throttle::LogThrottle;
use crate::panics::catch;
use fg_util::backoff::Backoff;
use fg_util::error::{chain, excerpt};
use fg_util::select::{run_alongside, select};

/// Between two tries at the end.
const SHORT_PAUSE: Duration = Duration::from_millis(50);

pub(crate) struct Delivery {
    queue: Queue,
    report: LogThrottle,
    /// For how long the handler is tried with a batch.
    timeout: Duration,
}

/// Why a request's batch is not acknowledged.
#[derive(Debug, PartialEq)]
pub(crate) enum Unacknowledged {
    Invalid(String),
    Full,
    ShuttingDown,
}

impl Delivery {
    pub(crate) fn new(
        buffer: usize,
        overflow: Overflow,
        timeout: Duration,
        counters: TelemetryCounters,
    ) -> Self {
        Self {
            queue: Queue::new(buffer, overflow, counters),
            report: LogThrottle::default(),
            timeout,
        }
    }

    /// Takes a request's batch in.
    pub(crate) fn receive(&self, body: &[u8]) -> Result<(), Unacknowledged> {
        let parts = Batch::read(body).map_err(|why| {
            self.report_refused(&why);
            Unacknowledged::Invalid(why)
        })?;
        let events: u64 = parts.iter().map(Batch::events).sum();
        if events == 0 {
            return Ok(());
        }
        match self.queue.push(parts) {
            Ok(0) => Ok(()),
            Ok(dropped) => {
                self.report.record(|pending| pending.dropped += dropped);
                Ok(())
            }
            Err(Refusal::Full) => {
                self.report.record(|pending| pending.refused += events);
                Err(Unacknowledged::Full)
            }
            Err(Refusal::Closed) => Err(Unacknowledged::ShuttingDown),
        }
    }

    /// Tells of a request that was refused.
    pub(crate) fn report_refused(&self, why: &str) {
        self.report.record(|pending| {
            pending.requests += 1;
            pending.refusal = Some(excerpt(why));
        });
    }

    /// How many events were acknowledged and will not be delivered, so far.
    pub(crate) fn lost(&self) -> u64 {
        self.queue.lost()
    }

    /// Calls the handler with what comes, until the queue is closed and empty.
    ///
    /// # Cancel safety
    ///
    /// What the handler had when this is dropped stays counted as waiting, for [`abandon`](Self::abandon).
    pub(crate) async fn run<F>(
        &self,
        lifecycle: &Lifecycle,
        handle: impl Fn(Vec<TelemetryEvent>) -> F,
    ) where
        F: Future<Output = Result<(), Error>>,
    {
        let deliver = async {
            while let Some(batches) = self.queue.next().await {
                self.deliver(batches, lifecycle, &handle).await;
                // Nothing in here may have waited, and others want to run: a queue can be long.
                yield_now().await;
            }
        };
        run_alongside(self.report.run(), deliver).await;
    }

    /// Takes nothing in any more.
    pub(crate) fn close(&self) {
        self.queue.close();
    }

    /// Gives up what is still there, as lost; how many events that were.
    pub(crate) fn abandon(&self) -> u64 {
        let left = self.queue.abandon();
        self.report.end();
        left
    }

    /// Gives the batches to the handler, all in one call, and if that fails one by one: what one of them does to the
    /// handler is not to be the others' loss.
    async fn deliver<F>(
        &self,
        batches: Vec<Batch>,
        lifecycle: &Lifecycle,
        handle: &impl Fn(Vec<TelemetryEvent>) -> F,
    ) where
        F: Future<Output = Result<(), Error>>,
    {
        if batches.len() > 1 {
            let Err(failure) = self.attempt(&batches, self.timeout / 2, handle).await else {
                batches
                    .iter()
                    .for_each(|batch| self.queue.settle(batch, true));
                return;
            };
            self.report_failure(failure, 0);
            self.pause(Backoff::default().next_pause(), lifecycle).await;
        }
        for batch in &batches {
            let delivered = self.deliver_one(batch, lifecycle, handle).await;
            self.queue.settle(batch, delivered);
        }
    }

    /// Calls the handler until it succeeds or the time is over; whether it did.
    async fn deliver_one<F>(
        &self,
        batch: &Batch,
        lifecycle: &Lifecycle,
        handle: &impl Fn(Vec<TelemetryEvent>) -> F,
    ) -> bool
    where
        F: Future<Output = Result<(), Error>>,
    {
        let mut left = self.timeout;
        let mut backoff = Backoff::default();
        loop {
            // One that hangs has half of what is left, and is called again. If the process is frozen meanwhile, it
            // costs no more than that either.
            let most = left / 2;
            let began = Instant::now();
            let Err(failure) = self.attempt(slice::from_ref(batch), most, handle).await else {
                return true;
            };
            left -= began.elapsed().min(most);
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
    async fn attempt<F>(
        &self,
        batches: &[Batch],
        most: Duration,
        handle: &impl Fn(Vec<TelemetryEvent>) -> F,
    ) -> Result<(), String>
    where
        F: Future<Output = Result<(), Error>>,
    {
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
            match timeout(most, async { handle(events).await }).await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(chain(error.as_ref())),
                Err(_elapsed) => Err(format!("it took longer than {most:.0?}")),
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
        self.report.record(|pending| {
            pending.failures += 1;
            pending.failure = Some(excerpt(&failure));
            pending.lost += lost;
        });
    }
}
