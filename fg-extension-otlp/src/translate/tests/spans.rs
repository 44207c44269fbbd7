use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use serde_json::json;

use super::super::ids::TraceId;
use super::{Bench, Function, ID, OTHER_ID, Settings, URN, at, attribute, nanos, text, time};

pub(super) fn times(span: &Span) -> (u64, u64) {
    (span.start_time_unix_nano, span.end_time_unix_nano)
}

pub(super) fn error(message: &str) -> Option<Status> {
    Some(Status {
        message: message.into(),
        code: StatusCode::Error.into(),
    })
}

#[test]
fn an_invocation_is_a_span() {
    let mut bench = Bench::new();
    bench.invoked(ID, URN);
    // As on the page, with its stray spaces and its capital.
    bench.json(&format!(
        r#"{{"name": "platform.start ", "startTime": "2023-06-25T00:00:00.000Z ", "traceId": " {ID} "}}"#
    ));
    bench.json(&format!(
        r#"{{"name": "platform.RuntimeDone", "startTime": "2023-06-25T00:00:00.000Z", "traceId": "{ID}", "status": " success "}}"#
    ));
    assert_eq!(bench.out.spans, []);
    bench.json(&format!(
        r#"{{"name": "platform.report ", "startTime": "2023-06-25T00:00:00.000Z", "endTime": "2023-06-25T00:00:00.013Z",
            "traceId": "{ID}", "metrics": {{"durationMs": 12.5, "billedDurationMs": 13}}}}"#
    ));
    let [span] = &bench.out.spans[..] else {
        panic!("{:?}", bench.out.spans);
    };
    assert_eq!(
        span.trace_id,
        0x3da1_f2dc_3222_475e_9205_e2e6_c631_8895_u128.to_be_bytes()
    );
    assert_eq!(span.span_id, TraceId::of(ID).span());
    assert!(span.parent_span_id.is_empty());
    assert_eq!(span.name, "hello");
    assert_eq!(span.kind(), SpanKind::Server);
    assert_eq!(times(span), (nanos(0), nanos(13)));
    assert_eq!(span.status, None);
    for (key, value) in [
        ("faas.invocation_id", text(ID)),
        ("faas.coldstart", Any::BoolValue(false)),
        ("faas.trigger", text("other")),
        ("faas.name", text("hello")),
        ("faas.version", text("latest")),
        ("cloud.resource_id", text(URN)),
        ("functiongraph.metrics.billedDurationMs", Any::IntValue(13)),
    ] {
        assert_eq!(attribute(&span.attributes, key), Some(&value), "{key}");
    }
    assert_eq!(attribute(&span.attributes, "error.type"), None);
    assert_eq!(bench.out.logs, []);
}

#[test]
fn the_name_is_the_registered_one_or_that_of_the_urn() {
    let name = |function: Option<&str>, urn: Option<&str>| {
        let function = Function {
            name: function.map(str::to_owned),
            ..Function::default()
        };
        let mut bench = Bench::of(function, Settings::default());
        if let Some(urn) = urn {
            bench.invoked(ID, urn);
        }
        bench.report(ID);
        bench.out.spans.remove(0).name
    };
    assert_eq!(name(Some("registered"), Some(URN)), "registered");
    assert_eq!(name(Some(""), Some(URN)), "hello");
    assert_eq!(name(None, Some("no URN")), "function");
    assert_eq!(name(None, None), "function");
}

#[test]
fn each_invocation_has_its_own_urn_or_the_latest() {
    let mut bench = Bench::new();
    let with_alias = "urn:fss:cn-north-4:0a1b:function:default:hello:!prod";
    bench.invoked("1", with_alias);
    bench.invoked("2", URN);
    for id in ["1", "2", "3"] {
        bench.report(id);
    }
    let urns = bench.out.spans.iter().map(|span| {
        attribute(&span.attributes, "cloud.resource_id")
            .unwrap()
            .clone()
    });
    assert_eq!(
        urns.collect::<Vec<_>>(),
        [text(with_alias), text(URN), text(URN)]
    );
}

