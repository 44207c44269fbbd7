//! Tests of the correlation of log records with invocations, and with the function's own spans.

use opentelemetry_proto::tonic::logs::v1::LogRecord;
use serde_json::json;

use super::super::ids::TraceId;
use super::{Harness, ID, OTHER_ID, URN, attribute, text, time};

#[track_caller]
pub(super) fn assert_correlated(log: &LogRecord, id: &str) {
    let trace = TraceId::of(id);
    assert_eq!(log.trace_id, trace.bytes());
    assert_eq!(log.span_id, trace.root_span_id());
    assert_eq!(
        attribute(&log.attributes, "faas.invocation_id"),
        Some(&text(id))
    );
}

#[track_caller]
pub(super) fn assert_uncorrelated(log: &LogRecord) {
    assert_eq!((&log.trace_id[..], &log.span_id[..]), (&[][..], &[][..]));
    assert_eq!(attribute(&log.attributes, "faas.invocation_id"), None);
}

#[test]
fn log_record_is_correlated_by_the_id_in_the_event() {
    let mut harness = Harness::new();
    let event = json!({"type": "function", "record": "hello", "requestId": " r 1 "});
    assert_correlated(&harness.log(event.clone()), "r 1");
    // An ID in a body counts only if the invocation is known, because it can be the ID of anything.
    let record = json!({"type": "function", "record": {"traceId": ID, "requestId": "r 1"}});
    assert_uncorrelated(&harness.log(record.clone()));
    harness.start(OTHER_ID);
    assert_correlated(&harness.log(record.clone()), OTHER_ID);
    // The ID in the event takes precedence over the running invocation.
    assert_correlated(&harness.log(event.clone()), "r 1");
    harness.start("r 1");
    assert_correlated(&harness.log(record.clone()), "r 1");
    assert_correlated(&harness.log(event), "r 1");
    harness.start(ID);
    assert_correlated(&harness.log(record), ID);
}

/// The IDs of a span of the function itself.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

/// Asserts that a record belongs to a trace of the function, and to the invocation with this ID. Without a span of the
/// function, it belongs to that of the invocation, which has joined the trace.
#[track_caller]
fn assert_in_own_trace(log: &LogRecord, span: bool, id: &str) {
    let trace = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128;
    assert_eq!(log.trace_id, trace.to_be_bytes());
    let own_span_id = 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes().to_vec();
    let span_id = TraceId::of(id).root_span_id();
    assert_eq!(log.span_id, if span { own_span_id } else { span_id });
    let request_id = attribute(&log.attributes, "faas.invocation_id");
    assert_eq!(request_id, Some(&text(id)));
}

#[test]
fn log_record_is_correlated_with_the_functions_own_span() {
    let mut harness = Harness::new();
    harness.start(ID);
    let upper = TRACE.to_uppercase();
    let prefix = format!("2023-06-25T00:00:00.250Z {ID} INFO ");
    for record in [
        json!({"trace_id": upper, "span_id": SPAN, "requestId": ID}),
        json!({"trace_id": TRACE, "span_id": SPAN}),
        json!({"traceId": TRACE, "spanId": SPAN, "trace_flags": "01"}),
        json!({"mdc": {"trace_id": TRACE, "span_id": SPAN}}),
        json!(json!({"trace_id": TRACE, "span_id": SPAN}).to_string()),
        json!(format!(
            "{prefix}{}",
            json!({"trace.id": TRACE, "span.id": SPAN})
        )),
        json!(format!("{prefix}[trace_id={TRACE} span_id={SPAN}] hello")),
        json!(format!("{prefix}traceparent: 00-{TRACE}-{SPAN}-01")),
    ] {
        let log = harness.log(json!({"type": "function", "record": record}));
        assert_in_own_trace(&log, true, ID);
    }
    for record in [
        json!({"trace_id": TRACE}),
        json!({"trace_id": TRACE, "span_id": &SPAN[1..]}),
        json!({"trace_id": TRACE, "span_id": "0".repeat(16)}),
        json!(format!("{prefix}trace_id={TRACE} hello")),
    ] {
        let log = harness.log(json!({"type": "function", "record": record}));
        assert_in_own_trace(&log, false, ID);
    }
    let mut harness = Harness::new();
    harness.start(ID);
    for record in [
        json!({"trace_id": "0".repeat(32), "span_id": SPAN}),
        json!({"trace_id": format!("+{}", &TRACE[1..]), "span_id": SPAN}),
        json!({"span_id": SPAN}),
    ] {
        let log = harness.log(json!({"type": "function", "record": record}));
        assert_correlated(&log, ID);
    }
}

