//! Tests of deserializing and serializing events.

use serde_json::{Value, json};

use crate::{PlatformEvent, TelemetryEvent};

fn read(value: &Value) -> TelemetryEvent {
    serde_json::from_str(&value.to_string()).unwrap()
}

fn platform(value: &Value) -> PlatformEvent {
    match read(value) {
        TelemetryEvent::Platform(event) => event,
        other => panic!("{other:?}"),
    }
}

#[test]
fn names_are_matched_case_insensitively() {
    type SubtypePredicate = fn(&PlatformEvent) -> bool;
    let subtypes: [(&str, SubtypePredicate); 11] = [
        ("platform.initStart", |it| {
            matches!(it, PlatformEvent::InitStart(_))
        }),
        ("platform.initRuntimeDone", |it| {
            matches!(it, PlatformEvent::InitRuntimeDone(_))
        }),
        ("platform.initReport", |it| {
            matches!(it, PlatformEvent::InitReport(_))
        }),
        ("platform.start", |it| matches!(it, PlatformEvent::Start(_))),
        ("platform.RuntimeDone", |it| {
            matches!(it, PlatformEvent::RuntimeDone(_))
        }),
        ("platform.report", |it| {
            matches!(it, PlatformEvent::Report(_))
        }),
        ("platform.restoreStart", |it| {
            matches!(it, PlatformEvent::RestoreStart(_))
        }),
        ("platform.restoreRuntimeDone", |it| {
            matches!(it, PlatformEvent::RestoreRuntimeDone(_))
        }),
        ("platform.restoreReport", |it| {
            matches!(it, PlatformEvent::RestoreReport(_))
        }),
        ("platform.fault", |it| {
            matches!(it, PlatformEvent::Unknown(_))
        }),
        ("platform.", |it| matches!(it, PlatformEvent::Unknown(_))),
    ];
    for (name, is) in subtypes {
        for name in [name.to_owned(), name.to_uppercase(), format!(" {name} ")] {
            for key in ["name", "type"] {
                let event = platform(&json!({key: name, "traceId": "1"}));
                assert!(is(&event), "{event:?}");
                assert_eq!(event.name(), name.trim());
                assert_eq!(
                    serde_json::to_value(&event).unwrap(),
                    json!({key: name.trim(), "traceId": "1"})
                );
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
    let record = event.record();
    let duration = record
        .end_time
        .as_ref()
        .unwrap()
        .time()
        .unwrap()
        .duration_since(record.start_time.as_ref().unwrap().time().unwrap());
    assert_eq!(duration.unwrap().as_micros(), 13_200);
    assert_eq!(
        record.trace_id.as_deref(),
        Some("3da1f2dc-3222-475e-9205-e2e6c6318895")
    );
    assert!(record.is_success());
    let metrics = record.metrics.as_ref().unwrap();
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
    assert_eq!(metrics.get("threads"), Some(&json!(3)));
    assert_eq!(metrics.iter().count(), 5);
    assert_eq!(record.other["spans"], json!([{"a": 1}]));
    assert_eq!(serde_json::to_value(&event).unwrap(), report);
}

#[test]
fn only_success_is_a_success() {
    let is_success = |status: Value| {
        let event = platform(&json!({"name": "platform.RuntimeDone", "status": status}));
        event.record().is_success()
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
    let record = platform.record();
    assert!(record.start_time.is_none() && record.trace_id.is_none() && record.metrics.is_none());
    assert_eq!(record.other.len(), 8);
    assert_eq!(serde_json::to_value(&platform).unwrap(), event);
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
        assert!(log.time.as_ref().unwrap().time().is_some());
        let text = record.as_str().map_or(record.to_string(), str::to_owned);
        assert_eq!(
            (log.record.as_ref(), &*log.text()),
            (Some(&record), text.as_str())
        );
        assert_eq!(log.trace_id(), record.get("requestId").map(|_| "1"));
        let mut expected = value.clone();
        expected["type"] = kind.trim().into();
        assert_eq!(serde_json::to_value(&event).unwrap(), expected);
    }
    let TelemetryEvent::Function(log) = read(&json!({"type": "function", "traceId": "2"})) else {
        panic!("not a log event");
    };
    assert_eq!(
        (log.record.as_ref(), &*log.text(), log.trace_id()),
        (None, "", Some("2"))
    );
}

#[test]
fn kind_is_determined_by_name_or_type() {
    assert!(matches!(
        read(&json!({"type": "platform", "name": "start"})),
        TelemetryEvent::Platform(PlatformEvent::Start(_))
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
        TelemetryEvent::Platform(PlatformEvent::Unknown(_))
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
        assert_eq!(event, TelemetryEvent::Unknown(value.clone()));
        assert_eq!(serde_json::to_value(event).unwrap(), value);
    }
}
