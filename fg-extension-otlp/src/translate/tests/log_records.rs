//! Tests of log records: their bodies, times, severities, and attributes.

use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};
use serde_json::{Value, json};

use super::log_correlation::{assert_correlated, assert_uncorrelated};
use super::{Harness, ID, URN, any, at, attribute, nanos, text, time};

impl Harness {
    pub(super) fn log(&mut self, event: Value) -> LogRecord {
        self.event(event);
        self.out.log_records.remove(0)
    }

    pub(super) fn line(&mut self, line: &str) -> LogRecord {
        self.log(json!({"type": "function", "record": line}))
    }
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
fn large_object_has_the_level_the_time_and_the_ids_of_its_short_fields() {
    let mut harness = Harness::new();
    harness.start(ID);
    harness.start("1");
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let fields = json!({
        "level": "ERROR", "requestId": ID, "span_id": "00f067aa0ba902b7", "time": time(7), "trace_id": trace_id,
        "user": "x".repeat(1 << 16),
    });
    let line = fields.to_string();
    let prefixed = format!("2023-06-25T00:00:00.009Z {ID} INFO {line}");
    for record in [&fields, &line.into(), &prefixed.into()] {
        let log = harness.log(json!({"type": "function", "record": record}));
        assert_eq!(log.severity_number(), SeverityNumber::Error);
        assert_eq!(log.severity_text, "ERROR");
        assert_eq!(log.time_unix_nano, nanos(7));
        assert_eq!(
            attribute(&log.attributes, "faas.invocation_id"),
            Some(&text(ID))
        );
        assert_eq!(
            log.trace_id,
            u128::from_str_radix(trace_id, 16).unwrap().to_be_bytes()
        );
    }
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
