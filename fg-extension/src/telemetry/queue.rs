//! What was acknowledged and is not yet delivered, within a bound of bytes.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::TelemetryCounters;
use super::batch::{Batch, MOST_BYTES, MOST_EVENTS};

/// In order of arrival; one task takes from it.
pub(super) struct Queue {
    state: Mutex<State>,
    /// Told when there is something to take, or nothing more will come.
    changed: Notify,
    limit: usize,
    overflow: Overflow,
    counters: TelemetryCounters,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Batch>,
    /// Of those that wait.
    waiting_bytes: usize,
    /// Of those that the handler has.
    taken_bytes: usize,
    closed: bool,
}

/// What becomes of a batch that there is no room for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Overflow {
    /// It is refused: the sender can try again.
    Refuse,
    /// The oldest that wait make room for it.
    DropOldest,
}

/// Why a batch was not taken in.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Refusal {
    Full,
    /// The end has come.
    Closed,
}

impl Queue {
    pub(super) fn new(limit: usize, overflow: Overflow, counters: TelemetryCounters) -> Self {
        Self {
            state: Mutex::default(),
            changed: Notify::new(),
            limit,
            overflow,
            counters,
        }
    }

    /// Takes a batch in, all parts of it, if there is room; how many events made room for it.
    ///
    /// One that is larger than the bound is taken when nothing else is in: it would never fit.
    pub(super) fn push(&self, parts: Vec<Batch>) -> Result<u64, Refusal> {
        let counts = self.counters.counts();
        let mut state = self.state();
        let events = parts.iter().map(Batch::events).sum();
        let bytes: usize = parts.iter().map(Batch::bytes).sum();
        let fits_beside = |others: usize| others == 0 || others + bytes <= self.limit;
        let refusal = if state.closed {
            Some(Refusal::Closed)
        } else {
            let others = match self.overflow {
                Overflow::Refuse => state.bytes(),
                Overflow::DropOldest => state.taken_bytes,
            };
            (!fits_beside(others)).then_some(Refusal::Full)
        };
        if let Some(refusal) = refusal {
            counts.refused.fetch_add(events, Ordering::Relaxed);
            return Err(refusal);
        }
        let mut dropped = 0;
        while !fits_beside(state.bytes())
            && let Some(oldest) = state.waiting.pop_front()
        {
            state.waiting_bytes -= oldest.bytes();
            dropped += oldest.events();
        }
        state.waiting_bytes += bytes;
        state.waiting.extend(parts);
        counts.received.fetch_add(events, Ordering::Relaxed);
        counts.lost.fetch_add(dropped, Ordering::Relaxed);
        self.count_bytes(&state);
        drop(state);
        self.changed.notify_one();
        Ok(dropped)
    }

    /// Waits for what comes next: as many batches as are there, within the bounds of one call; nothing once the
    /// queue is closed and empty. Their bytes count until they are [settled](Self::settle).
    ///
    /// # Cancel safety
    ///
    /// Nothing is taken if this is dropped unfinished.
    pub(super) async fn next(&self) -> Option<Vec<Batch>> {
        loop {
            let mut changed = pin!(self.changed.notified());
            // What changes from here on is noticed.
            changed.as_mut().enable();
            {
                let mut state = self.state();
                if let Some(taken) = state.take(self.limit) {
                    return Some(taken);
                }
                if state.closed {
                    return None;
                }
            }
            changed.await;
        }
    }

    /// Forgets what the handler had.
    pub(super) fn settle(&self, batch: &Batch, delivered: bool) {
        let mut state = self.state();
        // It may have been abandoned meanwhile, and is counted then.
        let Some(bytes) = state.taken_bytes.checked_sub(batch.bytes()) else {
            return;
        };
        state.taken_bytes = bytes;
        let counts = self.counters.counts();
        let count = match delivered {
            true => &counts.delivered,
            false => &counts.lost,
        };
        count.fetch_add(batch.events(), Ordering::Relaxed);
        self.count_bytes(&state);
    }

