//! The queue of encoded spans and log records that wait to be sent.

use std::collections::VecDeque;

use super::counters::ItemCounts;
use crate::signal::Signal;

/// The maximum size, in bytes, of the items in one request, unless a single item is larger.
pub(super) const BATCH_BYTES: usize = 1 << 20;

/// First-in, first-out queues of encoded spans and log records with a shared capacity, and whether the metrics have
/// changed.
///
/// Items in flight still count towards the capacity, so that there is room for them if they are requeued. Metrics are
/// cumulative, so the latest snapshot includes all earlier ones, and no snapshot is queued.
#[derive(Debug)]
pub(super) struct ExportQueue {
    capacity: usize,
    /// The size of all items, including those in flight, as counted by [`EncodedItem::size`].
    bytes: usize,
    /// The sequence number of the next item, across both queues.
    next: u64,
    spans: SignalQueue,
    logs: SignalQueue,
    metrics: MetricsChange,
}

#[derive(Debug, Default)]
struct SignalQueue {
    items: VecDeque<EncodedItem>,
    bytes: usize,
    in_flight: u64,
    dropped: u64,
}

#[derive(Debug, Default)]
struct MetricsChange {
    /// The sequence number of the oldest change that has not been sent.
    changed: Option<u64>,
    in_flight: bool,
}

/// One encoded span or log record.
#[derive(Debug)]
struct EncodedItem {
    sequence: u64,
    encoded: Vec<u8>,
}

/// The items of one request. A batch of metrics has no items, because the snapshot is taken when the request is
/// encoded.
#[derive(Debug)]
#[must_use = "a batch in flight must be passed to `complete` or `requeue`"]
pub(super) struct Batch {
    signal: Signal,
    items: Vec<EncodedItem>,
    bytes: usize,
}

