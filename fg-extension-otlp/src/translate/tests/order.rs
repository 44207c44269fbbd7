//! Spans of events that come in another order, twice, or not at all.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::logs::v1::SeverityNumber;
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::json;

use super::super::ids::TraceId;
use super::super::spans::REMEMBERED;
use super::spans::{error, times};
use super::{Bench, ID, URN, at, attribute, nanos, text, time};

#[test]
fn order_and_repetition_do_not_matter() {
    let events = [
        json!({"name": "platform.start", "startTime": time(1), "traceId": ID}),
        json!({"name": "platform.runtimeDone", "startTime": time(1), "traceId": ID.to_uppercase(), "status": "timeout"}),
        json!({"name": "platform.start", "startTime": time(5), "traceId": ID.replace('-', "")}),
        json!({"name": "platform.report", "startTime": time(5), "endTime": time(9), "traceId": ID}),
    ];
    for order in [[0, 1, 2, 3], [1, 0, 2, 3]] {
        let mut bench = Bench::new();
        for index in order.into_iter().chain([3, 2, 1, 0, 3]) {
            bench.event(events[index].clone());
        }
        bench.invoked(ID, URN);
        bench.finish();
        let [span] = &bench.out.spans[..] else {
            panic!("{:?}", bench.out.spans);
        };
        assert_eq!(times(span), (nanos(1), nanos(9)));
        assert_eq!(span.status, error("timeout"));
    }
}

#[test]
fn events_without_trace_id_find_each_other() {
    let mut bench = Bench::new();
    for _ in 0..2 {
        bench.event(json!({"name": "platform.start", "startTime": time(0)}));
        bench.event(json!({"name": "platform.runtimeDone", "startTime": time(7), "traceId": " ", "status": "timeout"}));
        bench.event(json!({"name": "platform.report", "startTime": time(0), "endTime": time(9)}));
    }
    bench.event(json!({"name": "platform.initReport", "startTime": time(3), "endTime": time(5)}));
    bench.finish();
    let invocation = &bench.out.spans[0];
    let mut spans = bench.out.spans.iter();
    let init = spans.find(|span| span.name == "init").unwrap();
    assert_eq!(times(invocation), (nanos(0), nanos(9)));
    assert_eq!(invocation.status, error("timeout"));
    assert_eq!(
        attribute(&invocation.attributes, "faas.invocation_id"),
        None
    );
    assert!(init.parent_span_id.is_empty());

    // Neither ID nor time: no span, but not lost.
    let mut bench = Bench::new();
    bench.event(json!({"name": "platform.report ", "metrics": {"durationMs": 1}}));
    assert_eq!(bench.out.spans, []);
    assert_eq!(bench.out.logs[0].event_name, "platform.report");
}

#[test]
fn a_bounded_number_is_remembered() {
    let mut bench = Bench::new();
    // No telemetry for any of them.
    for i in 0..3 * REMEMBERED {
        bench.invoked(&format!("untold {i}"), URN);
    }
    for i in 0..3 * REMEMBERED {
        bench.start(&format!("{i}"));
    }
    // There is no room for those, all others being told of.
    for i in 0..REMEMBERED {
        bench.invoked(&format!("late {i}"), URN);
    }
    let emitted = bench.out.spans.len();
    assert_eq!(emitted, 2 * REMEMBERED);
    assert_eq!(
        attribute(&bench.out.spans[0].attributes, "faas.invocation_id"),
        Some(&text("0"))
    );
    // It was emitted recently: no second span.
    bench.report(&format!("{}", 2 * REMEMBERED - 1));
    assert_eq!(bench.out.spans.len(), emitted);
    bench.report(&format!("{}", 2 * REMEMBERED));
    assert_eq!(bench.out.spans.len(), emitted + 1);
    bench.finish();
    assert_eq!(bench.out.spans.len(), 3 * REMEMBERED);
}

