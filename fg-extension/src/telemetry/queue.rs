//! The queue of acknowledged batches that are not delivered yet, limited in bytes.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::TelemetryCounters;
use super::batch::{Batch, MAX_BATCH_BYTES, MAX_BATCH_EVENTS};

/// A bounded queue of batches in order of arrival, with a single consumer.
pub(super) struct Queue {
    state: Mutex<QueueState>,
    /// Notified when a batch is added or the queue is closed.
    changed: Notify,
    limit: usize,
    counters: TelemetryCounters,
}

#[derive(Default)]
struct QueueState {
    waiting: VecDeque<Batch>,
    /// The bytes of the batches in `waiting`.
    waiting_bytes: usize,
    /// The bytes of the batches that the handler is called with.
    in_flight_bytes: usize,
    closed: bool,
}

/// The reason why a batch was not added to the queue.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum PushError {
    Full,
    /// The queue is closed, since the extension is shutting down.
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

    /// Returns the reason why a batch of this size would be rejected now.
    pub(super) fn admits(&self, bytes: usize) -> Result<(), PushError> {
        self.state().admits(bytes, self.limit)
    }

    /// Counts a batch that was rejected before it was read, and returns the reason.
    pub(super) fn reject_unread(&self) -> PushError {
        self.count_rejected();
        match self.state().closed {
            true => PushError::Closed,
            false => PushError::Full,
        }
    }

    /// Adds all parts of a batch, if their text fits.
    ///
    /// What else a batch takes beside its text may exceed the limit. Otherwise a batch that was admitted before it was read
    /// could be rejected afterwards, and an overloaded extension would spend its time on reading such batches.
    ///
    /// A batch that is larger than the limit is accepted if the queue is empty, since it would never fit otherwise.
    pub(super) fn push(&self, parts: Vec<Batch>) -> Result<(), PushError> {
        let events = parts.iter().map(Batch::events).sum();
        let bytes: usize = parts.iter().map(Batch::bytes).sum();
        let text_bytes = parts.iter().map(Batch::text_bytes).sum();
        let mut state = self.state();
        state
            .admits(text_bytes, self.limit)
            .inspect_err(|_| self.count_rejected())?;
        state.waiting_bytes += bytes;
        state.waiting.extend(parts);
        let counts = self.counters.counts();
        counts.received.fetch_add(events, Ordering::Relaxed);
        self.count_bytes(&state);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for batches, and takes as many as one call of the handler may receive. Returns `None` once the queue is
    /// closed and empty.
    ///
    /// The bytes of the batches count towards the limit until the batches are [settled](InFlight::settle_first).
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: if it is dropped before it completes, no batch has been taken.
    pub(super) async fn next(&self) -> Option<InFlight<'_>> {
        loop {
            let mut changed = pin!(self.changed.notified());
            // Changes are noticed from here on.
            changed.as_mut().enable();
            {
                let mut state = self.state();
                if let Some(batches) = state.take(self.limit) {
                    let queue = self;
                    return Some(InFlight { queue, batches });
                }
                if state.closed {
                    return None;
                }
            }
            changed.await;
        }
    }

    /// Frees the space of a batch after its delivery, and counts it as delivered or lost.
    fn settle(&self, batch: &Batch, delivered: bool) {
        let mut state = self.state();
        // If the queue was abandoned in the meantime, the batch is already counted as lost.
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

    /// Closes the queue, so that further batches are rejected.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_one();
    }

    /// Closes the queue, drops all batches, and counts their events as lost, including those in flight. Returns the
    /// number of events.
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

    fn count_rejected(&self) {
        let rejected = &self.counters.counts().rejected;
        rejected.fetch_add(1, Ordering::Relaxed);
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

    fn admits(&self, bytes: usize, limit: usize) -> Result<(), PushError> {
        let others = self.bytes();
        if self.closed {
            Err(PushError::Closed)
        } else if others > 0 && others + bytes > limit {
            Err(PushError::Full)
        } else {
            Ok(())
        }
    }

    fn take(&mut self, limit: usize) -> Option<VecDeque<Batch>> {
        let mut batches = VecDeque::from([self.waiting.pop_front()?]);
        let (mut bytes, mut events) = (batches[0].bytes(), batches[0].events());
        // At most half of the buffer, so that there is space for new batches before the whole buffer is delivered.
        let max_bytes = MAX_BATCH_BYTES.min(limit / 2);
        while let Some(next) = self.waiting.front()
            && bytes + next.bytes() <= max_bytes
            && events + next.events() <= MAX_BATCH_EVENTS
            && let Some(next) = self.waiting.pop_front()
        {
            bytes += next.bytes();
            events += next.events();
            batches.push_back(next);
        }
        self.waiting_bytes -= bytes;
        self.in_flight_bytes += bytes;
        Some(batches)
    }
}

/// Batches that the handler is called with. Those that are not settled return to the front of the queue when it is
/// dropped, for example because the delivery panicked.
pub(super) struct InFlight<'a> {
    queue: &'a Queue,
    batches: VecDeque<Batch>,
}