#[test]
fn flags_of_the_trace_are_kept() {
    let mut harness = Harness::new();
    for (record, flags) in [
        (json!({"trace_id": TRACE, "trace_flags": "01"}), 1),
        (json!({"trace_id": TRACE, "trace_flags": 3}), 3),
        (json!(format!("traceparent=00-{TRACE}-{SPAN}-01 hello")), 1),
        (
            json!(format!("[trace_id={TRACE} trace_sampled=True] hello")),
            1,
        ),
        (json!({"trace_id": TRACE}), 0),
    ] {
        let log = harness.log(json!({"type": "function", "record": record}));
        assert_eq!(log.flags, flags, "{record}");
    }
    // The span of the invocation is sent.
    let log = harness.log(json!({"type": "function", "record": "hello", "requestId": ID}));
    assert_correlated(&log, ID);
    assert_eq!(log.flags, 1);
}

#[test]
fn span_of_the_function_within_the_trace_of_its_invocation_is_kept() {
    let mut harness = Harness::new();
    harness.start(ID);
    harness.start(OTHER_ID);
    let trace = ID.replace('-', "");
    let log =
        harness.log(json!({"type": "function", "record": {"trace_id": trace, "span_id": SPAN}}));
    assert_eq!(log.trace_id, TraceId::of(ID).bytes());
    assert_eq!(log.span_id, 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes());
    assert_eq!(
        attribute(&log.attributes, "faas.invocation_id"),
        Some(&text(ID))
    );
    // Without a span, it belongs to that of the invocation.
    let log = harness.log(json!({"type": "function", "record": {"trace_id": trace}}));
    assert_correlated(&log, ID);
    // An invocation can be part of the trace of another one.
    let record = json!({"trace_id": trace, "span_id": SPAN, "requestId": OTHER_ID});
    let log = harness.log(json!({"type": "function", "record": record}));
    assert_eq!(log.trace_id, TraceId::of(ID).bytes());
    let request_id = attribute(&log.attributes, "faas.invocation_id");
    assert_eq!(request_id, Some(&text(OTHER_ID)));
}

#[test]
fn id_of_the_invocation_is_spelled_like_the_platform_spells_it() {
    let mut harness = Harness::new();
    harness.start(ID);
    harness.start(OTHER_ID);
    let (upper, plain) = (ID.to_uppercase(), ID.replace('-', ""));
    let lines = [upper.clone(), plain.clone()].map(|id| json!(format!("request {id} is done")));
    let prefixes = [upper.clone(), plain.clone()]
        .map(|id| json!(format!("2023-06-25T00:00:00.250Z {id} INFO hi")));
    let fields = [upper, plain].map(|id| json!({"request_id": id}));
    for record in lines.iter().chain(&prefixes).chain(&fields) {
        let log = harness.log(json!({"type": "function", "record": record}));
        assert_correlated(&log, ID);
    }
    harness.report(ID);
    for record in prefixes.iter().chain(&fields) {
        let log = harness.log(json!({"type": "function", "record": record}));
        assert_correlated(&log, ID);
    }
}

#[test]
fn log_record_is_correlated_by_the_id_in_an_object() {
    let mut harness = Harness::new();
    harness.start("r-1");
    harness.start(ID);
    for record in [
        json!({"function_request_id": "r-1"}),
        json!({"awsRequestId": "r-1"}),
        json!({"AWS_REQUEST_ID": "r-1"}),
        json!({"request-id": "r-1"}),
        json!({"RequestID": "r-1"}),
        json!({"ctx": {"requestId": "r-1"}}),
        json!({"context": {"request_id": "r-1"}}),
        json!({"a": [{"context": {"requestId": " r-1 "}}]}),
        json!({"faas.invocation_id": "r-1"}),
        json!({"requestId": "r-1", "ctx": {"requestId": ID}}),
    ] {
        let text = json!(record.to_string());
        let prefixed = json!(format!("[2023-06-25 00:00:00] {record}"));
        for record in [record, text, prefixed] {
            let log = harness.log(json!({"type": "function", "record": record}));
            assert_correlated(&log, "r-1");
        }
    }
    // The ID of an open invocation counts anywhere.
    for record in [
        json!({"message": format!("request {ID} is done")}),
        json!({"a": {"b": ["x", ID]}}),
    ] {
        let log = harness.log(json!({"type": "function", "record": record}));
        assert_correlated(&log, ID);
    }
    let record = json!({"requestId": "r-2", "requestIds": "r-1", "message": "r-1"});
    assert_uncorrelated(&harness.log(json!({"type": "function", "record": record})));
}

