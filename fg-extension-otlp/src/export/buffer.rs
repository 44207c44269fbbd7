//! What waits to be sent.

use std::collections::VecDeque;

use super::Signal;

/// How many bytes of items one request carries at most, unless a single item is larger.
pub(super) const REQUEST: usize = 1 << 20;

/// Spans and log records, encoded, first in first out, in one bound for both; and whether the metrics have changed.
///
/// What is in flight is still counted, so that it has its place when it comes back. Metrics are cumulative, so the
/// newest snapshot says all that an older one did, and none is kept.
#[derive(Debug)]
pub(super) struct Buffer {
    bound: usize,
    /// Of all items, in flight or not, as [`Item::size`] counts them.
    bytes: usize,
    /// The place in the order of arrival that the next item gets, across both queues.
    next: u64,
    spans: Queue,
    logs: Queue,
    metrics: Metrics,
}

#[derive(Debug, Default)]
struct Queue {
    items: VecDeque<Item>,
    bytes: usize,
    in_flight: u64,
    dropped: u64,
}

#[derive(Debug, Default)]
struct Metrics {
    /// The place in the order of arrival of the oldest change that has not been sent.
    changed: Option<u64>,
    in_flight: bool,
}

/// One span or log record.
#[derive(Debug)]
struct Item {
    order: u64,
    encoded: Vec<u8>,
}

/// What one request carries: items of one signal, or for metrics none, since they are asked for when it is sent.
#[derive(Debug)]
#[must_use = "what is in flight comes back by `done` or `put_back`"]
pub(super) struct Batch {
    signal: Signal,
    items: Vec<Item>,
    bytes: usize,
}

/// A number of spans and one of log records.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tally {
    pub(crate) spans: u64,
    pub(crate) log_records: u64,
}

impl Tally {
    pub(super) fn add(&mut self, signal: Signal, count: u64) {
        match signal {
            Signal::Traces => self.spans += count,
            Signal::Logs => self.log_records += count,
            Signal::Metrics => {}
        }
    }
}

impl Buffer {
    pub(super) fn new(bound: usize) -> Self {
        Self {
            bound,
            bytes: 0,
            next: 0,
            spans: Queue::default(),
            logs: Queue::default(),
            metrics: Metrics::default(),
        }
    }