    /// Takes nothing in any more.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_one();
    }

    /// Closes the queue and forgets all that is there, as lost; how many events that were.
    pub(super) fn abandon(&self) -> u64 {
        let mut state = self.state();
        *state = State {
            closed: true,
            ..State::default()
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

    fn count_bytes(&self, state: &State) {
        let bytes = state.bytes() as u64;
        self.counters
            .counts()
            .bytes_queued
            .store(bytes, Ordering::Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn bytes(&self) -> usize {
        self.waiting_bytes + self.taken_bytes
    }

    fn take(&mut self, limit: usize) -> Option<Vec<Batch>> {
        let mut taken = vec![self.waiting.pop_front()?];
        let (mut bytes, mut events) = (taken[0].bytes(), taken[0].events());
        // Half of the buffer at most: what is taken cannot make room for anything.
        let most = MOST_BYTES.min(limit / 2);
        while let Some(next) = self.waiting.front()
            && bytes + next.bytes() <= most
            && events + next.events() <= MOST_EVENTS
            && let Some(next) = self.waiting.pop_front()
        {
            bytes += next.bytes();
            events += next.events();
            taken.push(next);
        }
        self.waiting_bytes -= bytes;
        self.taken_bytes += bytes;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::{MOST_BYTES, Overflow, Queue, Refusal};
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

    fn queue(limit: usize, overflow: Overflow) -> (Queue, TelemetryCounters) {
        let counters = TelemetryCounters::default();
        (Queue::new(limit, overflow, counters.clone()), counters)
    }

    fn take(queue: &Queue) -> Option<Vec<Batch>> {
        let next = pin!(queue.next());
        match next.poll(&mut Context::from_waker(Waker::noop())) {
            std::task::Poll::Ready(taken) => taken,
            std::task::Poll::Pending => panic!("nothing is there"),
        }
    }

    fn counts(counters: &TelemetryCounters) -> [u64; 5] {
        [
            counters.received(),
            counters.delivered(),
            counters.refused(),
            counters.lost(),
            counters.bytes_queued(),
        ]
    }

    #[test]
    fn full_until_the_handler_is_done() {
        let (queue, counters) = queue(1000, Overflow::Refuse);
        assert_eq!(queue.push(batch(600)), Ok(0));
        assert_eq!(queue.push(batch(400)), Ok(0));
        assert_eq!(queue.push(batch(100)), Err(Refusal::Full));
        let taken = take(&queue).unwrap();
        assert_eq!(queue.push(batch(100)), Err(Refusal::Full));
        assert_eq!(counts(&counters), [2, 0, 2, 0, 1000]);
        queue.settle(&taken[0], true);
        assert_eq!(queue.push(batch(100)), Ok(0));
        for batch in take(&queue).unwrap() {
            queue.settle(&batch, false);
        }
        assert_eq!(counts(&counters), [3, 1, 2, 2, 0]);
    }

    #[test]
    fn oldest_make_room_but_not_what_the_handler_has() {
        let (queue, counters) = queue(1000, Overflow::DropOldest);
        assert_eq!(queue.push(batch(500)), Ok(0));
        let taken = take(&queue).unwrap();
        assert_eq!(queue.push(batch(250)), Ok(0));
        assert_eq!(queue.push(batch(250)), Ok(0));
        assert_eq!(queue.push(batch(300)), Ok(2));
        assert_eq!(queue.push(batch(501)), Err(Refusal::Full));
        assert_eq!(counts(&counters), [4, 0, 1, 2, 800]);
        queue.settle(&taken[0], true);
        assert_eq!(take(&queue).unwrap().len(), 1);
    }

    #[test]
    fn batch_larger_than_the_bound_is_taken_alone() {
        for overflow in [Overflow::Refuse, Overflow::DropOldest] {
            let (queue, counters) = queue(100, overflow);
            assert_eq!(queue.push(batch(5000)), Ok(0));
            let taken = take(&queue).unwrap();
            assert_eq!(queue.push(batch(100)), Err(Refusal::Full));
            queue.settle(&taken[0], true);
            assert_eq!(queue.push(batch(100)), Ok(0));
            assert_eq!(counters.bytes_queued(), 100);
        }
    }

    #[test]
    fn calls_are_joined_within_a_bound() {
        let (queue, _) = queue(10 * MOST_BYTES, Overflow::Refuse);
        for bytes in [MOST_BYTES / 2, MOST_BYTES / 2, 100, 2 * MOST_BYTES, 100] {
            queue.push(batch(bytes)).unwrap();
        }
        for batches in [2, 1, 1, 1] {
            assert_eq!(take(&queue).unwrap().len(), batches);
        }
    }

    #[test]
    fn closed_queue_is_emptied_or_abandoned() {
        let (queue, counters) = queue(2000, Overflow::Refuse);
        for _ in 0..2 {
            queue.push(batch(400)).unwrap();
        }
        queue.close();
        assert_eq!(queue.push(batch(100)), Err(Refusal::Closed));
        let taken = take(&queue).unwrap();
        assert!(take(&queue).is_none());
        assert_eq!(queue.abandon(), 2);
        // A handler that could not be stopped is done after all.
        queue.settle(&taken[0], true);
        assert_eq!(counts(&counters), [2, 0, 1, 2, 0]);
        assert_eq!(queue.abandon(), 0);
    }
}
