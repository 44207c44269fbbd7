//! Batches that the collector rejected as too large.

use super::{Batch, ExportQueue, QueuedItem};

/// A batch of at most this size is not split. A collector that rejects even this as too large is unlikely to accept
/// any item, and each item would cost a request.
const MIN_SPLIT_BYTES: usize = 4 << 10;

impl ExportQueue {
    /// Puts a batch that the collector rejected as too large back at the front, so that it is sent in parts. Later
    /// batches of the signal are not larger than these parts. Returns the batch if it cannot be split.
    pub(in crate::export) fn split(&mut self, mut batch: Batch) -> Result<(), Batch> {
        if batch.has_own_metrics && !batch.items.is_empty() {
            self.metrics.is_separate = true;
            self.requeue(batch);
            return Ok(());
        }
        if batch.bytes <= MIN_SPLIT_BYTES {
            return Err(batch);
        }
        if batch.items.len() == 1 && !self.split_items(&mut batch) {
            return Err(batch);
        }
        // Smaller than the batch, so that each attempt makes progress.
        let half = (batch.bytes / 2).max(MIN_SPLIT_BYTES);
        let queue = &mut self.signals[batch.signal.index()];
        queue.max_batch_bytes = queue.max_batch_bytes.min(half);
        self.requeue(batch);
        Ok(())
    }

    /// Splits the items of a batch in flight into halves. Returns whether there are more items now.
    fn split_items(&mut self, batch: &mut Batch) -> bool {
        let (signal, before) = (batch.signal, batch.items.len());
        let items = std::mem::take(&mut batch.items).into_iter();
        batch.items = items
            .flat_map(|QueuedItem { sequence, item }| {
                let halves = item.split(signal).map_or_else(|item| vec![item], Vec::from);
                halves
                    .into_iter()
                    .map(move |item| QueuedItem { sequence, item })
            })
            .collect();
        // Each half counts the resource that both share.
        self.bytes -= batch.bytes;
        batch.bytes = batch.items.iter().map(QueuedItem::size).sum();
        self.bytes += batch.bytes;
        batch.items.len() > before
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

    use super::super::{BATCH_BYTES, Item};
    use super::*;
    use crate::export::counters::ItemCounts;
    use crate::export::received::{ReceivedData, ReceivedPart, ReceivedResource};
    use crate::signal::Signal;

    const ALL: u64 = u64::MAX;

    /// Creates an item that takes `bytes` in memory.
    fn item(name: u8, bytes: usize) -> Item {
        Item::Own(vec![name; bytes - size_of::<QueuedItem>()])
    }

    fn names(batch: Option<Batch>) -> Vec<u8> {
        let name = |item: &Item| match item {
            Item::Own(encoded) => encoded[0],
            Item::Received(_) => panic!("not our own item"),
        };
        batch.unwrap().items().map(name).collect()
    }

    fn received(records: u64) -> Item {
        Item::received(ReceivedPart {
            resource: ReceivedResource::default(),
            encoded: Vec::new(),
            records,
        })
    }

    #[test]
    fn batch_that_is_too_large_is_split() {
        let mut queue = ExportQueue::new(8 * BATCH_BYTES);
        for name in 1..=8 {
            queue.push(Signal::Logs, item(name, 5000));
        }
        queue.push(Signal::Traces, item(9, 30_000));
        queue.push(Signal::Traces, item(10, 100));

        let mut sizes = Vec::new();
        let last = loop {
            let batch = queue.take_batch(Signal::Logs, ALL).unwrap();
            sizes.push(batch.count());
            if let Err(batch) = queue.split(batch) {
                break batch;
            }
        };
        assert_eq!(sizes, [8, 4, 2, 1]);
        assert_eq!(names(Some(last)), [1]);
        // The order is kept, and later batches are not larger than the last one.
        assert_eq!(names(queue.take_batch(Signal::Logs, ALL)), [2]);
        // Each signal has its own limit.
        assert_eq!(names(queue.take_batch(Signal::Traces, ALL)), [9, 10]);
    }

    #[test]
    fn small_batch_is_not_split() {
        let mut queue = ExportQueue::new(BATCH_BYTES);
        for name in 1..=41 {
            queue.push(Signal::Logs, item(name, 100));
        }
        let batch = queue.take_batch(Signal::Logs, ALL).unwrap();
        assert_eq!(batch.count(), 41);
        queue.split(batch).unwrap();
        let batch = queue.take_batch(Signal::Logs, ALL).unwrap();
        assert_eq!(batch.count(), 40);
        let batch = queue.split(batch).unwrap_err();
        queue.complete(batch);
        assert_eq!(
            queue.outstanding(),
            ItemCounts {
                log_records: 1,
                ..ItemCounts::default()
            }
        );
    }

    #[test]
    fn received_item_that_is_too_large_is_split() {
        let spans = ResourceSpans {
            scope_spans: vec![ScopeSpans {
                spans: vec![
                    Span {
                        name: "x".repeat(6000),
                        ..Span::default()
                    };
                    4
                ],
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        };
        let mut queue = ExportQueue::new(BATCH_BYTES);
        let (resource, parts) = ReceivedData::Spans(spans).into_parts();
        for part in parts {
            let part = ReceivedPart::new(resource.clone(), &part);
            queue.push(Signal::Traces, Item::received(part));
        }
        let mut sizes = Vec::new();
        while queue.has_waiting(Signal::Traces) {
            let batch = queue.take_batch(Signal::Traces, ALL).unwrap();
            sizes.push(batch.count());
            if let Err(batch) = queue.split(batch) {
                queue.complete(batch);
            }
            assert_eq!(
                queue.outstanding().spans,
                sizes
                    .iter()
                    .fold(4, |left, size| left - u64::from(*size == 1))
            );
        }
        assert_eq!(sizes, [4, 2, 1, 1, 2, 1, 1]);
        assert_eq!(queue.bytes(), 0);
    }

    #[test]
    fn own_metrics_are_split_from_received_ones() {
        let mut queue = ExportQueue::new(BATCH_BYTES);
        queue.push(Signal::Metrics, received(7));
        queue.metrics_changed();
        let batch = queue.take_batch(Signal::Metrics, ALL).unwrap();
        queue.split(batch).unwrap();
        let own = queue.take_batch(Signal::Metrics, ALL).unwrap();
        assert!(own.has_own_metrics() && own.count() == 0);
        let received = queue.take_batch(Signal::Metrics, ALL).unwrap();
        assert!(!received.has_own_metrics() && received.count() == 7);
        let own = queue.split(own).unwrap_err();
        queue.complete(own);
    }
}