impl ExportQueue {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            bytes: 0,
            next: 0,
            spans: SignalQueue::default(),
            logs: SignalQueue::default(),
            metrics: MetricsChange::default(),
        }
    }

    /// Queues an encoded span or log record.
    ///
    /// If there is no room for it, drops the oldest items. If the items in flight leave no room for it, drops the item
    /// itself.
    pub(super) fn push(&mut self, signal: Signal, encoded: Vec<u8>) {
        let sequence = self.next_sequence();
        let item = EncodedItem { sequence, encoded };
        let bytes = item.size();
        let in_flight = self.bytes - self.spans.bytes - self.logs.bytes;
        let fits = bytes <= self.capacity - in_flight;
        while fits && self.bytes + bytes > self.capacity && self.drop_oldest() {}
        if let Some(queue) = self.queue(signal) {
            if fits {
                queue.items.push_back(item);
                queue.bytes += bytes;
                self.bytes += bytes;
            } else {
                queue.dropped += 1;
            }
        }
    }

    /// Records that the metrics have changed.
    pub(super) fn metrics_changed(&mut self) {
        let sequence = self.next_sequence();
        self.metrics.changed.get_or_insert(sequence);
    }

    /// Returns the position after the last item so far, for [`take_batch`](Self::take_batch).
    pub(super) fn end(&self) -> u64 {
        self.next
    }

    /// Takes the oldest items of the signal that arrived before `end`, up to the maximum size of a request.
    pub(super) fn take_batch(&mut self, signal: Signal, end: u64) -> Option<Batch> {
        let mut batch = Batch::empty(signal);
        let Some(queue) = self.queue(signal) else {
            self.metrics.changed.take_if(|changed| *changed < end)?;
            self.metrics.in_flight = true;
            return Some(batch);
        };
        while let Some(item) = queue.items.front() {
            let has_room = batch.items.is_empty() || batch.bytes + item.size() <= BATCH_BYTES;
            if item.sequence >= end || !has_room {
                break;
            }
            batch.bytes += item.size();
            batch.items.extend(queue.items.pop_front());
        }
        queue.bytes -= batch.bytes;
        queue.in_flight += batch.count();
        (!batch.items.is_empty()).then_some(batch)
    }

    /// Removes a batch that was in flight.
    pub(super) fn complete(&mut self, batch: Batch) {
        self.bytes -= batch.bytes;
        match self.queue(batch.signal) {
            Some(queue) => queue.in_flight -= batch.count(),
            None => self.metrics.in_flight = false,
        }
    }

    /// Puts a batch that was in flight back at the front.
    pub(super) fn requeue(&mut self, batch: Batch) {
        let Some(queue) = self.queue(batch.signal) else {
            // Zero, because this change is older than any later one. The next snapshot includes both.
            self.metrics.changed = Some(0);
            self.metrics.in_flight = false;
            return;
        };
        queue.in_flight -= batch.count();
        queue.bytes += batch.bytes;
        for item in batch.items.into_iter().rev() {
            queue.items.push_front(item);
        }
    }

    /// Returns whether the signal has data that waits to be sent, not counting data in flight.
    pub(super) fn has_waiting(&mut self, signal: Signal) -> bool {
        match self.queue(signal) {
            Some(queue) => !queue.items.is_empty(),
            None => self.metrics.changed.is_some(),
        }
    }

    /// Returns whether so many items of the signal wait that they should be sent early, before the queue is full.
    pub(super) fn has_full_batch(&mut self, signal: Signal) -> bool {
        let threshold = BATCH_BYTES.min(self.capacity / 2);
        self.queue(signal)
            .is_some_and(|queue| queue.bytes >= threshold)
    }

    /// Returns how many items wait or are in flight.
    pub(super) fn outstanding(&self) -> ItemCounts {
        let outstanding = |queue: &SignalQueue| queue.items.len() as u64 + queue.in_flight;
        ItemCounts {
            spans: outstanding(&self.spans),
            log_records: outstanding(&self.logs),
        }
    }

    /// Returns whether a change of the metrics waits or is in flight.
    pub(super) fn has_outstanding_metrics(&self) -> bool {
        self.metrics.changed.is_some() || self.metrics.in_flight
    }

    /// Returns how many items were dropped because the queue was full.
    pub(super) fn dropped(&self) -> ItemCounts {
        ItemCounts {
            spans: self.spans.dropped,
            log_records: self.logs.dropped,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    fn next_sequence(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    fn queue(&mut self, signal: Signal) -> Option<&mut SignalQueue> {
        match signal {
            Signal::Traces => Some(&mut self.spans),
            Signal::Logs => Some(&mut self.logs),
            Signal::Metrics => None,
        }
    }

    /// Drops the oldest item of both queues. Returns `false` if no item waits.
    fn drop_oldest(&mut self) -> bool {
        let oldest =
            |queue: &SignalQueue| queue.items.front().map_or(u64::MAX, |item| item.sequence);
        let queue = if oldest(&self.spans) < oldest(&self.logs) {
            &mut self.spans
        } else {
            &mut self.logs
        };
        let Some(item) = queue.items.pop_front() else {
            return false;
        };
        queue.bytes -= item.size();
        queue.dropped += 1;
        self.bytes -= item.size();
        true
    }
}

impl EncodedItem {
    /// Returns the size in memory, including the overhead, which matters for many small items.
    fn size(&self) -> usize {
        size_of::<Self>() + self.encoded.len()
    }
}

impl Batch {
    pub(super) fn empty(signal: Signal) -> Self {
        Self {
            signal,
            items: Vec::new(),
            bytes: 0,
        }
    }

    pub(super) fn signal(&self) -> Signal {
        self.signal
    }

    pub(super) fn count(&self) -> u64 {
        self.items.len() as u64
    }

    pub(super) fn items(&self) -> impl Iterator<Item = &[u8]> {
        self.items.iter().map(|item| item.encoded.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: u64 = u64::MAX;

    /// Creates an item that takes `bytes` in memory.
    fn item(name: u8, bytes: usize) -> Vec<u8> {
        vec![name; bytes - size_of::<EncodedItem>()]
    }

    fn names(batch: Option<Batch>) -> Vec<u8> {
        let batch = batch.unwrap();
        batch.items().map(|item| item[0]).collect()
    }

    fn counts(spans: u64, log_records: u64) -> ItemCounts {
        ItemCounts { spans, log_records }
    }

    #[test]
    fn oldest_items_of_both_queues_are_dropped_first() {
        let mut queue = ExportQueue::new(400);
        queue.push(Signal::Traces, item(1, 100));
        queue.push(Signal::Logs, item(2, 100));
        queue.push(Signal::Logs, item(3, 100));
        queue.push(Signal::Traces, item(4, 100));
        assert_eq!((queue.bytes(), queue.dropped()), (400, counts(0, 0)));

        queue.push(Signal::Logs, item(5, 110));
        assert_eq!((queue.bytes(), queue.dropped()), (310, counts(1, 1)));
        assert_eq!(queue.outstanding(), counts(1, 2));
        assert_eq!(names(queue.take_batch(Signal::Logs, ALL)), [3, 5]);
        assert_eq!(names(queue.take_batch(Signal::Traces, ALL)), [4]);
    }

    #[test]
    fn item_larger_than_the_buffer_drops_only_itself() {
        let mut queue = ExportQueue::new(400);
        queue.push(Signal::Traces, item(1, 400));
        queue.push(Signal::Logs, item(2, 410));
        assert_eq!((queue.bytes(), queue.dropped()), (400, counts(0, 1)));
    }

    #[test]
    fn batch_in_flight_keeps_its_room_and_position() {
        let mut queue = ExportQueue::new(300);
        queue.push(Signal::Traces, item(1, 100));
        queue.push(Signal::Traces, item(2, 100));
        let batch = queue.take_batch(Signal::Traces, ALL).unwrap();
        assert!(!queue.has_waiting(Signal::Traces));

        queue.push(Signal::Traces, item(3, 100));
        queue.push(Signal::Traces, item(4, 100));
        assert_eq!((queue.bytes(), queue.dropped()), (300, counts(1, 0)));
        assert_eq!(queue.outstanding(), counts(3, 0));
        // Only the items in flight could make room.
        queue.push(Signal::Traces, item(5, 210));
        assert_eq!((queue.bytes(), queue.dropped()), (300, counts(2, 0)));

        queue.requeue(batch);
        assert_eq!((queue.bytes(), queue.outstanding()), (300, counts(3, 0)));
        let batch = queue.take_batch(Signal::Traces, ALL).unwrap();
        assert_eq!(
            batch.items().map(|item| item[0]).collect::<Vec<_>>(),
            [1, 2, 4]
        );
        queue.complete(batch);
        assert_eq!((queue.bytes(), queue.outstanding()), (0, counts(0, 0)));
    }

    #[test]
    fn request_carries_a_mebibyte_or_one_item() {
        let mut queue = ExportQueue::new(8 * BATCH_BYTES);
        queue.push(Signal::Logs, item(1, BATCH_BYTES / 2));
        queue.push(Signal::Logs, item(2, BATCH_BYTES / 2));
        queue.push(Signal::Logs, item(3, 40));
        queue.push(Signal::Logs, item(4, 2 * BATCH_BYTES));
        queue.push(Signal::Logs, item(5, 40));
        let mut requests = Vec::new();
        while queue.has_waiting(Signal::Logs) {
            requests.push(names(queue.take_batch(Signal::Logs, ALL)));
        }
        assert_eq!(requests, [vec![1, 2], vec![3], vec![4], vec![5]]);
    }

    #[test]
    fn later_items_are_left_for_the_next_batch() {
        let mut queue = ExportQueue::new(100);
        queue.push(Signal::Logs, item(1, 40));
        queue.metrics_changed();
        let end = queue.end();
        queue.push(Signal::Logs, item(2, 40));
        queue.metrics_changed();

        assert_eq!(names(queue.take_batch(Signal::Logs, end)), [1]);
        assert!(queue.take_batch(Signal::Logs, end).is_none());
        assert_eq!(names(queue.take_batch(Signal::Logs, queue.end())), [2]);
        assert!(queue.take_batch(Signal::Metrics, end).is_some());
        assert!(queue.take_batch(Signal::Metrics, end).is_none());
    }

    #[test]
    fn metrics_change_is_held_until_it_is_sent() {
        let mut queue = ExportQueue::new(100);
        assert!(!queue.has_waiting(Signal::Metrics) && !queue.has_outstanding_metrics());
        queue.metrics_changed();
        let batch = queue.take_batch(Signal::Metrics, queue.end()).unwrap();
        assert!(!queue.has_waiting(Signal::Metrics) && queue.has_outstanding_metrics());
        queue.requeue(batch);
        assert!(queue.has_waiting(Signal::Metrics));
        let batch = queue.take_batch(Signal::Metrics, queue.end()).unwrap();
        queue.complete(batch);
        assert!(!queue.has_waiting(Signal::Metrics) && !queue.has_outstanding_metrics());
    }

    #[test]
    fn full_batch_is_detected() {
        let mut queue = ExportQueue::new(200);
        queue.push(Signal::Logs, item(1, 60));
        assert!(!queue.has_full_batch(Signal::Logs));
        queue.push(Signal::Logs, item(2, 40));
        assert!(queue.has_full_batch(Signal::Logs) && !queue.has_full_batch(Signal::Traces));
    }
}
