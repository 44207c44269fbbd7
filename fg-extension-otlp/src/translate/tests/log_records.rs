//! Tests of log records and their correlation with spans.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};
use serde_json::{Value, json};

use super::super::ids::TraceId;
use super::{Harness, ID, OTHER_ID, URN, any, at, attribute, nanos, text, time};

impl Harness {
    fn log(&mut self, event: Value) -> LogRecord {
        self.event(event);
        self.out.log_records.remove(0)
    }

    fn line(&mut self, line: &str) -> LogRecord {
        self.log(json!({"type": "function", "record": line}))
    }
}

#[track_caller]
fn assert_correlated(log: &LogRecord, id: &str) {
    let trace = TraceId::of(id);
    assert_eq!(log.trace_id, trace.bytes());
    assert_eq!(log.span_id, trace.root_span_id());
    assert_eq!(
        attribute(&log.attributes, "faas.invocation_id"),
        Some(&text(id))
    );
}

#[track_caller]
fn assert_uncorrelated(log: &LogRecord) {
    assert_eq!((&log.trace_id[..], &log.span_id[..]), (&[][..], &[][..]));
    assert_eq!(attribute(&log.attributes, "faas.invocation_id"), None);
}

#[test]
fn line_becomes_the_body() {
    let mut harness = Harness::new();
    harness.now = at(99);
    harness.invoked(ID, URN);
    let line = format!("2023-06-25T00:00:00.007Z {ID} WARN  hot  ");
    let log = harness.log(json!({
        "time": time(5), "type": " function", "record": line, "shard": 3, "tags": ["a"],
        "log.type": "mine", "faas.invocation_id": 7, "": 1,
    }));
    assert_eq!(log.body, Some(any(text(&line))));
    // The time of the line, not that of the event.
    assert_eq!(log.time_unix_nano, nanos(7));
    assert_eq!(log.observed_time_unix_nano, nanos(99));
    assert_eq!(
        (log.severity_number(), log.severity_text.as_str()),
        (SeverityNumber::Warn, "WARN")
    );
    assert_eq!(log.event_name, "");
    assert_correlated(&log, ID);
    for (key, value) in [
        ("functiongraph.log.type", text("function")),
        ("functiongraph.shard", Any::IntValue(3)),
        ("functiongraph.faas.invocation_id", Any::IntValue(7)),
    ] {
        assert_eq!(attribute(&log.attributes, key), Some(&value));
    }
    assert!(matches!(
        attribute(&log.attributes, "functiongraph.tags"),
        Some(Any::ArrayValue(_))
    ));
    let is_without_name = |key: &str| matches!(key, "" | "functiongraph.");
    assert!(
        !log.attributes
            .iter()
            .any(|attribute| is_without_name(&attribute.key))
    );
}

#[test]
fn object_fields_are_preserved() {
    let mut harness = Harness::new();
    harness.invoked(ID, URN);
    let log = harness.log(json!({
        "type": "extension",
        "record": {"requestId": ID, "time": time(8), "level": "error", "n": {"a": 1}},
    }));
    let Some(Any::KvlistValue(fields)) = log.body.as_ref().unwrap().value.clone() else {
        panic!("{log:?}");
    };
    let names: Vec<_> = fields.values.iter().map(|field| &field.key).collect();
    assert_eq!(names, ["level", "n", "requestId", "time"]);
    assert_eq!(
        attribute(&log.attributes, "functiongraph.log.type"),
        Some(&text("extension"))
    );
    assert_eq!(log.severity_number(), SeverityNumber::Error);
    assert_eq!(log.time_unix_nano, nanos(8));
    assert_correlated(&log, ID);
}

#[test]
fn line_with_a_json_object_is_parsed() {
    let mut harness = Harness::new();
    harness.invoked(ID, URN);
    let line = format!(
        r#" {{"level": 50, "time": {}, "requestId": "{ID}", "msg": "WARN"}}"#,
        nanos(3) / 1_000_000
    );
    let log = harness.line(&line);
    assert_eq!(log.body, Some(any(text(&line))));
    assert_eq!(
        (log.severity_number(), log.severity_text.as_str()),
        (SeverityNumber::Error, "error")
    );
    assert_eq!(log.time_unix_nano, nanos(3));
    assert_correlated(&log, ID);

    for broken in ["{\"level\": \"error\"", "{}", "{INFO} x"] {
        let log = harness.line(broken);
        assert_eq!(log.severity_number(), SeverityNumber::Unspecified);
        assert_eq!(log.body, Some(any(text(broken))));
    }
}