#[test]
fn init_and_restore_are_children() {
    let mut bench = Bench::new();
    for (phase, from) in [("init", 0), ("restore", 100)] {
        bench.event(json!({"name": format!("platform.{phase}Start"), "startTime": time(from), "traceId": ID}));
        bench.event(json!({
            "name": format!("platform.{phase}RuntimeDone "), "startTime": time(from), "traceId": ID, "status": "success",
        }));
        bench.event(json!({
            "name": format!("platform.{phase}Report"), "startTime": time(from), "endTime": time(from + 50),
            "traceId": ID, "metrics": {"durationMs": 50.0},
        }));
    }
    bench.report(ID);
    bench.report(OTHER_ID);
    let [init, restore, invocation, other] = &bench.out.spans[..] else {
        panic!("{:?}", bench.out.spans);
    };
    for (child, name, start) in [(init, "init", 0), (restore, "restore", 100)] {
        assert_eq!(child.name, name);
        assert_eq!(child.kind(), SpanKind::Internal);
        assert_eq!(child.trace_id, invocation.trace_id);
        assert_eq!(child.parent_span_id, invocation.span_id);
        assert_ne!(child.span_id, invocation.span_id);
        assert_eq!(times(child), (nanos(start), nanos(start + 50)));
        assert_eq!(child.status, None);
    }
    assert_ne!(init.span_id, restore.span_id);
    let cold = |span: &Span| attribute(&span.attributes, "faas.coldstart").cloned();
    assert_eq!(cold(init), Some(Any::BoolValue(true)));
    assert_eq!(cold(restore), None);
    assert_eq!(cold(invocation), Some(Any::BoolValue(true)));
    assert_eq!(cold(other), Some(Any::BoolValue(false)));
}

#[test]
fn an_init_that_failed() {
    let mut bench = Bench::new();
    bench.event(json!({"name": "platform.initRuntimeDone", "traceId": ID, "status": "failure"}));
    bench.event(json!({"name": "platform.initReport", "endTime": time(9), "traceId": ID, "metrics": {"durationMs": 9}}));
    bench.finish();
    let span = &bench.out.spans[0];
    assert_eq!(span.status, error("failure"));
    // There is no invocation whose child it could be.
    assert!(span.parent_span_id.is_empty());
    assert_eq!(times(span), (nanos(0), nanos(9)));
}

