//! Tests of the fields of spans.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use serde_json::json;

use super::super::ids::TraceId;
use super::{
    FunctionInfo, Harness, ID, OTHER_ID, ResourceConfig, URN, at, attribute, nanos, text, time,
};

pub(super) fn times(span: &Span) -> (u64, u64) {
    (span.start_time_unix_nano, span.end_time_unix_nano)
}

/// Returns the status of a failure. It has no message, since `error.type` has the reason.
pub(super) fn error() -> Option<Status> {
    Some(Status {
        code: StatusCode::Error.into(),
        ..Status::default()
    })
}

#[test]
fn invocation_becomes_a_span() {
    let mut harness = Harness::new();
    harness.invoked(ID, URN);
    // As on the page of the documentation, with its stray spaces and its capital R.
    harness.json(&format!(
        r#"{{"name": "platform.start ", "startTime": "2023-06-25T00:00:00.000Z ", "traceId": " {ID} "}}"#
    ));
    harness.json(&format!(
        r#"{{"name": "platform.RuntimeDone", "startTime": "2023-06-25T00:00:00.000Z", "traceId": "{ID}", "status": " success "}}"#
    ));
    assert_eq!(harness.out.spans, []);
    harness.json(&format!(
        r#"{{"name": "platform.report ", "startTime": "2023-06-25T00:00:00.000Z", "endTime": "2023-06-25T00:00:00.013Z",
            "traceId": "{ID}", "metrics": {{"durationMs": 12.5, "billedDurationMs": 13}}}}"#
    ));
    let [span] = &harness.out.spans[..] else {
        panic!("{:?}", harness.out.spans);
    };
    assert_eq!(
        span.trace_id,
        0x3da1_f2dc_3222_475e_9205_e2e6_c631_8895_u128.to_be_bytes()
    );
    assert_eq!(span.span_id, TraceId::of(ID).root_span_id());
    assert!(span.parent_span_id.is_empty());
    assert_eq!(span.name, "hello");
    assert_eq!(span.kind(), SpanKind::Server);
    assert_eq!(times(span), (nanos(0), nanos(13)));
    assert_eq!(span.status, None);
    for (key, value) in [
        ("faas.invocation_id", text(ID)),
        // The first invocation of an instance is a cold start.
        ("faas.coldstart", Any::BoolValue(true)),
        ("faas.name", text("hello")),
        ("faas.version", text("latest")),
        ("cloud.resource_id", text(URN)),
        (
            "functiongraph.metrics.billed_duration_ms",
            Any::IntValue(13),
        ),
    ] {
        assert_eq!(attribute(&span.attributes, key), Some(&value), "{key}");
    }
    for key in ["error.type", "faas.trigger", "functiongraph.alias"] {
        assert_eq!(attribute(&span.attributes, key), None, "{key}");
    }
    assert_eq!(span.flags, 0x01);
    assert_eq!(harness.out.log_records, []);
}

#[test]
fn trigger_is_the_configured_one() {
    let resource = ResourceConfig {
        trigger: Some("pubsub"),
        ..ResourceConfig::default()
    };
    let mut harness = Harness::with(FunctionInfo::default(), resource);
    harness.report(ID);
    let trigger = attribute(&harness.out.spans[0].attributes, "faas.trigger");
    assert_eq!(trigger, Some(&text("pubsub")));
}

#[test]
fn span_name_comes_from_the_registration_or_the_urn() {
    let name = |function: Option<&str>, urn: Option<&str>| {
        let function = FunctionInfo {
            name: function.map(str::to_owned),
            ..FunctionInfo::default()
        };
        let mut harness = Harness::with(function, ResourceConfig::default());
        if let Some(urn) = urn {
            harness.invoked(ID, urn);
        }
        harness.report(ID);
        harness.out.spans.remove(0).name
    };
    assert_eq!(name(Some("registered"), Some(URN)), "registered");
    assert_eq!(name(Some(""), Some(URN)), "hello");
    assert_eq!(name(None, Some("no URN")), "function");
    assert_eq!(name(None, None), "function");
}

