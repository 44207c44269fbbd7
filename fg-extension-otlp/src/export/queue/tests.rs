//! Tests of the queue.

use super::super::received::ReceivedResource;
use super::*;

const ALL: u64 = u64::MAX;

/// Creates an item that takes `bytes` in memory.
fn item(name: u8, bytes: usize) -> Item {
    Item::Own(vec![name; bytes - size_of::<QueuedItem>()])
}

/// Creates an item with a number of records that takes `bytes` in memory.
fn received(name: u8, bytes: usize, records: u64) -> Item {
    Item::received(ReceivedPart {
        resource: ReceivedResource::default(),
        encoded: vec![name; bytes - size_of::<QueuedItem>() - size_of::<ReceivedPart>()],
        records,
    })
}

fn names(batch: Option<Batch>) -> Vec<u8> {
    let name = |item: &Item| match item {
        Item::Own(encoded) => encoded[0],
        Item::Received(part) => part.encoded[0],
    };
    batch.unwrap().items().map(name).collect()
}

fn counts(spans: u64, log_records: u64) -> ItemCounts {
    ItemCounts {
        spans,
        log_records,
        data_points: 0,
    }
}

#[test]
fn oldest_items_of_all_queues_are_dropped_first() {
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
    assert_eq!(batch.count(), 3);
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

#[test]
fn received_items_count_their_records() {
    let mut queue = ExportQueue::new(400);
    queue.push(Signal::Metrics, received(1, 100, 7));
    queue.push(Signal::Traces, received(2, 100, 5));
    queue.push(Signal::Traces, item(3, 100));
    queue.push(Signal::Logs, received(4, 200, 20));
    let dropped = |data_points| ItemCounts {
        data_points,
        ..ItemCounts::default()
    };
    assert_eq!(
        (queue.dropped(), queue.outstanding()),
        (dropped(7), counts(6, 20))
    );
    let batch = queue.take_batch(Signal::Traces, ALL).unwrap();
    assert_eq!((batch.count(), queue.outstanding()), (6, counts(6, 20)));
    queue.requeue(batch);
    assert_eq!(queue.outstanding(), counts(6, 20));
    assert_eq!(names(queue.take_batch(Signal::Traces, ALL)), [2, 3]);
}

#[test]
fn received_metrics_are_sent_with_and_without_our_own() {
    let mut queue = ExportQueue::new(1000);
    queue.push(Signal::Metrics, received(1, 100, 7));
    let batch = queue.take_batch(Signal::Metrics, ALL).unwrap();
    assert!(!batch.has_own_metrics() && !queue.has_outstanding_metrics());
    queue.metrics_changed();
    assert!(queue.has_waiting(Signal::Metrics));
    queue.requeue(batch);
    let batch = queue.take_batch(Signal::Metrics, ALL).unwrap();
    assert!(batch.has_own_metrics() && batch.count() == 7);
    assert!(!queue.has_waiting(Signal::Metrics) && queue.has_outstanding_metrics());
    queue.complete(batch);
    assert_eq!((queue.bytes(), queue.outstanding()), (0, counts(0, 0)));
    assert!(!queue.has_outstanding_metrics());
}
