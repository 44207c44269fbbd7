//! The queue of encoded spans, log records, and received data that wait to be sent.

mod split;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use super::counters::ItemCounts;
use super::received::ReceivedPart;
use crate::signal::Signal;

/// The maximum size, in bytes, of the items in one request, unless a single item is larger.
pub(super) const BATCH_BYTES: usize = 1 << 20;

/// A first-in, first-out queue of encoded items for each signal, with a shared capacity, and whether our own metrics have
/// changed.
///
/// Items in flight still count towards the capacity, so that there is room for them if they are requeued. Our own metrics
/// are cumulative, so the latest snapshot includes all earlier ones, and no snapshot is queued.
#[derive(Debug)]
pub(super) struct ExportQueue {
    capacity: usize,
    /// The size of all items, including those in flight, as counted by [`QueuedItem::size`].
    bytes: usize,
    /// The sequence number of the next item, across all queues.
    next: u64,
    signals: [SignalQueue; Signal::ALL.len()],
    metrics: MetricsChange,
}

/// The items of one signal. Counts are numbers of records: spans, log records, or data points.
#[derive(Debug)]
struct SignalQueue {
    items: VecDeque<QueuedItem>,
    bytes: usize,
    /// The maximum size of a batch. It decreases when the collector rejects a batch as too large.
    max_batch_bytes: usize,
    waiting: u64,
    in_flight: u64,
    dropped: u64,
}

#[derive(Debug, Default)]
struct MetricsChange {
    /// The sequence number of the oldest change that has not been sent.
    changed: Option<u64>,
    in_flight: bool,
    /// Whether the collector rejected a request with our own metrics and received ones as too large, so that they are sent
    /// in separate requests.
    is_separate: bool,
}

/// What is queued and sent as a whole.
#[derive(Debug)]
pub(super) enum Item {
    /// One span or log record of our own, as encoded by [`encode_span`](super::request::encode_span).
    Own(Vec<u8>),
    /// Data that was received from the function.
    Received(Box<ReceivedPart>),
}

/// An item with its position.
#[derive(Debug)]
struct QueuedItem {
    sequence: u64,
    item: Item,
}

/// The items of one request. Our own metrics are not items, because their snapshot is taken when the request is encoded.
#[derive(Debug)]
#[must_use = "a batch in flight must be passed to `complete` or `requeue`"]
pub(super) struct Batch {
    signal: Signal,
    items: Vec<QueuedItem>,
    bytes: usize,
    /// Whether the request also contains our own metrics.
    has_own_metrics: bool,
    /// How many data points of our own metrics are lost if the collector rejects them.
    pub(super) delta_points: u64,
}

impl ExportQueue {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            bytes: 0,
            next: 0,
            signals: Signal::ALL.map(|_| SignalQueue::new()),
            metrics: MetricsChange::default(),
        }
    }

    /// Queues an item.
    ///
    /// If there is no room for it, drops the oldest items. If the items in flight leave no room for it, drops the item
    /// itself.
    pub(super) fn push(&mut self, signal: Signal, item: Item) {
        let sequence = self.next_sequence();
        let item = QueuedItem { sequence, item };
        let (bytes, records) = (item.size(), item.item.records());
        let waiting: usize = self.signals.iter().map(|queue| queue.bytes).sum();
        let in_flight = self.bytes - waiting;
        let fits = bytes <= self.capacity.saturating_sub(in_flight);
        while fits && self.bytes + bytes > self.capacity && self.drop_oldest() {}
        let queue = &mut self.signals[signal.index()];
        if fits {
            queue.push_back(item);
            self.bytes += bytes;
        } else {
            queue.dropped += records;
        }
    }

    /// Records that our own metrics have changed.
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
        if signal == Signal::Metrics {
            let changed = self.metrics.changed.take_if(|changed| *changed < end);
            batch.has_own_metrics = changed.is_some();
            self.metrics.in_flight = batch.has_own_metrics;
            if batch.has_own_metrics && self.metrics.is_separate {
                return Some(batch);
            }
        }
        let queue = &mut self.signals[signal.index()];
        while let Some(item) = queue.items.front() {
            let has_room =
                batch.items.is_empty() || batch.bytes + item.size() <= queue.max_batch_bytes;
            if item.sequence >= end || !has_room {
                break;
            }
            batch.bytes += item.size();
            batch.items.extend(queue.pop_front());
        }
        queue.in_flight += batch.count();
        (batch.has_own_metrics || !batch.items.is_empty()).then_some(batch)
    }

    /// Removes a batch that was in flight.
    pub(super) fn complete(&mut self, batch: Batch) {
        self.bytes -= batch.bytes;
        self.signals[batch.signal.index()].in_flight -= batch.count();
        if batch.has_own_metrics {
            self.metrics.in_flight = false;
        }
    }

    /// Puts a batch that was in flight back at the front.
    pub(super) fn requeue(&mut self, batch: Batch) {
        if batch.has_own_metrics {
            // Zero, because this change is older than any later one. The next snapshot includes both.
            self.metrics.changed = Some(0);
            self.metrics.in_flight = false;
        }
        let queue = &mut self.signals[batch.signal.index()];
        queue.in_flight -= batch.count();
        for item in batch.items.into_iter().rev() {
            queue.push_front(item);
        }
    }

    /// Returns whether the signal has data that waits to be sent, not counting data in flight.
    pub(super) fn has_waiting(&self, signal: Signal) -> bool {
        let has_changed = signal == Signal::Metrics && self.metrics.changed.is_some();
        has_changed || !self.signals[signal.index()].items.is_empty()
    }

    /// Returns whether so many items of the signal wait that they should be sent early, before the queue is full.
    pub(super) fn has_full_batch(&self, signal: Signal) -> bool {
        let threshold = BATCH_BYTES.min(self.capacity / 2);
        self.signals[signal.index()].bytes >= threshold
    }

    /// Returns how many records wait or are in flight, without our own metrics.
    pub(super) fn outstanding(&self) -> ItemCounts {
        self.counts(|queue| queue.waiting + queue.in_flight)
    }

    /// Returns whether a change of our own metrics waits or is in flight.
    pub(super) fn has_outstanding_metrics(&self) -> bool {
        self.metrics.changed.is_some() || self.metrics.in_flight
    }

    /// Returns how many records were dropped because the queue was full.
    pub(super) fn dropped(&self) -> ItemCounts {
        self.counts(|queue| queue.dropped)
    }

    /// Returns whether more than half of the capacity is in use, including items in flight.
    pub(super) fn is_half_full(&self) -> bool {
        self.bytes > self.capacity / 2
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

    fn counts(&self, count: impl Fn(&SignalQueue) -> u64) -> ItemCounts {
        let mut counts = ItemCounts::default();
        for signal in Signal::ALL {
            counts.add(signal, count(&self.signals[signal.index()]));
        }
        counts
    }

    /// Drops the oldest item of all queues. Returns `false` if no item waits.
    fn drop_oldest(&mut self) -> bool {
        let oldest = self
            .signals
            .iter_mut()
            .min_by_key(|queue| queue.items.front().map_or(u64::MAX, |item| item.sequence));
        let Some((queue, item)) = oldest.and_then(|queue| {
            let item = queue.pop_front()?;
            Some((queue, item))
        }) else {
            return false;
        };
        queue.dropped += item.item.records();
        self.bytes -= item.size();
        true
    }
}