impl InFlight<'_> {
    /// Returns the batches that are not settled, or the first of them. If there are any, it is not empty.
    pub(super) fn unsettled(&self) -> &[Batch] {
        self.batches.as_slices().0
    }

    /// Settles the first batch: frees its space, and counts it as delivered or lost.
    pub(super) fn settle_first(&mut self, delivered: bool) {
        if let Some(batch) = self.batches.pop_front() {
            self.queue.settle(&batch, delivered);
        }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.state();
        for batch in self.batches.drain(..).rev() {
            // If the queue was abandoned in the meantime, the batch is already counted as lost.
            if let Some(bytes) = state.in_flight_bytes.checked_sub(batch.bytes()) {
                state.in_flight_bytes = bytes;
                state.waiting_bytes += batch.bytes();
                state.waiting.push_front(batch);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::{InFlight, MAX_BATCH_BYTES, PushError, Queue};
    use crate::TelemetryCounters;
    use crate::telemetry::batch::Batch;

    /// Returns a batch of the given size.
    fn batch(bytes: usize) -> Vec<Batch> {
        let empty = Batch::read(b"[1]".as_slice().into())
            .unwrap()
            .remove(0)
            .bytes()
            - 1;
        let text = format!("[{}1]", " ".repeat(bytes - empty - 1));
        let batches = Batch::read(text.into()).unwrap();
        assert_eq!(batches.len(), 1);
        assert_eq!((batches[0].bytes(), batches[0].events()), (bytes, 1));
        batches
    }

    fn queue(limit: usize) -> (Queue, TelemetryCounters) {
        let counters = TelemetryCounters::default();
        (Queue::new(limit, counters.clone()), counters)
    }

    fn take(queue: &Queue) -> Option<InFlight<'_>> {
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
    fn queue_is_full_until_its_batches_are_settled() {
        let (queue, counters) = queue(2000);
        assert_eq!(queue.push(batch(1200)), Ok(()));
        assert_eq!(queue.push(batch(800)), Ok(()));
        assert_eq!(queue.push(batch(200)), Err(PushError::Full));
        let mut batches = take(&queue).unwrap();
        assert_eq!(queue.push(batch(200)), Err(PushError::Full));
        assert_eq!(counts(&counters), [2, 0, 2, 0, 2000]);
        batches.settle_first(true);
        assert_eq!(queue.push(batch(200)), Ok(()));
        let mut batches = take(&queue).unwrap();
        while !batches.unsettled().is_empty() {
            batches.settle_first(false);
        }
        assert_eq!(counts(&counters), [3, 1, 2, 2, 0]);
    }

    #[test]
    fn batch_that_is_admitted_by_its_size_fits() {
        let (queue, counters) = queue(2000);
        assert_eq!(queue.push(batch(1200)), Ok(()));
        let body = format!("[{}1]", "1,".repeat(300));
        assert_eq!(queue.admits(body.len()), Ok(()));
        assert_eq!(queue.push(Batch::read(body.into()).unwrap()), Ok(()));
        assert!(counters.bytes_queued() > 10_000);
        assert_eq!(queue.push(batch(200)), Err(PushError::Full));
    }

    #[test]
    fn batch_larger_than_the_limit_is_accepted_into_an_empty_queue() {
        let (queue, counters) = queue(100);
        assert_eq!(queue.push(batch(5000)), Ok(()));
        let mut batches = take(&queue).unwrap();
        assert_eq!(queue.push(batch(200)), Err(PushError::Full));
        batches.settle_first(true);
        assert_eq!(queue.push(batch(200)), Ok(()));
        assert_eq!(counters.bytes_queued(), 200);
    }

    #[test]
    fn several_batches_are_taken_at_once_up_to_the_limit() {
        let (queue, _) = queue(10 * MAX_BATCH_BYTES);
        for bytes in [
            MAX_BATCH_BYTES / 2,
            MAX_BATCH_BYTES / 2,
            200,
            2 * MAX_BATCH_BYTES,
            200,
        ] {
            queue.push(batch(bytes)).unwrap();
        }
        for batches in [2, 1, 1, 1] {
            let mut taken = take(&queue).unwrap();
            assert_eq!(taken.unsettled().len(), batches);
            (0..batches).for_each(|_| taken.settle_first(true));
        }
    }

    #[test]
    fn batches_that_are_not_settled_return_to_the_queue_in_order() {
        let (queue, counters) = queue(10_000);
        for bytes in [200, 300, 400] {
            queue.push(batch(bytes)).unwrap();
        }
        let mut batches = take(&queue).unwrap();
        queue.push(batch(500)).unwrap();
        batches.settle_first(true);
        drop(batches);
        assert_eq!(counts(&counters), [4, 1, 0, 0, 1200]);
        let batches = take(&queue).unwrap();
        let bytes: Vec<_> = batches.unsettled().iter().map(Batch::bytes).collect();
        assert_eq!(bytes, [300, 400, 500]);
    }

    #[test]
    fn closed_queue_can_be_emptied_or_abandoned() {
        let (queue, counters) = queue(4000);
        for _ in 0..2 {
            queue.push(batch(800)).unwrap();
        }
        queue.close();
        assert_eq!(queue.push(batch(200)), Err(PushError::Closed));
        let mut batches = take(&queue).unwrap();
        assert_eq!(batches.unsettled().len(), 2);
        assert!(take(&queue).is_none());
        assert_eq!(queue.abandon(), 2);
        // A handler that could not be stopped completes later.
        batches.settle_first(true);
        drop(batches);
        assert!(take(&queue).is_none());
        assert_eq!(counts(&counters), [2, 0, 1, 2, 0]);
        assert_eq!(queue.abandon(), 0);
    }
}
