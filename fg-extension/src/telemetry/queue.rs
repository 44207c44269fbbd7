//! What was acknowledged and is not yet delivered, within a bound of bytes.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::TelemetryCounters;
use super::batch::{Batch, MAX_BATCH_BYTES, MAX_BATCH_EVENTS};

/// The batches in order of arrival; one task takes from it.
pub(super) struct Queue {
    state: Mutex<QueueState>,
    /// Notified when there is something to take, or the queue is closed.
    changed: Notify,
    limit: usize,
    counters: TelemetryCounters,
}

#[derive(Default)]
struct QueueState {
    waiting: VecDeque<Batch>,
    /// Of those that wait.
    waiting_bytes: usize,
    /// Of those that the handler has.
    in_flight_bytes: usize,
    closed: bool,
}

/// Why a batch was not accepted.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum PushError {
    Full,
    /// The extension shuts down.
    Closed,
}

impl Queue {
    pub(super) fn new(limit: usize, counters: TelemetryCounters) -> Self {
        Self {
            state: Mutex::default(),
            changed: Notify::new(),
            limit,
            counters,
        }
    }

    /// Accepts a batch, all parts of it, if there is room.
    ///
    /// One that is larger than the bound is accepted into an empty queue: it would never fit.
    pub(super) fn push(&self, parts: Vec<Batch>) -> Result<(), PushError> {
        let counts = self.counters.counts();
        let mut state = self.state();
        let events = parts.iter().map(Batch::events).sum();
        let bytes: usize = parts.iter().map(Batch::bytes).sum();
        let others = state.bytes();
        let error = if state.closed {
            Some(PushError::Closed)
        } else if others > 0 && others + bytes > self.limit {
            Some(PushError::Full)
        } else {
            None
        };
        if let Some(error) = error {
            counts.rejected.fetch_add(events, Ordering::Relaxed);
            return Err(error);
        }
        state.waiting_bytes += bytes;
        state.waiting.extend(parts);
        counts.received.fetch_add(events, Ordering::Relaxed);
        self.count_bytes(&state);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for what comes next: as many batches as are there, within the bounds of one call; `None` once the
    /// queue is closed and empty. Their bytes count until they are [settled](Self::settle).
    ///
    /// # Cancel safety
    ///
    /// No batch is taken if this is dropped unfinished.
    pub(super) async fn next(&self) -> Option<Vec<Batch>> {
        loop {
            let mut changed = pin!(self.changed.notified());
            // What changes from here on is noticed.
            changed.as_mut().enable();
            {
                let mut state = self.state();
                if let Some(batches) = state.take(self.limit) {
                    return Some(batches);
                }
                if state.closed {
                    return None;
                }
            }
            changed.await;
        }
    }

    /// Frees the room of a batch that the handler had, and counts it.
    pub(super) fn settle(&self, batch: &Batch, delivered: bool) {
        let mut state = self.state();
        // It may have been abandoned meanwhile, and is counted then.
        let Some(bytes) = state.in_flight_bytes.checked_sub(batch.bytes()) else {
            return;
        };
        state.in_flight_bytes = bytes;
        let counts = self.counters.counts();
        let count = match delivered {
            true => &counts.delivered,
            false => &counts.lost,
        };
        count.fetch_add(batch.events(), Ordering::Relaxed);
        self.count_bytes(&state);
    }

    /// Accepts no more batches.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_one();
    }

    /// Closes the queue and drops all that is there, as lost; returns how many events that were.
    pub(super) fn abandon(&self) -> u64 {
        let mut state = self.state();
        *state = QueueState {
            closed: true,
            ..QueueState::default()
        };
        self.count_bytes(&state);
        let counters = &self.counters;
        let left = counters.received() - counters.delivered() - counters.lost();
        counters.counts().lost.fetch_add(left, Ordering::Relaxed);
        left
    }

    pub(super) fn lost(&self) -> u64 {
        self.counters.lost()
    }

