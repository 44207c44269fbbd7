//! Tests of events that arrive in another order, twice, or not at all.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::logs::v1::SeverityNumber;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::json;

use super::super::ids::TraceId;
use super::super::spans::MAX_SPANS;
use super::span_fields::{error, times};
use super::{Harness, ID, URN, at, attribute, nanos, text, time};

#[test]
fn order_and_repetition_do_not_matter() {
    let events = [
        json!({"name": "platform.start", "startTime": time(1), "traceId": ID}),
        json!({"name": "platform.runtimeDone", "startTime": time(1), "traceId": ID.to_uppercase(), "status": "error", "errorType": "Oh"}),
        json!({"name": "platform.start", "startTime": time(1), "traceId": ID.replace('-', "")}),
        json!({"name": "platform.report", "startTime": time(1), "endTime": time(9), "traceId": ID}),
    ];
    for order in [[0, 1, 2, 3], [1, 0, 2, 3]] {
        let mut harness = Harness::new();
        for index in order.into_iter().chain([3, 2, 1, 0, 3]) {
            harness.event(events[index].clone());
        }
        harness.invoked(ID, URN);
        harness.finish();
        let [span] = &harness.out.spans[..] else {
            panic!("{:?}", harness.out.spans);
        };
        assert_eq!(times(span), (nanos(1), nanos(9)));
        assert_eq!(span.status, error());
    }
}

#[test]
fn events_without_trace_id_are_matched() {
    let mut harness = Harness::new();
    for _ in 0..2 {
        harness.event(json!({"name": "platform.start", "startTime": time(0)}));
        harness.event(json!({"name": "platform.runtimeDone", "startTime": time(7), "traceId": " ", "status": "error", "errorType": "Oh"}));
        harness.event(json!({"name": "platform.report", "startTime": time(0), "endTime": time(9)}));
    }
    harness.event(json!({"name": "platform.initReport", "startTime": time(3), "endTime": time(5)}));
    harness.finish();
    let invocation = &harness.out.spans[0];
    let mut spans = harness.out.spans.iter();
    let init = spans.find(|span| span.name == "init").unwrap();
    assert_eq!(times(invocation), (nanos(0), nanos(9)));
    assert_eq!(invocation.status, error());
    assert_eq!(
        attribute(&invocation.attributes, "faas.invocation_id"),
        None
    );
    assert!(init.parent_span_id.is_empty());

    // An event with neither an ID nor a time becomes a log record instead of a span.
    let mut harness = Harness::new();
    harness.event(json!({"name": "platform.report ", "metrics": {"durationMs": 1}}));
    assert_eq!(harness.out.spans, []);
    assert_eq!(harness.out.log_records[0].event_name, "platform.report");
}

#[test]
fn number_of_tracked_spans_is_bounded() {
    let mut harness = Harness::new();
    // No telemetry arrives for these.
    for i in 0..3 * MAX_SPANS {
        harness.invoked(&format!("without events {i}"), URN);
    }
    for i in 0..3 * MAX_SPANS {
        harness.start(&format!("{i}"));
    }
    // There is no room for these, because all open spans have events.
    for i in 0..MAX_SPANS {
        harness.invoked(&format!("late {i}"), URN);
    }
    let emitted = harness.out.spans.len();
    assert_eq!(emitted, 2 * MAX_SPANS);
    assert_eq!(
        attribute(&harness.out.spans[0].attributes, "faas.invocation_id"),
        Some(&text("0"))
    );
    // This span was emitted recently, so there is no second one.
    harness.report(&format!("{}", 2 * MAX_SPANS - 1));
    assert_eq!(harness.out.spans.len(), emitted);
    harness.report(&format!("{}", 2 * MAX_SPANS));
    assert_eq!(harness.out.spans.len(), emitted + 1);
    harness.finish();
    assert_eq!(harness.out.spans.len(), 3 * MAX_SPANS);
}

#[test]
fn report_waits_for_its_runtime_done() {
    let waiting = || {
        let mut harness = Harness::new();
        harness.start("1");
        harness.report_alone("1");
        assert_eq!(harness.out.spans, []);
        harness
    };
    let mut harness = waiting();
    harness.fail("1");
    assert_eq!(harness.out.spans[0].status, error());
    assert_eq!(harness.out.log_records, []);
    assert_eq!(harness.counts(), (0, 1));

    let later: [fn(&mut Harness); 3] = [
        |harness| harness.start("2"),
        |harness| harness.finish(),
        |harness| {
            harness.now = at(999);
            harness.event(json!({"type": "function", "record": "not yet"}));
            assert_eq!(harness.out.spans, []);
            harness.now = at(1_000);
            harness.event(json!({"type": "function", "record": "now"}));
            harness.out.log_records.clear();
        },
    ];
    for later in later {
        let mut harness = waiting();
        later(&mut harness);
        assert_eq!(harness.out.spans.len(), 1);
        assert_eq!(harness.out.spans[0].status, None);
        assert_eq!(harness.counts(), (1, 0));
        // A failure that arrives too late for the span becomes one log record.
        for _ in 0..2 {
            harness.fail("1");
        }
        assert_eq!(harness.counts(), (1, 1));
        let [log] = &harness.out.log_records[..] else {
            panic!("{:?}", harness.out.log_records);
        };
        assert_eq!(log.severity_number(), SeverityNumber::Error);
        assert_eq!(log.event_name, "platform.runtimeDone");
        assert_eq!(log.trace_id, harness.out.spans[0].trace_id);
        assert_eq!(log.span_id, harness.out.spans[0].span_id);
    }
}