    /// Takes an encoded span or log record in, and drops the oldest ones if there is no room for it; the item itself
    /// if what is in flight leaves it none.
    pub(super) fn push(&mut self, signal: Signal, encoded: Vec<u8>) {
        let order = self.arrive();
        let item = Item { order, encoded };
        let bytes = item.size();
        let in_flight = self.bytes - self.spans.bytes - self.logs.bytes;
        let fits = bytes <= self.bound - in_flight;
        while fits && self.bytes + bytes > self.bound && self.drop_oldest() {}
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

    pub(super) fn metrics_changed(&mut self) {
        let order = self.arrive();
        self.metrics.changed.get_or_insert(order);
    }

    /// What marks the end of all that has arrived so far, for [`take`](Self::take).
    pub(super) fn end(&self) -> u64 {
        self.next
    }

    /// The oldest items of the signal that arrived before `end`, as many as one request carries.
    pub(super) fn take(&mut self, signal: Signal, end: u64) -> Option<Batch> {
        let mut batch = Batch {
            signal,
            items: Vec::new(),
            bytes: 0,
        };
        let Some(queue) = self.queue(signal) else {
            self.metrics.changed.take_if(|changed| *changed < end)?;
            self.metrics.in_flight = true;
            return Some(batch);
        };
        while let Some(item) = queue.items.front() {
            let has_room = batch.items.is_empty() || batch.bytes + item.size() <= REQUEST;
            if item.order >= end || !has_room {
                break;
            }
            batch.bytes += item.size();
            batch.items.extend(queue.items.pop_front());
        }
        queue.bytes -= batch.bytes;
        queue.in_flight += batch.count();
        (!batch.items.is_empty()).then_some(batch)
    }

    /// Forgets what was in flight.
    pub(super) fn done(&mut self, batch: Batch) {
        self.bytes -= batch.bytes;
        match self.queue(batch.signal) {
            Some(queue) => queue.in_flight -= batch.count(),
            None => self.metrics.in_flight = false,
        }
    }

    /// Puts what was in flight back to the front.
    pub(super) fn put_back(&mut self, batch: Batch) {
        let Some(queue) = self.queue(batch.signal) else {
            // Older than any change since, which the next snapshot has too.
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

    /// Whether something of the signal waits, not counting what is in flight.
    pub(super) fn waits(&mut self, signal: Signal) -> bool {
        match self.queue(signal) {
            Some(queue) => !queue.items.is_empty(),
            None => self.metrics.changed.is_some(),
        }
    }

    /// Whether so much of the signal waits that it is better sent before its time than dropped.
    pub(super) fn is_pressing(&mut self, signal: Signal) -> bool {
        let much = REQUEST.min(self.bound / 2);
        self.queue(signal).is_some_and(|queue| queue.bytes >= much)
    }

    /// The items that wait or are in flight.
    pub(super) fn held(&self) -> Tally {
        let held = |queue: &Queue| queue.items.len() as u64 + queue.in_flight;
        Tally {
            spans: held(&self.spans),
            log_records: held(&self.logs),
        }
    }

    /// Whether a change of the metrics waits or is in flight.
    pub(super) fn holds_metrics(&self) -> bool {
        self.metrics.changed.is_some() || self.metrics.in_flight
    }

    /// The items that had to make room for newer ones.
    pub(super) fn dropped(&self) -> Tally {
        Tally {
            spans: self.spans.dropped,
            log_records: self.logs.dropped,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn bound(&self) -> usize {
        self.bound
    }

    fn arrive(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    fn queue(&mut self, signal: Signal) -> Option<&mut Queue> {
        match signal {
            Signal::Traces => Some(&mut self.spans),
            Signal::Logs => Some(&mut self.logs),
            Signal::Metrics => None,
        }
    }

    /// Drops the oldest item of both queues; `false` if nothing waits.
    fn drop_oldest(&mut self) -> bool {
        let oldest = |queue: &Queue| queue.items.front().map_or(u64::MAX, |item| item.order);
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

impl Item {
    /// What it takes in memory: many small ones cost more than what is in them.
    fn size(&self) -> usize {
        size_of::<Self>() + self.encoded.len()
    }
}

impl Batch {
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

    /// One that takes so many bytes in memory.
    fn item(name: u8, bytes: usize) -> Vec<u8> {
        vec![name; bytes - size_of::<Item>()]
    }

    fn names(batch: Option<Batch>) -> Vec<u8> {
        let batch = batch.unwrap();
        batch.items().map(|item| item[0]).collect()
    }

    fn tally(spans: u64, log_records: u64) -> Tally {
        Tally { spans, log_records }
    }

    #[test]
    fn oldest_of_both_queues_make_room() {
        let mut buffer = Buffer::new(400);
        buffer.push(Signal::Traces, item(1, 100));
        buffer.push(Signal::Logs, item(2, 100));
        buffer.push(Signal::Logs, item(3, 100));
        buffer.push(Signal::Traces, item(4, 100));
        assert_eq!((buffer.bytes(), buffer.dropped()), (400, tally(0, 0)));

        buffer.push(Signal::Logs, item(5, 110));
        assert_eq!((buffer.bytes(), buffer.dropped()), (310, tally(1, 1)));
        assert_eq!(buffer.held(), tally(1, 2));
        assert_eq!(names(buffer.take(Signal::Logs, ALL)), [3, 5]);
        assert_eq!(names(buffer.take(Signal::Traces, ALL)), [4]);
    }

    #[test]
    fn item_larger_than_the_buffer_drops_nothing_but_itself() {
        let mut buffer = Buffer::new(400);
        buffer.push(Signal::Traces, item(1, 400));
        buffer.push(Signal::Logs, item(2, 410));
        assert_eq!((buffer.bytes(), buffer.dropped()), (400, tally(0, 1)));
    }

    #[test]
    fn what_is_in_flight_keeps_its_place() {
        let mut buffer = Buffer::new(300);
        buffer.push(Signal::Traces, item(1, 100));
        buffer.push(Signal::Traces, item(2, 100));
        let batch = buffer.take(Signal::Traces, ALL).unwrap();
        assert!(!buffer.waits(Signal::Traces));

        buffer.push(Signal::Traces, item(3, 100));
        buffer.push(Signal::Traces, item(4, 100));
        assert_eq!((buffer.bytes(), buffer.dropped()), (300, tally(1, 0)));
        assert_eq!(buffer.held(), tally(3, 0));
        // Nothing but what is in flight could make room.
        buffer.push(Signal::Traces, item(5, 210));
        assert_eq!((buffer.bytes(), buffer.dropped()), (300, tally(2, 0)));

        buffer.put_back(batch);
        assert_eq!((buffer.bytes(), buffer.held()), (300, tally(3, 0)));
        let batch = buffer.take(Signal::Traces, ALL).unwrap();
        assert_eq!(
            batch.items().map(|item| item[0]).collect::<Vec<_>>(),
            [1, 2, 4]
        );
        buffer.done(batch);
        assert_eq!((buffer.bytes(), buffer.held()), (0, tally(0, 0)));
    }

    #[test]
    fn request_carries_a_mebibyte_or_one_item() {
        let mut buffer = Buffer::new(8 * REQUEST);
        buffer.push(Signal::Logs, item(1, REQUEST / 2));
        buffer.push(Signal::Logs, item(2, REQUEST / 2));
        buffer.push(Signal::Logs, item(3, 40));
        buffer.push(Signal::Logs, item(4, 2 * REQUEST));
        buffer.push(Signal::Logs, item(5, 40));
        let mut requests = Vec::new();
        while buffer.waits(Signal::Logs) {
            requests.push(names(buffer.take(Signal::Logs, ALL)));
        }
        assert_eq!(requests, [vec![1, 2], vec![3], vec![4], vec![5]]);
    }

    #[test]
    fn what_arrives_later_is_left_for_later() {
        let mut buffer = Buffer::new(100);
        buffer.push(Signal::Logs, item(1, 40));
        buffer.metrics_changed();
        let end = buffer.end();
        buffer.push(Signal::Logs, item(2, 40));
        buffer.metrics_changed();

        assert_eq!(names(buffer.take(Signal::Logs, end)), [1]);
        assert!(buffer.take(Signal::Logs, end).is_none());
        assert_eq!(names(buffer.take(Signal::Logs, buffer.end())), [2]);
        assert!(buffer.take(Signal::Metrics, end).is_some());
        assert!(buffer.take(Signal::Metrics, end).is_none());
    }

    #[test]
    fn metrics_change_is_held_until_it_is_sent() {
        let mut buffer = Buffer::new(100);
        assert!(!buffer.waits(Signal::Metrics) && !buffer.holds_metrics());
        buffer.metrics_changed();
        let batch = buffer.take(Signal::Metrics, buffer.end()).unwrap();
        assert!(!buffer.waits(Signal::Metrics) && buffer.holds_metrics());
        buffer.put_back(batch);
        assert!(buffer.waits(Signal::Metrics));
        let batch = buffer.take(Signal::Metrics, buffer.end()).unwrap();
        buffer.done(batch);
        assert!(!buffer.waits(Signal::Metrics) && !buffer.holds_metrics());
    }

    #[test]
    fn much_that_waits_is_pressing() {
        let mut buffer = Buffer::new(200);
        buffer.push(Signal::Logs, item(1, 60));
        assert!(!buffer.is_pressing(Signal::Logs));
        buffer.push(Signal::Logs, item(2, 40));
        assert!(buffer.is_pressing(Signal::Logs) && !buffer.is_pressing(Signal::Traces));
    }
}
