//! Tests of the typed views of events.

use serde_json::{Value, json};

use crate::{PlatformEvent, PlatformEventKind, TelemetryEvent};

fn read(value: &Value) -> TelemetryEvent {
    serde_json::from_str(&value.to_string()).unwrap()
}

fn platform(value: &Value) -> PlatformEvent {
    match read(value) {
        TelemetryEvent::Platform(event) => event,
        other => panic!("{other:?}"),
    }
}

fn others(event: &PlatformEvent) -> Vec<(String, String)> {
    let own =
        |(name, json): (std::borrow::Cow<'_, str>, &str)| (name.into_owned(), json.to_owned());
    event.other().map(own).collect()
}

#[test]
fn names_are_matched_case_insensitively() {
    use PlatformEventKind::*;
    let kinds = [
        ("platform.initStart", InitStart),
        ("platform.initRuntimeDone", InitRuntimeDone),
        ("platform.initReport", InitReport),
        ("platform.start", Start),
        ("platform.RuntimeDone", RuntimeDone),
        ("platform.report", Report),
        ("platform.restoreStart", RestoreStart),
        ("platform.restoreRuntimeDone", RestoreRuntimeDone),
        ("platform.restoreReport", RestoreReport),
        ("platform.fault", Unknown),
        ("platform.", Unknown),
    ];
    for (name, kind) in kinds {
        for name in [
            name.to_owned(),
            name.to_uppercase(),
            format!(" {name}\u{a0} "),
        ] {
            for key in ["name", "type"] {
                let event = platform(&json!({key: name, "traceId": " 1"}));
                assert_eq!((event.kind(), event.name()), (kind, name.trim()));
                assert_eq!((event.trace_id(), event.other().count()), (Some("1"), 0));
            }
        }
    }
}

#[test]
fn fields_of_a_report_are_read() {
    let report = json!({
        "name": "platform.report",
        "startTime": "2023-06-25T00:00:00.250Z",
        "endTime": "2023-06-25T00:00:00.2632Z",
        "traceId": "3da1f2dc-3222-475e-9205-e2e6c6318895",
        "status": "success",
        "metrics": {
            "durationMs": 13.2,
            "billedDurationMs": 14,
            "memorySizeMB": "128",
            "maxMemoryUsedMB": null,
            "threads": 3,
        },
        "spans": [{"a": 1}],
    });
    let event = platform(&report);
    let duration = event
        .end_time()
        .unwrap()
        .duration_since(event.start_time().unwrap());
    assert_eq!(duration.unwrap().as_micros(), 13_200);
    assert_eq!(
        event.trace_id(),
        Some("3da1f2dc-3222-475e-9205-e2e6c6318895")
    );
    assert!(event.is_success());
    let metrics = event.metrics().unwrap();
    assert_eq!(
        (
            metrics.duration_ms(),
            metrics.billed_duration_ms(),
            metrics.memory_size_mb(),
            metrics.max_memory_used_mb(),
            metrics.init_duration_ms(),
        ),
        (Some(13.2), Some(14.0), Some(128.0), None, None)
    );
    assert_eq!(metrics.get("threads"), Some(3));
    assert_eq!(metrics.get::<String>("threads"), None);
    assert_eq!(metrics.iter().count(), 5);
    assert_eq!(
        others(&event),
        [("spans".to_owned(), r#"[{"a":1}]"#.to_owned())]
    );
    assert_eq!(event.field("spans"), Some(json!([{"a": 1}])));
    assert_eq!(event.field::<&str>("status"), event.status());
    assert_eq!(event.field::<u8>("none"), None);
    assert_eq!(serde_json::to_value(&event).unwrap(), report);
}

#[test]
fn only_success_is_a_success() {
    let is_success = |status: Value| {
        let event = platform(&json!({"name": "platform.RuntimeDone", "status": status}));
        event.is_success()
    };
    for status in [json!("success"), json!(" success "), json!("SUCCESS")] {
        assert!(is_success(status.clone()), "{status}");
    }
    for status in [
        json!("ok"),
        json!("succeeded"),
        json!("200"),
        json!("timeout"),
        json!("failure"),
        json!(" "),
        json!(200),
        json!(true),
        json!(null),
    ] {
        assert!(!is_success(status.clone()), "{status}");
    }
}

#[test]
fn fields_of_unexpected_types_are_preserved() {
    let event = json!({
        "name": "platform.report",
        "type": 7,
        "startTime": null,
        "endTime": [],
        "traceId": 5,
        "status": {},
        "metrics": "none",
        "time": "now",
        "record": {"a": "b"},
    });
    let platform = platform(&event);
    assert_eq!((platform.start_time(), platform.trace_id()), (None, None));
    assert_eq!((platform.status(), platform.metrics()), (None, None));
    assert_eq!(others(&platform).len(), 8);
    assert_eq!(platform.json(), event.to_string());
}

#[test]
fn record_of_a_log_event_can_be_any_json_value() {
    for (kind, record) in [
        ("function", json!("a line\n")),
        (" Function", json!({"requestId": " 1 ", "stage": "invoke"})),
        ("extension", json!(null)),
        ("EXTENSION", json!([1.5, "a"])),
    ] {
        let value = json!({"time": "2023-06-25T00:00:00Z", "type": kind, "record": record, "x": 1});
        let event = read(&value);
        let log = match &event {
            TelemetryEvent::Function(log) if kind.trim().eq_ignore_ascii_case("function") => log,
            TelemetryEvent::Extension(log) if kind.eq_ignore_ascii_case("extension") => log,
            other => panic!("{other:?}"),
        };
        assert!(log.time().is_some());
        let text = record.as_str().map_or(record.to_string(), str::to_owned);
        assert_eq!(log.record_json(), Some(record.to_string().as_str()));
        assert_eq!(log.text(), text);
        assert_eq!(log.trace_id(), record.get("requestId").map(|_| "1"));
        assert_eq!(log.other().collect::<Vec<_>>(), [("x".into(), "1")]);
        assert_eq!(event.json(), value.to_string());
    }
}

#[test]
fn trace_id_of_a_log_event_is_in_the_event_or_in_its_record() {
    for (event, id) in [
        (json!({"type": "function", "traceId": "2"}), Some("2")),
        (json!({"type": "function", "requestId": " 3"}), Some("3")),
        (
            json!({"type": "function", "requestId": "3", "traceId": "2"}),
            Some("2"),
        ),
        (
            json!({"type": "function", "requestId": "3", "traceId": " "}),
            Some("3"),
        ),
        (
            json!({"type": "function", "requestId": 3, "record": {"traceId": "4"}}),
            Some("4"),
        ),
        (
            json!({"type": "function", "record": {"requestId": "a\nb"}}),
            Some("a\nb"),
        ),
        (
            json!({"type": "function", "record": r#"{"requestId": "5"}"#}),
            None,
        ),
        (json!({"type": "function", "record": {}}), None),
    ] {
        assert_eq!(read(&event).trace_id(), id, "{event}");
    }
    let TelemetryEvent::Function(log) = read(&json!({"type": "function", "traceId": "2"})) else {
        panic!("not a log event");
    };
    assert_eq!((log.record_json(), &*log.text()), (None, ""));
}

#[test]
fn escapes_in_keys_and_values_are_decoded() {
    let json = r#"{"n\u0061me":"\u0070latform.report","trac\u0065Id":" \ud83d\ude00\" ","status":"succe\u0073s",
        "st\u0061rtTime":"2023-06-25T00:00:00\u002e25Z","metrics":{"durationM\u0073":"1\u0032.5"},"a\u0062":"\n"}"#;
    let TelemetryEvent::Platform(report) = serde_json::from_str(json).unwrap() else {
        panic!("not a platform event");
    };
    assert_eq!(
        (report.kind(), report.name()),
        (PlatformEventKind::Report, "platform.report")
    );
    assert_eq!(report.trace_id(), Some("😀\""));
    assert!(report.is_success() && report.start_time().is_some());
    assert_eq!(report.metrics().unwrap().duration_ms(), Some(12.5));
    assert_eq!(others(&report), [("ab".to_owned(), r#""\n""#.to_owned())]);
    assert_eq!(report.field("ab"), Some("\n".to_owned()));
    assert_eq!(report.json(), json);
}

#[test]
fn unpaired_surrogates_are_replaced() {
    let json = r#"{"type": "function", "traceId": "\ud800", "record": "a\udc00b"}"#;
    let TelemetryEvent::Function(log) = serde_json::from_str(json).unwrap() else {
        panic!("not a log event");
    };
    assert_eq!(log.text(), "a\u{fffd}b");
    assert_eq!(log.trace_id(), Some("\u{fffd}"));
    assert_eq!(log.json(), json);
}

#[test]
fn last_of_several_fields_with_the_same_name_wins() {
    let json = r#"{"name": "platform.report", "name": "platform.start", "traceId": 1, "traceId": "2",
        "status": "success", "status": null, "a": 1, "a": 2}"#;
    let TelemetryEvent::Platform(start) = serde_json::from_str(json).unwrap() else {
        panic!("not a platform event");
    };
    assert_eq!(
        (start.kind(), start.trace_id()),
        (PlatformEventKind::Start, Some("2"))
    );
    assert_eq!((start.status(), start.field("a")), (None, Some(2)));
    let others = others(&start);
    let names: Vec<_> = others.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["status", "status", "a", "a"]);
    assert_eq!(start.json(), json);
}

#[test]
fn numbers_of_any_size_are_preserved() {
    let json = r#"{"name":"platform.report","big":123456789012345678901234567890,"huge":1e999,
        "metrics":{"durationMs":1e999,"billedDurationMs":"inf","memorySizeMB":1.0e2}}"#;
    let TelemetryEvent::Platform(report) = serde_json::from_str(json).unwrap() else {
        panic!("not a platform event");
    };
    assert_eq!(
        report.field("big"),
        Some(123_456_789_012_345_678_901_234_567_890_u128)
    );
    assert_eq!(report.field::<f64>("huge"), None);
    let metrics = report.metrics().unwrap();
    assert_eq!(
        (metrics.duration_ms(), metrics.billed_duration_ms()),
        (None, None)
    );
    assert_eq!(metrics.memory_size_mb(), Some(100.0));
    assert_eq!(serde_json::to_string(&report).unwrap(), json);
}

#[test]
fn debug_output_is_the_json() {
    let event = read(&json!({"name": "platform.start"}));
    assert_eq!(
        format!("{event:?}"),
        r#"Platform(PlatformEvent({"name":"platform.start"}))"#
    );
}

#[test]
fn kind_is_determined_by_name_or_type() {
    assert!(matches!(
        read(&json!({"type": "platform", "name": "start"})),
        TelemetryEvent::Platform(event) if event.kind() == PlatformEventKind::Start
    ));
    assert!(matches!(
        read(&json!({"name": "function"})),
        TelemetryEvent::Function(_)
    ));
    assert!(matches!(
        read(&json!({"name": "function", "type": "extension"})),
        TelemetryEvent::Extension(_)
    ));
    assert!(matches!(
        read(&json!({"type": "platform"})),
        TelemetryEvent::Platform(event) if event.kind() == PlatformEventKind::Unknown
    ));
}

#[test]
fn unknown_events_are_preserved() {
    for value in [
        json!({}),
        json!({"name": "start", "startTime": "now", "metrics": {"a": null}, "record": 1}),
        json!({"type": ["function"], "time": 5}),
        json!({"type": "functions"}),
        json!([]),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(0.1),
    ] {
        let event = read(&value);
        assert!(
            matches!(&event, TelemetryEvent::Unknown(event) if *event.json() == *value.to_string())
        );
        assert_eq!(serde_json::to_value(event).unwrap(), value);
    }
}