#[test]
fn a_report_waits_for_its_runtime_done() {
    let waiting = || {
        let mut bench = Bench::new();
        bench.start("1");
        bench.report_alone("1");
        assert_eq!(bench.out.spans, []);
        bench
    };
    let mut bench = waiting();
    bench.done("1", "timeout");
    assert_eq!(bench.out.spans[0].status, error("timeout"));
    assert_eq!(bench.out.logs, []);
    assert_eq!(bench.counts(), (0, 1, 1));

    let later: [fn(&mut Bench); 3] = [
        |bench| bench.start("2"),
        |bench| bench.finish(),
        |bench| {
            bench.now = at(1_000);
            bench.event(json!({"type": "function", "record": "not yet"}));
            assert_eq!(bench.out.spans, []);
            bench.now = at(1_001);
            bench.event(json!({"type": "function", "record": "now"}));
            bench.out.logs.clear();
        },
    ];
    for later in later {
        let mut bench = waiting();
        later(&mut bench);
        assert_eq!(bench.out.spans.len(), 1);
        assert_eq!(bench.out.spans[0].status, None);
        assert_eq!(bench.counts(), (1, 0, 0));
        // Too late for the span.
        for _ in 0..2 {
            bench.done("1", "Timed out");
        }
        assert_eq!(bench.counts(), (1, 1, 1));
        let [log] = &bench.out.logs[..] else {
            panic!("{:?}", bench.out.logs);
        };
        assert_eq!(log.severity_number(), SeverityNumber::Error);
        assert_eq!(log.event_name, "platform.runtimeDone");
        assert_eq!(log.trace_id, bench.out.spans[0].trace_id);
        assert_eq!(log.span_id, bench.out.spans[0].span_id);
    }
}

#[test]
fn what_never_ends_is_emitted_when_a_later_one_has_ended() {
    let mut bench = Bench::new();
    bench.start("1");
    bench.start("2");
    assert_eq!(bench.out.spans, []);
    bench.done("2", "success");
    assert_eq!(bench.out.spans, []);
    bench.now = at(1_001);
    bench.start("3");
    assert_eq!(bench.out.spans.len(), 1);
    assert_eq!(bench.out.spans[0].trace_id, TraceId::of("1").bytes());
    // How it ended is not known until it is told.
    assert_eq!(bench.counts(), (0, 0, 0));
    bench.done("1", "success");
    assert_eq!(bench.counts(), (1, 0, 0));
    assert_eq!((bench.out.spans.len(), bench.out.logs.len()), (1, 0));
}

#[test]
fn concurrent_invocations_are_not_given_up() {
    let mut bench = Bench::new();
    bench.start("1");
    bench.start("2");
    bench.report("1");
    bench.start("3");
    bench.report("3");
    bench.now = at(9_000);
    bench.report("2");
    let traces = bench.out.spans.iter().map(|span| span.trace_id.clone());
    let expected = ["1", "3", "2"].map(|id| TraceId::of(id).bytes());
    assert_eq!(traces.collect::<Vec<_>>(), expected);
    assert_eq!(bench.counts(), (3, 0, 0));

    // The first one was only overtaken.
    let mut bench = Bench::new();
    bench.start("1");
    bench.start("2");
    bench.report("2");
    bench.report("1");
    assert_eq!(bench.out.spans.len(), 2);
    assert_eq!(bench.counts(), (2, 0, 0));
}

#[test]
fn init_and_restore_belong_to_the_invocation_that_follows() {
    for id in [json!("other"), json!(null)] {
        let mut bench = Bench::new();
        for phase in ["init", "restore"] {
            bench.event(json!({
                "name": format!("platform.{phase}Report"), "startTime": time(0), "endTime": time(9), "traceId": id,
            }));
        }
        assert_eq!(bench.out.spans, []);
        for id in ["1", "2"] {
            bench.start(id);
            bench.report(id);
        }
        let [init, restore, first, second] = &bench.out.spans[..] else {
            panic!("{:?}", bench.out.spans);
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
