//! Telemetry on its way: acknowledged once it is in the queue, handled in order of arrival.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::batch::Batch;
use super::queue::{Overflow, Queue, Refusal, Taken};
use super::report::Report;
use super::{TelemetryCounters, TelemetryEvent};
use crate::Error;
use crate::backoff::Backoff;
use crate::concurrent::beside;
use crate::error::chain;
use crate::panics::catch;

pub(crate) struct Delivery {
    queue: Queue,
    report: Report,
    /// For how long one call of the handler is tried.
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
            report: Report::default(),
            timeout,
        }
    }

    /// Takes a request's batch in.
    pub(crate) fn receive(&self, body: &[u8]) -> Result<(), Unacknowledged> {
        let batch = Batch::read(body).map_err(|why| {
            self.report_invalid(&why);
            Unacknowledged::Invalid(why)
        })?;
        let events = batch.events();
        if events == 0 {
            return Ok(());
        }
        match self.queue.push(batch) {
            Ok(0) => Ok(()),
            Ok(dropped) => {
                self.report.tell(|untold| untold.dropped += dropped);
                Ok(())
            }
            Err(Refusal::Full) => {
                self.report.tell(|untold| untold.refused += events);
                Err(Unacknowledged::Full)
            }
            Err(Refusal::Closed) => Err(Unacknowledged::ShuttingDown),
        }
    }

    /// Tells of a request that is no batch.
    pub(crate) fn report_invalid(&self, why: &str) {
        self.report.tell(|untold| {
            untold.invalid += 1;
            untold.invalidity = Some(why.to_owned());
        });
    }

    /// Calls the handler with what comes, until the queue is closed and empty.
    ///
    /// # Cancel safety
    ///
    /// What the handler had when this is dropped stays counted as waiting, for [`abandon`](Self::abandon).
    pub(crate) async fn run<F>(&self, handle: impl Fn(Vec<TelemetryEvent>) -> F)
    where
        F: Future<Output = Result<(), Error>>,
    {
        let deliver = async {
            while let Some(taken) = self.queue.next().await {
                let delivered = self.deliver(&taken, &handle).await;
                self.queue.settle(&taken, delivered);
            }
        };
        beside(self.report.run(), deliver).await;
    }

    /// Takes nothing in any more.
    pub(crate) fn close(&self) {
        self.queue.close();
    }

    /// Gives up what is still there; how many events that were.
    pub(crate) fn abandon(&self) -> u64 {
        let left = self.queue.abandon();
        self.report.end();
        left
    }

    /// Calls the handler until it succeeds or its time is over; whether it did.
    async fn deliver<F>(&self, taken: &Taken, handle: impl Fn(Vec<TelemetryEvent>) -> F) -> bool
    where
        F: Future<Output = Result<(), Error>>,
    {
        let deadline = Instant::now() + self.timeout;
        let mut backoff = Backoff::new();
        loop {
            // Decoded for each try: most need but one.
            let mut batches = taken.batches.iter();
            let mut events = batches.next().map(Batch::decode).unwrap_or_default();
            for batch in batches {
                events.append(&mut batch.decode());
            }
            // All that is the author's may panic: the handler, its end, the words of its error.
            let handled = catch(async {
                match timeout_at(deadline, async { handle(events).await }).await {
                    Ok(Ok(())) => None,
                    Ok(Err(error)) => Some(chain(error.as_ref())),
                    Err(_elapsed) => Some(format!("it took longer than {:?}", self.timeout)),
                }
            });
            let failure = match handled.await {
                Ok(None) => return true,
                Ok(Some(failure)) => failure,
                Err(panic) => panic.to_string(),
            };
            let pause = backoff.next();
            let again = Instant::now() + pause < deadline;
            self.report.tell(|untold| {
                untold.failures += 1;
                untold.failure = Some(failure);
                if !again {
                    untold.lost += taken.events;
                }
            });
            if !again {
                return false;
            }
            sleep(pause).await;
        }
    }
}