#[test]
fn time_comes_from_the_event_or_the_line() {
    let mut harness = Harness::new();
    let line = "2023-06-25T00:00:00.007Z hello";
    let log = harness.line(line);
    assert_eq!(log.time_unix_nano, nanos(7));
    let log = harness.log(json!({"type": "function", "time": "soon", "record": line}));
    assert_eq!(log.time_unix_nano, nanos(7));
    assert_eq!(
        attribute(&log.attributes, "functiongraph.time"),
        Some(&text("soon"))
    );
    // A time without a zone is ambiguous.
    for line in ["2023-06-25 00:00:00.007 hello", "hello"] {
        let log = harness.line(line);
        assert_eq!(log.time_unix_nano, 0);
        assert_eq!(log.observed_time_unix_nano, nanos(0));
    }
    assert_eq!(harness.log(json!({"type": "function"})).body, None);
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
fn time_of_the_logger_precedes_that_of_the_event() {
    let mut harness = Harness::new();
    for (record, millis) in [
        (json!({"time": nanos(3) / 1_000_000}), 3),
        (json!({"timestamp": (nanos(3) / 1_000_000).to_string()}), 3),
        (json!({"ts": 1_687_651_200.003}), 3),
        (json!({"Timestamp": time(3)}), 3),
        (json!({"@t": time(3)}), 3),
        (json!(json!({"time": time(3)}).to_string()), 3),
        (json!(format!("{} hello", time(3))), 3),
        (json!(format!("[{}] [ERROR] hello", time(3))), 3),
        (json!(format!("time={} level=info", time(3))), 3),
        (
            json!(format!(
                "{} {ID} INFO {}",
                time(4),
                json!({"time": time(3)})
            )),
            3,
        ),
        // A time without a zone is ambiguous, and a small number is not a time.
        (json!({"time": "2023-06-25 00:00:00.003"}), 5),
        (json!({"time": 3}), 5),
        (json!("2023-06-25 00:00:00.003 hello"), 5),
        (json!("1687651200003 rows"), 5),
        (json!("hello"), 5),
    ] {
        let log = harness.log(json!({"type": "function", "time": time(5), "record": record}));
        assert_eq!(log.time_unix_nano, nanos(millis), "{record}");
        assert_eq!(log.observed_time_unix_nano, nanos(0));
    }
}

#[test]
fn epoch_times_are_exact() {
    let mut harness = Harness::new();
    for nanos in (0..500).map(|index| 1_675_209_830_100_000_000 + index * 1_000_003_000_000_u64) {
        let millis = nanos / 1_000_000;
        let expected = millis * 1_000_000;
        let log = harness.log(json!({"type": "function", "time": millis, "record": "hello"}));
        assert_eq!(log.time_unix_nano, expected);
        let log = harness.log(json!({"type": "function", "record": {"time": millis}}));
        assert_eq!(log.time_unix_nano, expected);
        let log = harness.log(json!({"name": "platform.freeze", "startTime": millis}));
        assert_eq!(log.time_unix_nano, expected);
    }
}

#[test]
fn attributes_have_names_in_snake_case() {
    let mut harness = Harness::new();
    let log = harness.log(json!({
        "type": "function", "record": "hello", "logStream": "a", "log_stream": "b", "logType": "c",
    }));
    assert_eq!(
        attribute(&log.attributes, "functiongraph.log_stream"),
        Some(&text("a"))
    );
    assert_eq!(
        attribute(&log.attributes, "functiongraph.log_type"),
        Some(&text("c"))
    );
    assert_eq!(log.attributes.len(), 3);
}

#[test]
fn colors_stay_in_the_body() {
    let mut harness = Harness::new();
    let line = "\u{1b}[31mERROR\u{1b}[0m no disk";
    let log = harness.line(line);
    assert_eq!(
        (log.severity_number(), &log.severity_text[..]),
        (SeverityNumber::Error, "ERROR")
    );
    assert_eq!(log.body, Some(any(text(line))));
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

#[test]
fn unknown_event_becomes_a_log_record() {
    let mut harness = Harness::new();
    harness.start("1");
    let log =
        harness.log(json!({"type": "audit", "requestId": ID, "time": time(3), "level": "info"}));
    let Some(Any::KvlistValue(fields)) = log.body.as_ref().unwrap().value.clone() else {
        panic!("{log:?}");
    };
    assert_eq!(fields.values.len(), 4);
    assert_eq!(
        attribute(&log.attributes, "functiongraph.log.type"),
        Some(&text("unknown"))
    );
    assert_eq!(log.time_unix_nano, nanos(3));
    assert_eq!(log.severity_number(), SeverityNumber::Info);
    assert_correlated(&log, ID);

    // An unknown event need not belong to the running invocation.
    let log = harness.log(json!("hello"));
    assert_eq!(log.body, Some(any(text("hello"))));
    assert_uncorrelated(&log);
    assert_eq!(harness.log(json!([1])).observed_time_unix_nano, nanos(0));
}

#[test]
fn unknown_platform_subtype_becomes_a_log_record() {
    let mut harness = Harness::new();
    let log = harness.log(json!({
        "name": "platform.freeze ", "startTime": time(4), "traceId": ID, "reason": "idle",
    }));
    assert_eq!(log.event_name, "platform.freeze");
    assert_eq!(log.time_unix_nano, nanos(4));
    assert_eq!(
        attribute(&log.attributes, "functiongraph.log.type"),
        Some(&text("platform"))
    );
    let Some(Any::KvlistValue(fields)) = log.body.as_ref().unwrap().value.clone() else {
        panic!("{log:?}");
    };
    assert_eq!(attribute(&fields.values, "reason"), Some(&text("idle")));
    assert_correlated(&log, ID);
    assert_eq!(harness.out.spans, []);
}

#[test]
fn large_body_is_a_string_with_its_json() {
    let mut harness = Harness::new();
    harness.start("1");
    let large = json!(vec![json!({"level": "ERROR", "text": "x".repeat(80)}); 700]);
    for record in [&large, &json!({"level": "ERROR", "items": large})] {
        let log = harness.log(json!({"type": "function", "record": record, "source": "a"}));
        assert_eq!(log.body, Some(any(text(&record.to_string()))));
        // The rest of the event is read as always.
        assert_correlated(&log, "1");
        let source = attribute(&log.attributes, "functiongraph.source");
        assert_eq!(source, Some(&text("a")));
    }

    // A large event without a large record is the body as a whole.
    let event = json!({"type": "function", "record": "a", "other": large});
    let log = harness.log(event.clone());
    assert_eq!(log.body, Some(any(text(&event.to_string()))));
    assert_eq!(
        attribute(&log.attributes, "functiongraph.log.type"),
        Some(&text("function"))
    );
    for event in [
        json!({"type": "audit", "items": large}),
        json!({"name": "platform.freeze", "items": large}),
        json!({"name": "platform.start", "traceId": "2", "items": large}),
    ] {
        assert_eq!(
            harness.log(event.clone()).body,
            Some(any(text(&event.to_string())))
        );
    }
    harness.finish();
    assert_eq!(harness.out.spans.len(), 1);
}

#[test]
fn longest_text_is_a_mebibyte() {
    const MIB: usize = 1 << 20;
    let mut harness = Harness::new();
    let longest = "x".repeat(MIB);
    let log = harness.log(json!({"type": "function", "record": longest}));
    assert_eq!(log.body, Some(any(text(&longest))));
    assert_eq!(log.attributes.len(), 1);

    let long = format!("{}é and more", &longest[1..]);
    let log = harness.log(json!({"type": "function", "record": long}));
    assert_eq!(log.body, Some(any(text(&longest[1..]))));
    assert_eq!(
        attribute(&log.attributes, "functiongraph.log.original_length"),
        Some(&Any::IntValue(long.len() as i64))
    );
    let log = harness.log(json!({"type": "function", "record": [long]}));
    let expected = format!("[\"{}", &longest[2..]);
    assert_eq!(log.body, Some(any(text(&expected))));
}