impl SignalQueue {
    fn new() -> Self {
        Self {
            items: VecDeque::new(),
            bytes: 0,
            max_batch_bytes: BATCH_BYTES,
            waiting: 0,
            in_flight: 0,
            dropped: 0,
        }
    }

    fn push_back(&mut self, item: QueuedItem) {
        self.bytes += item.size();
        self.waiting += item.item.records();
        self.items.push_back(item);
    }

    fn push_front(&mut self, item: QueuedItem) {
        self.bytes += item.size();
        self.waiting += item.item.records();
        self.items.push_front(item);
    }

    fn pop_front(&mut self) -> Option<QueuedItem> {
        let item = self.items.pop_front()?;
        self.bytes -= item.size();
        self.waiting -= item.item.records();
        Some(item)
    }
}

impl Item {
    pub(super) fn received(part: ReceivedPart) -> Self {
        Self::Received(Box::new(part))
    }

    /// Returns the number of spans, log records, or data points.
    pub(super) fn records(&self) -> u64 {
        match self {
            Self::Own(_) => 1,
            Self::Received(part) => part.records,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Own(encoded) => encoded.len(),
            Self::Received(part) => part.bytes(),
        }
    }

    /// Splits an item into halves. Returns the item itself if it contains only one record.
    pub(super) fn split(self, signal: Signal) -> Result<[Self; 2], Self> {
        match self {
            Self::Own(_) => Err(self),
            Self::Received(part) => match part.split(signal) {
                Ok(halves) => Ok(halves.map(Self::received)),
                Err(part) => Err(Self::received(part)),
            },
        }
    }
}

impl QueuedItem {
    /// Returns the size in memory, including the overhead, which matters for many small items.
    fn size(&self) -> usize {
        size_of::<Self>() + self.item.bytes()
    }
}

impl Batch {
    pub(super) fn empty(signal: Signal) -> Self {
        Self {
            signal,
            items: Vec::new(),
            bytes: 0,
            has_own_metrics: false,
            delta_points: 0,
        }
    }

    pub(super) fn signal(&self) -> Signal {
        self.signal
    }

    /// Returns the number of spans, log records, or received data points.
    pub(super) fn count(&self) -> u64 {
        self.items.iter().map(|item| item.item.records()).sum()
    }

    /// Returns the size of all items, as they are encoded.
    pub(super) fn encoded_bytes(&self) -> usize {
        self.items().map(Item::bytes).sum()
    }

    pub(super) fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().map(|item| &item.item)
    }

    /// Returns whether the request also contains our own metrics.
    pub(super) fn has_own_metrics(&self) -> bool {
        self.has_own_metrics
    }
}