#[test]
fn log_record_is_correlated_by_time_if_several_invocations_run() {
    let mut harness = Harness::new();
    harness.start("1");
    harness.event(json!({"name": "platform.start", "startTime": time(50), "traceId": "2"}));
    let log = |millis| json!({"type": "function", "time": time(millis), "record": "hello"});
    assert_correlated(&harness.log(log(49)), "1");
    assert_uncorrelated(&harness.log(log(50)));
    assert_correlated(&harness.line("2023-06-25T08:00:00.020+08:00 hello"), "1");
    harness.done("2", "success");
    // An earlier invocation that never ends is ignored from now on.
    assert_correlated(&harness.log(log(60)), "2");
    harness.start("3");
    assert_correlated(&harness.log(log(70)), "3");
}

#[test]
fn log_record_is_correlated_by_the_id_in_the_line() {
    let mut harness = Harness::new();
    for line in [
        format!("2023-06-25T00:00:00.250Z Start invoke request '{ID}', version: latest"),
        format!("2023-06-25T00:00:00.250Z Finish invoke request '{ID}', duration: 2.049ms"),
        format!("Start invoke request '{ID}', version: latest"),
        format!("2023-06-25T00:00:00.250Z {ID} INFO hello"),
    ] {
        assert_correlated(&harness.line(&line), ID);
    }
    // An unknown ID in an arbitrary place does not correlate.
    for line in [
        format!("order {ID} shipped"),
        "2023-06-25T00:00:00.250Z r-1 INFO hello".to_owned(),
    ] {
        assert_uncorrelated(&harness.line(&line));
    }
    harness.start("r-1");
    harness.start(ID);
    assert_correlated(
        &harness.line(&format!("request={ID}, order={OTHER_ID}")),
        ID,
    );
    let line = "2023-06-25T00:00:00.250Z r-1 INFO hello";
    assert_correlated(&harness.line(line), "r-1");
    harness.start("request");
    let log = harness.line("2023-06-25T00:00:00.250Z request WARN hello");
    assert_correlated(&log, "request");
    assert_eq!(log.severity_text, "WARN");
    harness.report("request");
    harness.report("r-1");
    assert_correlated(&harness.line(line), "r-1");
    harness.report(ID);
    assert_uncorrelated(&harness.line(&format!("after {ID}")));
}

#[test]
fn log_record_is_correlated_with_the_running_invocation() {
    let mut harness = Harness::new();
    assert_uncorrelated(&harness.line("hello"));
    harness.start("1");
    assert_correlated(&harness.line("hello"), "1");
    assert_correlated(&harness.line(&format!("order {ID} shipped")), "1");
    harness.start("2");
    assert_uncorrelated(&harness.line("hello"));
    harness.report("1");
    assert_correlated(&harness.line("hello"), "2");
    // The next invocation starts before the report of this one.
    harness.event(json!({"name": "platform.runtimeDone", "traceId": "2", "status": "success"}));
    assert_correlated(&harness.line("hello"), "2");
    harness.start("3");
    assert_correlated(&harness.line("hello"), "3");
    harness.report("2");
    harness.report("3");
    assert_uncorrelated(&harness.line("hello"));
    // The invocation is known although its telemetry has not arrived.
    harness.invoked("4", URN);
    assert_correlated(&harness.line("hello"), "4");
    // The span is found even if the invocation has no ID.
    let mut harness = Harness::new();
    harness.event(json!({"name": "platform.start", "startTime": time(0)}));
    let log = harness.line("hello");
    harness.finish();
    assert_eq!(log.span_id, harness.out.spans[0].span_id);
    assert_eq!(log.trace_id, harness.out.spans[0].trace_id);
}

#[test]
fn log_record_and_its_span_have_the_same_ids() {
    let mut harness = Harness::new();
    let log = harness.line(&format!("2023-06-25T00:00:00.250Z {ID} INFO hello"));
    harness.report(ID);
    assert_eq!(log.trace_id, harness.out.spans[0].trace_id);
    assert_eq!(log.span_id, harness.out.spans[0].span_id);
}