    fn count_bytes(&self, state: &QueueState) {
        let bytes = state.bytes() as u64;
        self.counters
            .counts()
            .bytes_queued
            .store(bytes, Ordering::Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl QueueState {
    fn bytes(&self) -> usize {
        self.waiting_bytes + self.in_flight_bytes
    }

    fn take(&mut self, limit: usize) -> Option<Vec<Batch>> {
        let mut batches = vec![self.waiting.pop_front()?];
        let (mut bytes, mut events) = (batches[0].bytes(), batches[0].events());
        // Half of the buffer at most, so that some of it has room again before all of it is delivered.
        let max_bytes = MAX_BATCH_BYTES.min(limit / 2);
        while let Some(next) = self.waiting.front()
            && bytes + next.bytes() <= max_bytes
            && events + next.events() <= MAX_BATCH_EVENTS
            && let Some(next) = self.waiting.pop_front()
        {
            bytes += next.bytes();
            events += next.events();
            batches.push(next);
        }
        self.waiting_bytes -= bytes;
        self.in_flight_bytes += bytes;
        Some(batches)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::{MAX_BATCH_BYTES, PushError, Queue};
    use crate::TelemetryCounters;
    use crate::telemetry::batch::Batch;

    /// A batch of so many bytes.
    fn batch(bytes: usize) -> Vec<Batch> {
        let text = format!("[{}1]", " ".repeat(bytes - size_of::<Batch>() - 3));
        let batches = Batch::read(text.as_bytes()).unwrap();
        assert_eq!(batches.len(), 1);
        assert_eq!((batches[0].bytes(), batches[0].events()), (bytes, 1));
        batches
    }

    fn queue(limit: usize) -> (Queue, TelemetryCounters) {
        let counters = TelemetryCounters::default();
        (Queue::new(limit, counters.clone()), counters)
    }

    fn take(queue: &Queue) -> Option<Vec<Batch>> {
        let next = pin!(queue.next());
        match next.poll(&mut Context::from_waker(Waker::noop())) {
            std::task::Poll::Ready(batches) => batches,
            std::task::Poll::Pending => panic!("the queue is empty"),
        }
    }

    fn counts(counters: &TelemetryCounters) -> [u64; 5] {
        [
            counters.received(),
            counters.delivered(),
            counters.rejected(),
            counters.lost(),
            counters.bytes_queued(),
        ]
    }

    #[test]
    fn full_until_the_handler_is_done() {
        let (queue, counters) = queue(1000);
        assert_eq!(queue.push(batch(600)), Ok(()));
        assert_eq!(queue.push(batch(400)), Ok(()));
        assert_eq!(queue.push(batch(100)), Err(PushError::Full));
        let batches = take(&queue).unwrap();
        assert_eq!(queue.push(batch(100)), Err(PushError::Full));
        assert_eq!(counts(&counters), [2, 0, 2, 0, 1000]);
        queue.settle(&batches[0], true);
        assert_eq!(queue.push(batch(100)), Ok(()));
        for batch in take(&queue).unwrap() {
            queue.settle(&batch, false);
        }
        assert_eq!(counts(&counters), [3, 1, 2, 2, 0]);
    }

    #[test]
    fn batch_larger_than_the_bound_is_accepted_alone() {
        let (queue, counters) = queue(100);
        assert_eq!(queue.push(batch(5000)), Ok(()));
        let batches = take(&queue).unwrap();
        assert_eq!(queue.push(batch(100)), Err(PushError::Full));
        queue.settle(&batches[0], true);
        assert_eq!(queue.push(batch(100)), Ok(()));
        assert_eq!(counters.bytes_queued(), 100);
    }

    #[test]
    fn calls_are_joined_within_a_bound() {
        let (queue, _) = queue(10 * MAX_BATCH_BYTES);
        for bytes in [
            MAX_BATCH_BYTES / 2,
            MAX_BATCH_BYTES / 2,
            100,
            2 * MAX_BATCH_BYTES,
            100,
        ] {
            queue.push(batch(bytes)).unwrap();
        }
        for batches in [2, 1, 1, 1] {
            assert_eq!(take(&queue).unwrap().len(), batches);
        }
    }

    #[test]
    fn closed_queue_is_emptied_or_abandoned() {
        let (queue, counters) = queue(2000);
        for _ in 0..2 {
            queue.push(batch(400)).unwrap();
        }
        queue.close();
        assert_eq!(queue.push(batch(100)), Err(PushError::Closed));
        let batches = take(&queue).unwrap();
        assert!(take(&queue).is_none());
        assert_eq!(queue.abandon(), 2);
        // A handler that could not be stopped is done after all.
        queue.settle(&batches[0], true);
        assert_eq!(counts(&counters), [2, 0, 1, 2, 0]);
        assert_eq!(queue.abandon(), 0);
    }
}
