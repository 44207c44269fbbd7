//! The bounded buffer of events to deliver to the subscriber.

use std::collections::{BTreeMap, VecDeque};

use hyper::body::Bytes;

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
    /// The first of the dropped events, at most [`MAX_BATCH_BYTES`] together.
    dropped_events: Vec<(TelemetryType, String)>,
    dropped_bytes: usize,
    in_flight: usize,
    /// The batch in flight.
    in_flight_body: Bytes,
    /// How many events have been delivered or lost since the start.
    settled: usize,
    closed: bool,
}

/// A JSON array of events.
#[derive(Debug, PartialEq)]
pub(crate) struct Batch {
    pub(crate) body: Bytes,
    pub(crate) events: usize,
    /// The events that were dropped since the last batch because the buffer was full.
    pub(crate) dropped: Option<LostEvents>,
}

/// Events that will not be delivered.
#[derive(Debug, PartialEq)]
pub(crate) struct LostEvents {
    pub(crate) events: usize,
    /// A JSON array of them, or of the first ones.
    pub(crate) body: Bytes,
}

impl TelemetryBuffer {
    pub(super) fn push(&mut self, kind: TelemetryType, event: String) {
        if self.closed {
            return;
        }
        if self.bytes + event.len() > MAX_BYTES {
            *self.dropped.entry(kind).or_default() += 1;
            if self.dropped_bytes + event.len() <= MAX_BATCH_BYTES {
                self.dropped_bytes += event.len();
                self.dropped_events.push((kind, event));
            }
        } else {
            self.bytes += event.len();
            self.queued.push_back((kind, event));
        }
    }

    /// Removes the events of other types.
    pub(super) fn retain_types(&mut self, types: &[TelemetryType]) {
        let length = |(_, event): &(TelemetryType, String)| event.len();
        self.queued.retain(|(kind, _)| types.contains(kind));
        self.bytes = self.queued.iter().map(length).sum();
        self.dropped.retain(|kind, _| types.contains(kind));
        self.dropped_events.retain(|(kind, _)| types.contains(kind));
        self.dropped_bytes = self.dropped_events.iter().map(length).sum();
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
        if self.in_flight == 0 {
            return None;
        }
        self.in_flight_body = body.into();
        let (events, lost) = self.take_dropped();
        Some(Batch {
            body: self.in_flight_body.clone(),
            events: self.in_flight,
            dropped: (events > 0).then(|| LostEvents {
                events,
                body: json_array(lost.iter().map(String::as_str)),
            }),
        })
    }

    /// Returns the number of dropped events, and the first of them.
    fn take_dropped(&mut self) -> (usize, Vec<String>) {
        self.dropped_bytes = 0;
        let events = std::mem::take(&mut self.dropped_events);
        let events = events.into_iter().map(|(_, event)| event).collect();
        let count = std::mem::take(&mut self.dropped).into_values().sum();
        (count, events)
    }

    /// Marks the batch in flight as delivered or lost.
    pub(super) fn batch_settled(&mut self) {
        self.settled += self.in_flight;
        self.in_flight = 0;
        self.in_flight_body = Bytes::new();
    }

    pub(super) fn settled(&self) -> usize {
        self.settled
    }

    /// Returns how many events are neither delivered nor lost.
    pub(super) fn pending(&self) -> usize {
        self.queued.len() + self.in_flight
    }

    /// Drops all events, and ignores further ones. Returns the events that are lost, if there are any.
    pub(super) fn close(&mut self) -> Option<LostEvents> {
        self.closed = true;
        let pending = self.pending();
        let (dropped, dropped_events) = self.take_dropped();
        let queued = std::mem::take(&mut self.queued);
        let in_flight = str::from_utf8(&self.in_flight_body).unwrap_or_default();
        let in_flight = in_flight.strip_prefix('[').unwrap_or_default();
        let in_flight = in_flight.strip_suffix(']').unwrap_or_default();
        let lost = Some(in_flight).filter(|events| !events.is_empty());
        let lost = lost.into_iter();
        let lost = lost.chain(queued.iter().map(|(_, event)| event.as_str()));
        let lost = lost.chain(dropped_events.iter().map(String::as_str));
        let events = pending + dropped;
        (events > 0).then(|| LostEvents {
            events,
            body: json_array(lost),
        })
    }
}

fn json_array<'a>(events: impl Iterator<Item = &'a str>) -> Bytes {
    let mut body = String::from("[");
    for event in events {
        if body.len() > 1 {
            body.push(',');
        }
        body.push_str(event);
    }
    body.push(']');
    body.into()
}

#[cfg(test)]
mod tests {
    use super::{Batch, Bytes, LostEvents, MAX_BATCH_BYTES, MAX_BYTES, TelemetryBuffer};
    use crate::TelemetryType::{Extension, Function, Platform};

    fn take(buffer: &mut TelemetryBuffer) -> (usize, usize) {
        let Batch {
            body,
            events,
            dropped,
        } = buffer.next_batch().unwrap();
        let count = |body: &Bytes| {
            serde_json::from_slice::<Vec<serde_json::Value>>(body)
                .unwrap()
                .len()
        };
        assert_eq!(count(&body), events);
        buffer.batch_settled();
        let dropped = dropped.map_or(0, |LostEvents { events, body }| {
            assert!(count(&body) <= events && body.len() <= MAX_BATCH_BYTES + 2 * events);
            events
        });
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
        assert_eq!((&batch.body[..], batch.events), (&b"[1,2,3]"[..], 3));
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
        buffer.push(Function, "x".repeat(MAX_BYTES));
        buffer.push(Function, "3".to_owned());
        // One in flight, one dropped, two queued. The dropped one is too large to be in the body.
        let lost = LostEvents {
            events: 4,
            body: "[1,2,3]".into(),
        };
        assert_eq!(buffer.close(), Some(lost));
        buffer.push(Platform, "4".to_owned());
        buffer.batch_settled();
        assert_eq!(buffer.pending(), 0);
        assert_eq!(buffer.close(), None);
    }

    #[test]
    fn first_dropped_events_are_reported() {
        let mut buffer = TelemetryBuffer::default();
        buffer.push(Platform, format!("\"{}\"", "x".repeat(MAX_BYTES - 8)));
        let dropped = ["\"lost 1\"", "\"lost 2\""];
        for kind in [Platform, Function] {
            for event in dropped {
                buffer.push(kind, event.to_owned());
            }
        }
        buffer.retain_types(&[Platform]);
        let lost = LostEvents {
            events: 2,
            body: "[\"lost 1\",\"lost 2\"]".into(),
        };
        assert_eq!(buffer.next_batch().unwrap().dropped, Some(lost));
        // However many there are, the memory is bounded.
        for _ in 0..100 {
            buffer.push(Platform, "x".repeat(MAX_BYTES / 10));
        }
        let lost = buffer.close().unwrap();
        assert_eq!(lost.events, 101);
        assert!(lost.body.len() <= 2 * MAX_BYTES + MAX_BATCH_BYTES + 100);
    }
}
