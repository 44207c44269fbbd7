//! Invocations that the page has requested together.

use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::invocation::InvocationSpec;
use crate::ipc::InvocationReply;
use crate::ui::{BatchProgress, BatchSpec};

/// Invocations of one kind, a limited number of which are in flight at the same time.
pub(super) struct Batch {
    spec: BatchSpec,
    sent: u64,
    finished: u64,
    /// One task for each invocation in flight, which returns whether the invocation has finished.
    in_flight: JoinSet<bool>,
}

impl Batch {
    pub(super) fn new(spec: BatchSpec) -> Self {
        Self {
            spec,
            sent: 0,
            finished: 0,
            in_flight: JoinSet::new(),
        }
    }

    /// Returns the next invocation if it is to be sent now.
    pub(super) fn next(&mut self) -> Option<(InvocationSpec, InvocationReply)> {
        let BatchSpec {
            spec,
            count,
            concurrency,
        } = &self.spec;
        if self.sent == *count || self.in_flight.len() >= *concurrency {
            return None;
        }
        self.sent += 1;
        let (reply, report) = oneshot::channel();
        self.in_flight
            .spawn(async move { matches!(report.await, Ok(Ok(_))) });
        Some((spec.clone(), reply))
    }

    /// Waits until an invocation has finished; forever if none is in flight.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub(super) async fn wait(&mut self) {
        match self.in_flight.join_next().await {
            Some(finished) => self.finished += u64::from(finished.unwrap_or(false)),
            None => std::future::pending().await,
        }
    }

    /// Sends no more invocations.
    pub(super) fn stop(&mut self) {
        self.spec.count = self.sent;
    }

    /// Returns whether all invocations have been sent, and have finished or been aborted.
    pub(super) fn is_over(&self) -> bool {
        self.sent == self.spec.count && self.in_flight.is_empty()
    }

    pub(super) fn progress(&self) -> BatchProgress {
        BatchProgress {
            sent: self.sent,
            finished: self.finished,
            count: self.spec.count,
        }
    }

    /// Ends the batch because the instance is gone, and waits for the invocations that had finished before.
    pub(super) async fn end(mut self) -> BatchProgress {
        while let Some(finished) = self.in_flight.join_next().await {
            self.finished += u64::from(finished.unwrap_or(false));
        }
        self.progress()
    }
}

#[cfg(test)]
mod tests {
    use super::Batch;
    use crate::invocation::InvocationSpec;
    use crate::ui::{BatchProgress, BatchSpec};

    fn batch(count: u64, concurrency: usize) -> Batch {
        Batch::new(BatchSpec {
            spec: InvocationSpec::default(),
            count,
            concurrency,
        })
    }

    fn progress(sent: u64, finished: u64, count: u64) -> BatchProgress {
        BatchProgress {
            sent,
            finished,
            count,
        }
    }

    #[tokio::test]
    async fn invocations_in_flight_are_limited() {
        let mut batch = batch(3, 2);
        let (_, first) = batch.next().unwrap();
        let (_, second) = batch.next().unwrap();
        assert!(batch.next().is_none());
        // The instance was shut down before this one finished.
        drop(first);
        batch.wait().await;
        assert_eq!(batch.progress(), progress(2, 0, 3));
        let (_, third) = batch.next().unwrap();
        assert!(batch.next().is_none());
        assert!(!batch.is_over());
        drop((second, third));
        batch.wait().await;
        batch.wait().await;
        assert!(batch.is_over());
    }

    #[tokio::test]
    async fn stopped_batch_waits_for_what_is_in_flight() {
        let mut batch = batch(1_000_000, 2);
        let (_, reply) = batch.next().unwrap();
        batch.stop();
        assert!(batch.next().is_none());
        assert!(!batch.is_over());
        drop(reply);
        assert_eq!(batch.end().await, progress(1, 0, 1));
    }
}
