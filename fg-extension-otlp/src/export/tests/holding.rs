//! Tests of what is held until the first invocation, and of the limits for attributes.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

use super::clock::FreezeAwareInstant;
use super::collector::Collector;
use super::hold::Hold;
use super::queue::Item;
use super::scheduler::{Action, Scheduler};
use super::*;
use crate::signal::Signal;
use crate::translate::attribute;

/// Returns a scheduler that holds one span, whose flush was requested, and the time.
fn holding() -> (Scheduler, FreezeAwareInstant) {
    let endpoints = Signal::ALL.map(|_| Some("http://collector".to_owned()));
    let now = FreezeAwareInstant::now();
    let mut scheduler = Scheduler::new(&config(&[("FG_OTLP_FLUSH", "end")]), endpoints, now);
    scheduler.hold = Some(Hold::new());
    scheduler.queue.push(Signal::Traces, Item::Own(vec![0; 10]));
    scheduler.request_flush().unwrap();
    (scheduler, now)
}

fn sends(scheduler: &mut Scheduler, now: FreezeAwareInstant) -> bool {
    let action = scheduler.next_action(Signal::Traces, now);
    matches!(action, Action::Send { .. })
}

#[test]
fn held_data_waits_for_a_limited_time() {
    let second = Duration::from_secs(1);
    let (mut scheduler, mut now) = holding();
    for _ in 0..10 {
        let wait = Action::Wait(Some(second));
        assert_eq!(scheduler.next_action(Signal::Traces, now), wait);
        // A signal without data does not wake up.
        assert_eq!(scheduler.next_action(Signal::Logs, now), Action::Wait(None));
        now = now + second;
    }
    assert!(sends(&mut scheduler, now));

    let (mut scheduler, now) = holding();
    scheduler.hold = None;
    assert!(sends(&mut scheduler, now));

    let (mut scheduler, now) = holding();
    scheduler.begin_shutdown(second);
    assert!(sends(&mut scheduler, now));
}

#[tokio::test]
async fn data_is_held_until_the_first_invocation() {
    let mut collector = Collector::start().await;
    let exporter = exporter(collector.address, &[]);
    exporter.hold_until_invocation();
    exporter.enqueue(spans(&["init"]), Vec::new());
    exporter.request_flush();
    // The workers have had a turn.
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(exporter.counters().exported, counts(0, 0));
    assert!(!collector.has_received());
    exporter.record_invocation(SystemTime::now());
    exporter.flush_for_invocation().await;
    assert_eq!(collector.received().await.names(), ["init"]);
    assert_eq!(exporter.counters().exported, counts(1, 0));
}

#[tokio::test]
async fn held_data_is_sent_at_the_shutdown() {
    let mut collector = Collector::start().await;
    let exporter = exporter(collector.address, &[]);
    exporter.hold_until_invocation();
    exporter.enqueue(spans(&["init"]), log_records(&["INFO"]));
    exporter.shutdown().await.unwrap();
    let mut names = Vec::new();
    for _ in 0..2 {
        names.extend(collector.received().await.names());
    }
    names.sort();
    assert_eq!(names, ["INFO", "init"]);
}

#[tokio::test]
async fn data_is_not_held_when_half_of_the_buffer_is_full() {
    let mut collector = Collector::start().await;
    let exporter = exporter(collector.address, &[("FG_OTLP_BUFFER", "1000B")]);
    exporter.hold_until_invocation();
    exporter.enqueue(spans(&[&"x".repeat(600)]), Vec::new());
    exporter.request_flush();
    assert_eq!(collector.received().await.names()[0].len(), 600);
    exporter.wait_for_capacity().await;
}

#[tokio::test]
async fn attributes_beyond_the_limits_are_dropped_and_counted() {
    let mut collector = Collector::start().await;
    let limits = [
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "1"),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "4"),
    ];
    let exporter = exporter(collector.address, &limits);
    let mut spans = spans(&["a span"]);
    spans[0].attributes = vec![
        attribute("functiongraph.a", "b"),
        attribute("faas.name", "hello"),
    ];
    exporter.enqueue(spans, Vec::new());
    exporter.flush_for_invocation().await;
    let body = collector.received().await.body;
    let request = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
    let span = &request.resource_spans[0].scope_spans[0].spans[0];
    assert_eq!(span.attributes, [attribute("faas.name", "hell")]);
    assert_eq!(span.dropped_attributes_count, 1);
    assert_eq!(span.name, "a span");
}
