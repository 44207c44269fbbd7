//! The bounded buffer of events to deliver to the subscriber.

use std::collections::{BTreeMap, VecDeque};

use super::TelemetryType;

/// The capacity in bytes. Events that do not fit are dropped, counted, and reported.
const MAX_BYTES: usize = 1024 * 1024;
/// The maximum size of a batch in bytes. A batch with a single event may be larger.
const MAX_BATCH_BYTES: usize = 256 * 1024;

/// A queue of serialized events.
#[derive(Debug, Default)]
pub(super) struct TelemetryBuffer {
    queued: VecDeque<(TelemetryType, String)>,
    bytes: usize,
    dropped: BTreeMap<TelemetryType, usize>,
    in_flight: usize,
    /// How many events have been delivered or lost since the start.
    settled: usize,
    closed: bool,
}

/// A JSON array of events.
#[derive(Debug, PartialEq)]
pub(crate) struct Batch {
    pub(crate) body: String,
    pub(crate) events: usize,
    /// How many events were dropped since the last batch because the buffer was full.
    pub(crate) dropped: usize,
}

impl TelemetryBuffer {
    pub(super) fn push(&mut self, kind: TelemetryType, event: String) {
        if self.closed {
            return;
        }
        if self.bytes + event.len() > MAX_BYTES {
            *self.dropped.entry(kind).or_default() += 1;
        } else {
            self.bytes += event.len();
            self.queued.push_back((kind, event));
        }
    }

    /// Removes the events of other types.
    pub(super) fn retain_types(&mut self, types: &[TelemetryType]) {
        self.queued.retain(|(kind, _)| types.contains(kind));
        self.bytes = self.queued.iter().map(|(_, event)| event.len()).sum();
        self.dropped.retain(|kind, _| types.contains(kind));
    }

    /// Returns the next batch, or `None` if the buffer is empty. The batch is in flight until
    /// [`batch_settled`](Self::batch_settled) is called.
    pub(super) fn next_batch(&mut self) -> Option<Batch> {
        let mut body = String::from("[");
        while let Some((_, event)) = self.queued.front()
            && (self.in_flight == 0 || body.len() + event.len() <= MAX_BATCH_BYTES)
        {
            if self.in_flight > 0 {
                body.push(',');
            }
            body.push_str(event);
            self.bytes -= event.len();
            self.in_flight += 1;
            self.queued.pop_front();
        }
        body.push(']');
        (self.in_flight > 0).then(|| Batch {
            body,
            events: self.in_flight,
            dropped: std::mem::take(&mut self.dropped).into_values().sum(),
        })
    }

    /// Marks the batch in flight as delivered or lost.
    pub(super) fn batch_settled(&mut self) {
        self.settled += self.in_flight;
        self.in_flight = 0;
    }

    pub(super) fn settled(&self) -> usize {
        self.settled
    }

    /// Returns how many events are neither delivered nor lost.
    pub(super) fn pending(&self) -> usize {
        self.queued.len() + self.in_flight
    }

    /// Drops all events, and ignores further ones. Returns how many events are lost.
    pub(super) fn close(&mut self) -> usize {
        let dropped: usize = std::mem::take(&mut self.dropped).into_values().sum();
        let lost = self.pending() + dropped;
        self.queued.clear();
        self.closed = true;
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::{Batch, MAX_BATCH_BYTES, MAX_BYTES, TelemetryBuffer};
    use crate::TelemetryType::{Extension, Function, Platform};

    fn take(buffer: &mut TelemetryBuffer) -> (usize, usize) {
        let Batch {
            body,
            events,
            dropped,
        } = buffer.next_batch().unwrap();
        let read: Vec<serde_json::Value> = serde_json::from_str(&body).unwrap();
        assert_eq!(read.len(), events);
        buffer.batch_settled();
        (events, dropped)
    }

    #[test]
    fn batch_contains_the_events_in_order() {
        let mut buffer = TelemetryBuffer::default();
        assert_eq!(buffer.next_batch(), None);
        for event in ["1", "2", "3"] {
            buffer.push(Platform, event.to_owned());
        }
        let batch = buffer.next_batch().unwrap();
        assert_eq!((batch.body.as_str(), batch.events), ("[1,2,3]", 3));
        assert_eq!((buffer.pending(), buffer.settled()), (3, 0));
        buffer.batch_settled();
        assert_eq!((buffer.pending(), buffer.settled()), (0, 3));
        assert_eq!(buffer.next_batch(), None);
    }

    #[test]
    fn buffer_and_batch_sizes_are_bounded() {
        let mut buffer = TelemetryBuffer::default();
        let text = |length: usize| format!("\"{}\"", "x".repeat(length - 2));
        buffer.push(Extension, text(MAX_BYTES + 1));
        buffer.push(Function, text(MAX_BATCH_BYTES * 2));
        for _ in 0..8 {
            buffer.push(Function, text(MAX_BATCH_BYTES / 4));
        }
        buffer.push(Function, "1".to_owned());
        assert_eq!(take(&mut buffer), (1, 2), "an event larger than a batch");
        assert_eq!(take(&mut buffer), (3, 0), "brackets and commas count");
        buffer.push(Function, "1".to_owned());
        assert_eq!(take(&mut buffer), (3, 0));
        assert_eq!(take(&mut buffer), (3, 0));
        assert_eq!(buffer.pending(), 0);
    }

    #[test]
    fn events_of_other_types_are_removed() {
        let mut buffer = TelemetryBuffer::default();
        buffer.push(Platform, text());
        buffer.push(Extension, text());
        buffer.push(Extension, text());
        buffer.push(Platform, text());
        buffer.retain_types(&[Platform]);
        assert_eq!(take(&mut buffer), (1, 1));
        fn text() -> String {
            format!("\"{}\"", "x".repeat(MAX_BYTES / 2 - 2))
        }
    }

    #[test]
    fn closed_buffer_reports_lost_events_and_ignores_new_ones() {
        let mut buffer = TelemetryBuffer::default();
        buffer.push(Platform, "1".to_owned());
        assert!(buffer.next_batch().is_some());
        buffer.push(Platform, "2".to_owned());
        assert_eq!(buffer.close(), 2, "one in flight, one queued");
        buffer.push(Platform, "3".to_owned());
        buffer.batch_settled();
        assert_eq!(buffer.pending(), 0);
    }
}
