//! Tests of runs without a report, of further runs of an invocation, and of cold starts.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::json;

use super::super::ids::TraceId;
use super::span_fields::times;
use super::{Harness, ID, OTHER_ID, URN, at, attribute, nanos, time};

fn cold(span: &Span) -> Option<Any> {
    attribute(&span.attributes, "faas.coldstart").cloned()
}

impl Harness {
    /// Sends `start`, `runtimeDone` and `report` of a run, which takes 20 ms.
    fn run(&mut self, id: &str, start: u64) {
        self.run_without_report(id, start);
        self.event(json!({
            "name": "platform.report", "startTime": time(start), "endTime": time(start + 20), "traceId": id,
            "metrics": {"durationMs": 20},
        }));
    }

    /// Sends `start` and `runtimeDone`, whose `startTime` is that of the run.
    fn run_without_report(&mut self, id: &str, start: u64) {
        self.now = at(start);
        self.event(json!({"name": "platform.start", "startTime": time(start), "traceId": id}));
        self.now = at(start + 20);
        self.event(json!({
            "name": "platform.RuntimeDone", "startTime": time(start), "traceId": id, "status": "success",
        }));
    }
}

#[test]
fn run_without_a_report_ends_when_the_runtime_was_done() {
    let close: [fn(&mut Harness); 4] = [
        |harness| harness.finish(),
        |harness| harness.event(json!({"type": "function", "record": "a"})),
        |harness| harness.invoked(OTHER_ID, URN),
        |harness| {
            let now = harness.now;
            harness.translator.emit_complete(now, &mut harness.out);
        },
    ];
    for close in close {
        let mut harness = Harness::new();
        assert_eq!(harness.translator.next_deadline(), None);
        harness.run_without_report(ID, 0);
        assert_eq!(harness.out.spans, []);
        assert_eq!(harness.counts(), (0, 0));
        assert_eq!(harness.translator.next_deadline(), Some(at(1_020)));
        harness.now = at(1_020);
        close(&mut harness);
        assert_eq!(times(&harness.out.spans[0]), (nanos(0), nanos(20)));
        assert_eq!(harness.counts(), (1, 0));
        assert_eq!(harness.translator.next_deadline(), None);
        // Of the report, only the memory and the duration of the init count now.
        for _ in 0..2 {
            harness.event(json!({
                "name": "platform.report", "startTime": time(0), "traceId": ID,
                "metrics": {"maxMemoryUsedMB": 64, "initDurationMs": 250},
            }));
        }
        assert_eq!(harness.init_durations(), (1, Some(0.25)));
        assert_eq!((harness.out.spans.len(), harness.counts()), (1, (1, 0)));
        assert_eq!(harness.memory(), 64.0 * 1024.0 * 1024.0);
    }
}

#[test]
fn freeze_does_not_count_as_a_wait_for_the_report() {
    let thawed = || {
        let mut harness = Harness::new();
        harness.run_without_report(ID, 0);
        harness.now = at(600_000);
        harness.invoked(OTHER_ID, URN);
        assert_eq!(harness.out.spans, []);
        assert_eq!(harness.translator.next_deadline(), Some(at(601_000)));
        harness
    };
    let mut harness = thawed();
    harness.event(json!({
        "name": "platform.report", "startTime": time(0), "endTime": time(21), "traceId": ID,
        "metrics": {"billedDurationMs": 30},
    }));
    let span = &harness.out.spans[0];
    assert_eq!(times(span), (nanos(0), nanos(21)));
    let billed = attribute(&span.attributes, "functiongraph.metrics.billed_duration_ms");
    assert_eq!(billed, Some(&Any::IntValue(30)));

    // The wait is extended only once.
    for (millis, count) in [(600_999, 0), (900_000, 1)] {
        let mut harness = thawed();
        harness.now = at(millis);
        harness.event(json!({"type": "function", "record": "a"}));
        assert_eq!(harness.out.spans.len(), count);
    }
}

