//! What waits to be posted to the subscriber, in order and bounded.

use std::collections::{BTreeMap, VecDeque};

use super::TelemetryType;

/// So much waits at most; what comes then is dropped, counted, and reported.
const WAITING_BYTES: usize = 1024 * 1024;
/// So much goes into one batch, or one event that is larger.
const BATCH_BYTES: usize = 256 * 1024;

#[derive(Debug, Default)]
pub(super) struct Backlog {
    waiting: VecDeque<(TelemetryType, String)>,
    bytes: usize,
    dropped: BTreeMap<TelemetryType, usize>,
    in_flight: usize,
    /// How many were answered or given up, since the start.
    settled: usize,
    closed: bool,
}

/// A JSON array, and what is known of it.
#[derive(Debug, PartialEq)]
pub(crate) struct Batch {
    pub(crate) body: String,
    pub(crate) events: usize,
    /// How many were dropped since the last batch, for want of room.
    pub(crate) dropped: usize,
}

impl Backlog {
    pub(super) fn push(&mut self, kind: TelemetryType, event: String) {
        if self.closed {
            return;
        }
        if self.bytes + event.len() > WAITING_BYTES {
            *self.dropped.entry(kind).or_default() += 1;
        } else {
            self.bytes += event.len();
            self.waiting.push_back((kind, event));
        }
    }

    /// Forgets the other types.
    pub(super) fn keep(&mut self, types: &[TelemetryType]) {
        self.waiting.retain(|(kind, _)| types.contains(kind));
        self.bytes = self.waiting.iter().map(|(_, event)| event.len()).sum();
        self.dropped.retain(|kind, _| types.contains(kind));
    }

    /// The next batch, which is in flight until [`settle`](Self::settle).
    pub(super) fn take(&mut self) -> Option<Batch> {
        let mut body = String::from("[");
        while let Some((_, event)) = self.waiting.front()
            && (self.in_flight == 0 || body.len() + event.len() <= BATCH_BYTES)
        {
            if self.in_flight > 0 {
                body.push(',');
            }
            body.push_str(event);
            self.bytes -= event.len();
            self.in_flight += 1;
            self.waiting.pop_front();
        }
        body.push(']');
        (self.in_flight > 0).then(|| Batch {
            body,
            events: self.in_flight,
            dropped: std::mem::take(&mut self.dropped).into_values().sum(),
        })
    }

    /// The batch was answered or given up.
    pub(super) fn settle(&mut self) {
        self.settled += self.in_flight;
        self.in_flight = 0;
    }

    pub(super) fn settled(&self) -> usize {
        self.settled
    }

    /// How many are not settled.
    pub(super) fn open(&self) -> usize {
        self.waiting.len() + self.in_flight
    }

    /// Takes nothing from now on; how many are lost.
    pub(super) fn close(&mut self) -> usize {
        let dropped: usize = std::mem::take(&mut self.dropped).into_values().sum();
        let lost = self.open() + dropped;
        self.waiting.clear();
        self.closed = true;
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::{BATCH_BYTES, Backlog, Batch, WAITING_BYTES};
    use crate::TelemetryType::{Extension, Function, Platform};

    fn take(backlog: &mut Backlog) -> (usize, usize) {
        let Batch {
            body,
            events,
            dropped,
        } = backlog.take().unwrap();
        let read: Vec<serde_json::Value> = serde_json::from_str(&body).unwrap();
        assert_eq!(read.len(), events);
        backlog.settle();
        (events, dropped)
    }

    #[test]
    fn one_batch_in_order() {
        let mut backlog = Backlog::default();
        assert_eq!(backlog.take(), None);
        for event in ["1", "2", "3"] {
            backlog.push(Platform, event.to_owned());
        }
        let batch = backlog.take().unwrap();
        assert_eq!((batch.body.as_str(), batch.events), ("[1,2,3]", 3));
        assert_eq!((backlog.open(), backlog.settled()), (3, 0));
        backlog.settle();
        assert_eq!((backlog.open(), backlog.settled()), (0, 3));
        assert_eq!(backlog.take(), None);
    }

    #[test]
    fn bounds() {
        let mut backlog = Backlog::default();
        let text = |length: usize| format!("\"{}\"", "x".repeat(length - 2));
        backlog.push(Extension, text(WAITING_BYTES + 1));
        backlog.push(Function, text(BATCH_BYTES * 2));
        for _ in 0..8 {
            backlog.push(Function, text(BATCH_BYTES / 4));
        }
        backlog.push(Function, "1".to_owned());
        assert_eq!(take(&mut backlog), (1, 2), "an event larger than a batch");
        assert_eq!(take(&mut backlog), (3, 0), "brackets and commas count");
        backlog.push(Function, "1".to_owned());
        assert_eq!(take(&mut backlog), (3, 0));
        assert_eq!(take(&mut backlog), (3, 0));
        assert_eq!(backlog.open(), 0);
    }

    #[test]
    fn other_types_are_forgotten() {
        let mut backlog = Backlog::default();
        backlog.push(Platform, text());
        backlog.push(Extension, text());
        backlog.push(Extension, text());
        backlog.push(Platform, text());
        backlog.keep(&[Platform]);
        assert_eq!(take(&mut backlog), (1, 1));
        fn text() -> String {
            format!("\"{}\"", "x".repeat(WAITING_BYTES / 2 - 2))
        }
    }

    #[test]
    fn closed() {
        let mut backlog = Backlog::default();
        backlog.push(Platform, "1".to_owned());
        assert!(backlog.take().is_some());
        backlog.push(Platform, "2".to_owned());
        assert_eq!(backlog.close(), 2, "one in flight, one waiting");
        backlog.push(Platform, "3".to_owned());
        backlog.settle();
        assert_eq!(backlog.open(), 0);
    }
}