#[test]
fn each_invocation_has_its_own_urn_or_the_latest() {
    let mut harness = Harness::new();
    let with_alias = "urn:fss:cn-north-4:0a1b:function:default:hello:!prod";
    let without_alias = with_alias.trim_end_matches(":!prod");
    harness.invoked("1", with_alias);
    harness.invoked("2", URN);
    for id in ["1", "2", "3"] {
        harness.report(id);
    }
    let urns = harness.out.spans.iter().map(|span| {
        attribute(&span.attributes, "cloud.resource_id")
            .unwrap()
            .clone()
    });
    assert_eq!(
        urns.collect::<Vec<_>>(),
        [text(without_alias), text(URN), text(URN)]
    );
    let alias = attribute(&harness.out.spans[0].attributes, "functiongraph.alias");
    assert_eq!(alias, Some(&text("prod")));
}

#[test]
fn init_and_restore_are_children_of_the_invocation() {
    let mut harness = Harness::new();
    for (phase, from) in [("init", 0), ("restore", 100)] {
        harness.event(json!({"name": format!("platform.{phase}Start"), "startTime": time(from), "traceId": ID}));
        harness.event(json!({
            "name": format!("platform.{phase}RuntimeDone "), "startTime": time(from), "traceId": ID, "status": "success",
        }));
        harness.event(json!({
            "name": format!("platform.{phase}Report"), "startTime": time(from), "endTime": time(from + 50),
            "traceId": ID, "metrics": {"durationMs": 50.0},
        }));
    }
    harness.report(ID);
    harness.report(OTHER_ID);
    let [invocation, init, restore, other] = &harness.out.spans[..] else {
        panic!("{:?}", harness.out.spans);
    };
    for (child, name, start) in [(init, "init", 0), (restore, "restore", 100)] {
        assert_eq!(child.name, name);
        assert_eq!(child.kind(), SpanKind::Internal);
        assert_eq!(child.trace_id, invocation.trace_id);
        assert_eq!(child.parent_span_id, invocation.span_id);
        assert_ne!(child.span_id, invocation.span_id);
        // The parent is not in another process.
        assert_eq!(child.flags, 0x101);
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
fn failed_init_has_an_error_status() {
    let mut harness = Harness::new();
    harness.event(json!({"name": "platform.initRuntimeDone", "traceId": ID, "status": "failure", "errorType": "Oh"}));
    harness.event(json!({"name": "platform.initReport", "endTime": time(9), "traceId": ID, "metrics": {"durationMs": 9}}));
    harness.finish();
    let span = &harness.out.spans[0];
    assert_eq!(span.status, error());
    // There is no invocation, so the span has no parent.
    assert!(span.parent_span_id.is_empty());
    assert_eq!(times(span), (nanos(0), nanos(9)));
}

#[test]
fn span_status_follows_status_and_error_type() {
    let spans_of = |done: &str, report: &str| {
        let mut harness = Harness::new();
        harness.json(&format!(
            r#"{{"name": "platform.runtimeDone", "traceId": "1" {done}}}"#
        ));
        harness.json(&format!(
            r#"{{"name": "platform.report", "traceId": "1" {report}}}"#
        ));
        harness.out.spans.remove(0)
    };
    let timeout = r#", "status": " timeout ""#;
    let success = r#", "status": "Success""#;
    let error_type = r#", "status": "error", "errorType": " OutOfMemory ""#;
    let timeout_type = r#", "status": "failed", "errorType": "Function.TimedOut""#;
    let other_type = r#", "status": "failed", "errorType": "Oh""#;
    for (done, report, message, kind) in [
        (error_type, "", "error", "OutOfMemory"),
        ("", error_type, "error", "OutOfMemory"),
        (success, error_type, "error", "OutOfMemory"),
        (error_type, success, "error", "OutOfMemory"),
        (error_type, other_type, "error", "OutOfMemory"),
        // A timeout is the reason of whatever else is reported.
        (error_type, timeout, "error", "timeout"),
        (timeout, error_type, "timeout", "timeout"),
        (timeout, "", "timeout", "timeout"),
        (success, timeout, "timeout", "timeout"),
        (timeout_type, "", "failed", "timeout"),
    ] {
        let span = spans_of(done, report);
        assert_eq!(span.status, error(), "{done} {report}");
        for (key, value) in [("error.type", kind), ("functiongraph.status", message)] {
            assert_eq!(
                attribute(&span.attributes, key),
                Some(&text(value)),
                "{done} {report}"
            );
        }
    }
    // An undocumented status is neither a success nor a failure.
    for (done, report, status) in [
        (r#", "status": "killed""#, "", "killed"),
        (success, r#", "status": "killed""#, "killed"),
        (r#", "status": "OK""#, success, "OK"),
        (r#", "status": "200""#, "", "200"),
        (r#", "status": "error", "errorType": 7"#, "", "error"),
        (r#", "status": "error", "errorType": " ""#, "", "error"),
    ] {
        let span = spans_of(done, report);
        assert_eq!(span.status, None, "{done} {report}");
        assert_eq!(attribute(&span.attributes, "error.type"), None);
        assert_eq!(
            attribute(&span.attributes, "functiongraph.status"),
            Some(&text(status)),
            "{done} {report}"
        );
    }
    // An empty status is ignored.
    let span = spans_of(r#", "status": """#, success);
    assert_eq!(span.status, None);
    assert_eq!(attribute(&span.attributes, "functiongraph.status"), None);
    let span = spans_of(success, r#", "errorType": "none""#);
    assert_eq!(span.status, None);
    assert_eq!(attribute(&span.attributes, "error.type"), None);
    assert_eq!(
        attribute(&span.attributes, "functiongraph.error_type"),
        Some(&text("none"))
    );
}

#[test]
fn span_times_come_from_the_events() {
    let report = |fields: serde_json::Value| {
        let mut event = json!({"name": "platform.report", "traceId": "1"});
        let all = event.as_object_mut().unwrap();
        all.extend(fields.as_object().unwrap().clone());
        event
    };
    let times_of = |start: Option<u64>, fields| {
        let mut harness = Harness::new();
        if let Some(start) = start {
            harness
                .event(json!({"name": "platform.start", "traceId": "1", "startTime": time(start)}));
        }
        harness.now = at(1_000);
        harness.event(report(fields));
        harness.finish();
        times(&harness.out.spans[0])
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
fn invalid_times_never_give_a_negative_duration() {
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
        let mut harness = Harness::new();
        let mut event = json!({"name": "platform.report", "traceId": "1"});
        event
            .as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        harness.event(event);
        harness.finish();
        for span in &harness.out.spans {
            let (start, end) = times(span);
            assert!(start <= end, "{fields}");
        }
        assert_eq!(
            harness.out.spans.len() + harness.out.log_records.len(),
            1,
            "{fields}"
        );
        harness.metrics();
    }
    let mut harness = Harness::new();
    harness.event(json!({
        "name": "platform.report", "traceId": "1", "startTime": time(50), "endTime": time(20), "metrics": {"durationMs": 7},
    }));
    harness.finish();
    assert_eq!(times(&harness.out.spans[0]), (nanos(50), nanos(57)));
}

#[test]
fn unfinished_spans_are_emitted_at_shutdown() {
    let mut harness = Harness::new();
    harness.invoked("only invoked", URN);
    harness.start("done");
    harness.event(json!({
        "name": "platform.runtimeDone", "startTime": time(40), "traceId": "done", "status": "error", "errorType": "Oh",
    }));
    harness.start("done at once");
    // The start of the run is not its end, which is when the event arrived.
    harness.now = at(50);
    harness.event(
        json!({"name": "platform.runtimeDone", "startTime": time(0), "traceId": "done at once"}),
    );
    harness.start("started");
    harness
        .event(json!({"name": "platform.initStart", "startTime": time(0), "traceId": "started"}));
    harness.now = at(90);
    harness.finish();
    let spans: Vec<_> = harness
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
            ("hello", nanos(50), &text("done at once")),
            ("hello", nanos(90), &text("started")),
            ("init", nanos(90), &text("started")),
        ]
    );
    assert_eq!(
        attribute(&harness.out.spans[2].attributes, "faas.coldstart"),
        Some(&Any::BoolValue(true))
    );
    assert_eq!(harness.out.spans[0].status, error());
    harness.finish();
    harness.report("started");
    assert_eq!(harness.out.spans.len(), 4);
}