#[test]
fn run_without_a_report_lasts_as_long_as_the_platform_logged() {
    // The line comes before `runtimeDone` or after it, which arrives only after a freeze.
    for is_first in [true, false] {
        let mut harness = Harness::new();
        let line = format!(
            "{} Finish invoke request '{ID}', duration: 20.5ms, billing duration: 21ms",
            time(20)
        );
        let line = json!({"type": "function", "record": line});
        harness.start(ID);
        harness.now = at(6_000);
        if is_first {
            harness.event(line.clone());
        }
        harness.event(json!({
            "name": "platform.RuntimeDone", "startTime": time(0), "traceId": ID, "status": "success",
        }));
        if !is_first {
            harness.event(line);
        }
        harness.finish();
        let end = nanos(20) + 500_000;
        assert_eq!(times(&harness.out.spans[0]), (nanos(0), end));
    }
    // A report is more exact.
    let mut harness = Harness::new();
    harness.start(ID);
    let line = format!("{} Finish invoke request '{ID}', duration: 500ms", time(20));
    harness.event(json!({"type": "function", "record": line}));
    harness.report(ID);
    assert_eq!(times(&harness.out.spans[0]), (nanos(0), nanos(20)));
}

#[test]
fn own_time_of_runtime_done_is_the_end() {
    let mut harness = Harness::new();
    harness.start(ID);
    harness.now = at(500);
    harness
        .event(json!({"name": "platform.runtimeDone", "startTime": time(30), "traceId": ID, "status": "success"}));
    harness.finish();
    assert_eq!(times(&harness.out.spans[0]), (nanos(0), nanos(30)));
}

#[test]
fn init_without_a_report_ends_when_the_runtime_was_done() {
    let mut harness = Harness::new();
    harness.event(json!({"name": "platform.initStart", "startTime": time(0), "traceId": ID}));
    harness.now = at(300);
    harness.event(json!({"name": "platform.initRuntimeDone", "startTime": time(0), "traceId": ID, "status": "success"}));
    harness.run(ID, 310);
    harness.now = at(1_300);
    harness
        .translator
        .emit_complete(at(1_300), &mut harness.out);
    let [invocation, init] = &harness.out.spans[..] else {
        panic!("{:?}", harness.out.spans);
    };
    assert_eq!(times(init), (nanos(0), nanos(300)));
    assert_eq!(init.parent_span_id, invocation.span_id);

    // Only its start is known.
    let mut harness = Harness::new();
    harness.event(json!({"name": "platform.initStart", "startTime": time(0), "traceId": ID}));
    harness.run(OTHER_ID, 310);
    harness.now = at(1_330);
    harness.invoked(ID, URN);
    assert_eq!(times(&harness.out.spans[1]), (nanos(0), nanos(310)));
}

#[test]
fn invocation_that_never_ends_ends_before_the_next_one_starts() {
    let mut harness = Harness::new();
    harness.start("1");
    harness.run("2", 400);
    harness.run("3", 1_500);
    let [_, first, _] = &harness.out.spans[..] else {
        panic!("{:?}", harness.out.spans);
    };
    assert_eq!(first.trace_id, TraceId::of("1").bytes());
    assert_eq!(times(first), (nanos(0), nanos(400)));
}

#[test]
fn another_start_time_is_another_run() {
    let mut harness = Harness::new();
    for start in [0, 60_000] {
        // Late duplicates are part of the same run.
        for _ in 0..2 {
            harness.run(ID, start);
        }
        harness.event(json!({
            "type": "function", "time": time(start + 10), "record": "hello", "requestId": ID,
        }));
    }
    let [first, second] = &harness.out.spans[..] else {
        panic!("{:?}", harness.out.spans);
    };
    assert_eq!(times(first), (nanos(0), nanos(20)));
    assert_eq!(times(second), (nanos(60_000), nanos(60_020)));
    assert_eq!(first.trace_id, second.trace_id);
    assert_eq!(first.span_id, TraceId::of(ID).root_span_id());
    assert_ne!(first.span_id, second.span_id);
    let bound = harness.out.log_records.iter().map(|log| &log.span_id);
    assert_eq!(bound.collect::<Vec<_>>(), [&first.span_id, &second.span_id]);
    assert_eq!(harness.counts(), (2, 0));
}