#[test]
fn late_undocumented_status_becomes_a_log_record() {
    let mut harness = Harness::new();
    harness.start("1");
    harness.report_alone("1");
    harness.start("2");
    assert_eq!(harness.counts(), (1, 0));
    harness.done("1", "killed");
    assert_eq!(harness.counts(), (1, 0));
    let [log] = &harness.out.log_records[..] else {
        panic!("{:?}", harness.out.log_records);
    };
    assert_eq!(log.severity_number(), SeverityNumber::Unspecified);
    assert_eq!(log.trace_id, harness.out.spans[0].trace_id);
}

#[test]
fn unfinished_span_is_emitted_after_a_later_one_finishes() {
    let mut harness = Harness::new();
    harness.start("1");
    harness.start("2");
    assert_eq!(harness.out.spans, []);
    harness.report("2");
    assert_eq!(harness.out.spans.len(), 1);
    harness.out.spans.clear();
    harness.now = at(1_001);
    harness.start("3");
    assert_eq!(harness.out.spans.len(), 1);
    assert_eq!(harness.out.spans[0].trace_id, TraceId::of("1").bytes());
    // It is not counted until an event about its end arrives.
    assert_eq!(harness.counts(), (1, 0));
    harness.done("1", "success");
    assert_eq!(harness.counts(), (2, 0));
    assert_eq!(
        (harness.out.spans.len(), harness.out.log_records.len()),
        (1, 0)
    );
}

#[test]
fn concurrent_invocations_stay_open() {
    let mut harness = Harness::new();
    harness.start("1");
    harness.start("2");
    harness.report("1");
    harness.start("3");
    harness.report("3");
    harness.now = at(9_000);
    harness.report("2");
    let traces = harness.out.spans.iter().map(|span| span.trace_id.clone());
    let expected = ["1", "3", "2"].map(|id| TraceId::of(id).bytes());
    assert_eq!(traces.collect::<Vec<_>>(), expected);
    assert_eq!(harness.counts(), (3, 0));

    // The first invocation was only overtaken by the second.
    let mut harness = Harness::new();
    harness.start("1");
    harness.start("2");
    harness.report("2");
    harness.report("1");
    assert_eq!(harness.out.spans.len(), 2);
    assert_eq!(harness.counts(), (2, 0));
}

#[test]
fn init_and_restore_belong_to_the_invocation_that_follows() {
    for id in [json!("other"), json!(null)] {
        let mut harness = Harness::new();
        for phase in ["init", "restore"] {
            harness.event(json!({
                "name": format!("platform.{phase}Report"), "startTime": time(0), "endTime": time(9), "traceId": id,
            }));
        }
        assert_eq!(harness.out.spans, []);
        for id in ["1", "2"] {
            harness.start(id);
            harness.report(id);
        }
        let [first, init, restore, second] = &harness.out.spans[..] else {
            panic!("{:?}", harness.out.spans);
        };
        for (child, name) in [(init, "init"), (restore, "restore")] {
            assert_eq!(child.name, name);
            assert_eq!(child.trace_id, first.trace_id);
            assert_eq!(child.parent_span_id, first.span_id);
        }
        let cold = |span: &Span| attribute(&span.attributes, "faas.coldstart").cloned();
        assert_eq!(cold(first), Some(Any::BoolValue(true)));
        assert_eq!(cold(second), Some(Any::BoolValue(false)));
    }
}

#[test]
fn oldest_spans_are_emitted_when_open_spans_take_too_much_memory() {
    // Small values take much more memory than their text.
    for (data, least, most) in [
        (json!("x".repeat(10_000)), 50, 110),
        (json!(vec![json!({"": 0}); 580]), 5, 15),
    ] {
        let mut harness = Harness::new();
        for id in 10..300 {
            harness.event(json!({
                "name": "platform.start", "startTime": time(0), "traceId": id.to_string(), "data": data,
            }));
        }
        let open = 290 - harness.out.spans.len();
        assert!((least..=most).contains(&open), "{open}");
        assert_eq!(harness.out.spans[0].trace_id, TraceId::of("10").bytes());
        harness.finish();
        assert_eq!(harness.out.spans.len(), 290);
    }

    let mut harness = Harness::new();
    // Invocations whose ID is too long are not stored.
    harness.invoked(&"x".repeat(5000), URN);
    harness.invoked("1", &format!("{URN}{}", "x".repeat(5000)));
    let line = json!({"type": "function", "record": "a"});
    harness.event(line);
    assert_eq!(harness.out.log_records[0].trace_id, Vec::<u8>::new());
}