#[test]
fn a_failure_is_what_the_platform_says() {
    let spans_of = |done: &str, report: &str| {
        let mut bench = Bench::new();
        bench.json(&format!(
            r#"{{"name": "platform.runtimeDone", "traceId": "1" {done}}}"#
        ));
        bench.json(&format!(
            r#"{{"name": "platform.report", "traceId": "1" {report}}}"#
        ));
        bench.out.spans.remove(0)
    };
    let timeout = r#", "status": " timeout ""#;
    let success = r#", "status": "Success""#;
    let error_type = r#", "status": "error", "errorType": " OutOfMemory ""#;
    for (done, report, message, kind) in [
        (timeout, "", "timeout", "timeout"),
        ("", timeout, "timeout", "timeout"),
        (success, timeout, "timeout", "timeout"),
        (timeout, success, "timeout", "timeout"),
        (error_type, timeout, "error", "OutOfMemory"),
        (timeout, error_type, "timeout", "OutOfMemory"),
        (
            r#", "status": "error", "errorType": 7"#,
            "",
            "error",
            "error",
        ),
    ] {
        let span = spans_of(done, report);
        assert_eq!(span.status, error(message), "{done} {report}");
        assert_eq!(
            attribute(&span.attributes, "error.type"),
            Some(&text(kind)),
            "{done} {report}"
        );
    }
    // An empty one says nothing.
    assert_eq!(spans_of(r#", "status": """#, "").status, None);
    let span = spans_of(success, r#", "errorType": "none""#);
    assert_eq!(span.status, None);
    assert_eq!(attribute(&span.attributes, "error.type"), None);
    assert_eq!(
        attribute(&span.attributes, "functiongraph.errorType"),
        Some(&text("none"))
    );
}

#[test]
fn times_are_those_of_the_events() {
    let report = |fields: serde_json::Value| {
        let mut event = json!({"name": "platform.report", "traceId": "1"});
        let all = event.as_object_mut().unwrap();
        all.extend(fields.as_object().unwrap().clone());
        event
    };
    let times_of = |start: Option<u64>, fields| {
        let mut bench = Bench::new();
        if let Some(start) = start {
            bench
                .event(json!({"name": "platform.start", "traceId": "1", "startTime": time(start)}));
        }
        bench.now = at(1_000);
        bench.event(report(fields));
        bench.finish();
        times(&bench.out.spans[0])
    };
    let all = json!({"startTime": time(5), "endTime": time(30), "metrics": {"durationMs": 10}});
    assert_eq!(times_of(Some(2), all.clone()), (nanos(2), nanos(30)));
    assert_eq!(times_of(None, all), (nanos(5), nanos(30)));
    let measured = json!({"startTime": time(5), "metrics": {"durationMs": "10.5"}});
    assert_eq!(times_of(None, measured), (nanos(5), nanos(15) + 500_000));
    let end = json!({"endTime": time(30), "metrics": {"durationMs": 10}});
    assert_eq!(times_of(None, end), (nanos(20), nanos(30)));
    assert_eq!(times_of(None, json!({})), (nanos(1_000), nanos(1_000)));
}

#[test]
fn odd_clocks_and_numbers_end_no_span_before_its_start() {
    for fields in [
        json!({"startTime": time(50), "endTime": time(20)}),
        json!({"startTime": "2023-06-25T00:00:00+99:00", "endTime": "soon"}),
        json!({"startTime": 0, "endTime": 9e15}),
        json!({"startTime": "9999-12-31T23:59:59Z", "endTime": time(0)}),
        json!({"startTime": time(50), "metrics": {"durationMs": -1}}),
        json!({"startTime": time(50), "metrics": {"durationMs": 1e300}}),
        json!({"startTime": time(50), "metrics": {"durationMs": "nan"}}),
        json!({"endTime": 1, "metrics": {"durationMs": 1e18}}),
        json!({"startTime": time(50), "metrics": []}),
        json!({"startTime": null, "status": 7, "traceId": {}}),
    ] {
        let mut bench = Bench::new();
        let mut event = json!({"name": "platform.report", "traceId": "1"});
        event
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        bench.event(event);
        bench.finish();
        for span in &bench.out.spans {
            let (start, end) = times(span);
            assert!(start <= end, "{fields}");
        }
        assert_eq!(bench.out.spans.len() + bench.out.logs.len(), 1, "{fields}");
        bench.metrics();
    }
    let mut bench = Bench::new();
    bench.event(json!({
        "name": "platform.report", "traceId": "1", "startTime": time(50), "endTime": time(20), "metrics": {"durationMs": 7},
    }));
    bench.finish();
    assert_eq!(times(&bench.out.spans[0]), (nanos(50), nanos(57)));
}

#[test]
fn what_was_never_reported_is_emitted_at_the_end() {
    let mut bench = Bench::new();
    bench.invoked("only invoked", URN);
    bench.start("done");
    bench.event(json!({
        "name": "platform.runtimeDone", "startTime": time(40), "traceId": "done", "status": "timeout",
    }));
    bench.start("done at once");
    bench.event(
        json!({"name": "platform.runtimeDone", "startTime": time(0), "traceId": "done at once"}),
    );
    bench.start("started");
    bench.event(json!({"name": "platform.initStart", "startTime": time(0), "traceId": "started"}));
    bench.now = at(90);
    bench.finish();
    let spans: Vec<_> = bench
        .out
        .spans
        .iter()
        .map(|span| {
            (
                span.name.as_str(),
                times(span).1,
                attribute(&span.attributes, "faas.invocation_id").unwrap(),
            )
        })
        .collect();
    assert_eq!(
        spans,
        [
            ("hello", nanos(40), &text("done")),
            ("hello", nanos(90), &text("done at once")),
            ("hello", nanos(90), &text("started")),
            ("init", nanos(90), &text("started")),
        ]
    );
    assert_eq!(
        attribute(&bench.out.spans[2].attributes, "faas.coldstart"),
        Some(&Any::BoolValue(true))
    );
    assert_eq!(bench.out.spans[0].status, error("timeout"));
    bench.finish();
    bench.report("started");
    assert_eq!(bench.out.spans.len(), 4);
}