#[test]
fn events_of_two_runs_may_be_mixed() {
    let event = |name: &str, start: u64, end: u64| {
        json!({
            "name": format!("platform.{name}"), "startTime": time(start), "endTime": time(end), "traceId": ID,
        })
    };
    let done = |start| json!({"name": "platform.runtimeDone", "startTime": time(start), "traceId": ID, "status": "success"});
    // The time of `runtimeDone` is that of the run, or its own.
    for (first, second) in [(0, 9_000), (20, 9_020)] {
        let mut harness = Harness::new();
        for event in [
            event("start", 0, 0),
            event("start", 9_000, 9_000),
            done(second),
            event("report", 9_000, 9_020),
            done(first),
            event("report", 0, 20),
        ] {
            harness.event(event);
        }
        let spans: Vec<_> = harness.out.spans.iter().map(times).collect();
        let expected = [(nanos(9_000), nanos(9_020)), (nanos(0), nanos(20))];
        assert_eq!(spans, expected);
        harness.finish();
        assert_eq!(harness.out.spans.len(), 2);
    }
}

#[test]
fn first_invocation_is_a_cold_start() {
    let mut harness = Harness::new();
    for (id, start) in [("1", 0), ("2", 50), ("3", 100)] {
        harness.run(id, start);
    }
    let cold_starts: Vec<_> = harness.out.spans.iter().map(cold).collect();
    let is_cold = |cold| Some(Any::BoolValue(cold));
    assert_eq!(cold_starts, [is_cold(true), is_cold(false), is_cold(false)]);
    assert_eq!(harness.cold_starts(), 1);

    // Events of the init that arrive late are not another cold start.
    harness.event(json!({"name": "platform.initReport", "startTime": time(0), "endTime": time(0), "traceId": "1"}));
    assert_eq!(harness.cold_starts(), 1);

    // The init belongs to the second invocation.
    let mut harness = Harness::new();
    harness.start("1");
    harness.start("2");
    harness.event(json!({"name": "platform.initReport", "startTime": time(0), "endTime": time(0), "traceId": "2"}));
    harness.report("1");
    harness.report("2");
    let cold_starts: Vec<_> = harness.out.spans.iter().map(cold).collect();
    assert_eq!(cold_starts[..2], [is_cold(false), is_cold(true)]);
    assert_eq!(harness.cold_starts(), 1);
}

#[test]
fn duration_of_the_init_in_a_report_counts() {
    let mut harness = Harness::new();
    harness.run("1", 0);
    harness.event(json!({
        "name": "platform.report", "startTime": time(50), "endTime": time(60), "traceId": "2", "status": "success",
        "metrics": {"initDurationMs": 250},
    }));
    harness.finish();
    assert_eq!(cold(&harness.out.spans[1]), Some(Any::BoolValue(true)));
    assert_eq!(harness.cold_starts(), 2);
    assert_eq!(harness.init_durations(), (1, Some(0.25)));

    // The events of the init say the same.
    let mut harness = Harness::new();
    harness.event(
        json!({"name": "platform.initReport", "metrics": {"durationMs": 250}, "traceId": ID}),
    );
    harness.event(json!({
        "name": "platform.report", "startTime": time(50), "endTime": time(60), "traceId": ID, "status": "success",
        "metrics": {"initDurationMs": 250},
    }));
    harness.finish();
    assert_eq!(harness.init_durations(), (1, Some(0.25)));
    assert_eq!(harness.cold_starts(), 1);
}

#[test]
fn timeouts_are_counted_apart_from_errors() {
    let mut harness = Harness::new();
    harness.done("1", "timeout");
    harness.fail("2");
    harness.start("3");
    harness.finish();
    // An event that arrives late is counted, too.
    harness.done("3", "timed out");
    assert_eq!((harness.counts(), harness.timeouts()), ((0, 1), 2));
}
