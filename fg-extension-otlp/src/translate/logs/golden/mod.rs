//! Real lines of loggers, and what a person reads in them.
//!
//! Each line of `lines.jsonl` names the logger and the line. `severity` is the short name of the severity number, `text` the
//! level as the line spells it, and `time`, `trace_id`, and `span_id` are what the line says about them. What is missing is
//! not in the line.

use std::fmt::Write as _;
use std::time::UNIX_EPOCH;

use opentelemetry_proto::tonic::logs::v1::LogRecord;
use serde_json::{Map, Value, json};

use crate::translate::any_value::any_value;
use crate::translate::logs::from_log_event;
use crate::translate::spans::SpanTracker;
use crate::translate::timestamps::{unix_nanos, zoned_time};

const LINES: &str = include_str!("lines.jsonl");

/// The time of the event around each line.
const EVENT_TIME: &str = "2020-01-01T00:00:00Z";

#[test]
fn severity_time_and_trace_are_what_a_person_reads() {
    let mut failures = String::new();
    for line in LINES.lines() {
        let golden: Map<String, Value> = serde_json::from_str(line).unwrap();
        let text = |name: &str| golden.get(name).and_then(Value::as_str).unwrap_or_default();
        let record = text("line");
        // A line that a platform has parsed already is read like its text.
        let parsed = serde_json::from_str(record).ok().filter(Value::is_object);
        for record in [Some(Value::from(record)), parsed].into_iter().flatten() {
            let log = translate(&record);
            let time = zoned_time(text("time")).or_else(|| zoned_time(EVENT_TIME));
            let time = time.map_or(0, unix_nanos);
            let expected = (
                text("severity"),
                text("text"),
                time,
                text("trace_id"),
                text("span_id"),
            );
            let severity = log.severity_number().as_str_name();
            let severity = severity
                .trim_start_matches("SEVERITY_NUMBER_")
                .replace("UNSPECIFIED", "");
            let (trace_id, span_id) = (hex(&log.trace_id), hex(&log.span_id));
            let actual = (
                &severity[..],
                &log.severity_text[..],
                log.time_unix_nano,
                &trace_id[..],
                &span_id[..],
            );
            if actual != expected {
                let logger = text("logger");
                write!(
                    failures,
                    "\n{logger}: {record:?}\n    {actual:?} instead of {expected:?}"
                )
                .unwrap();
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn enough_loggers_and_sentences_are_covered() {
    let lines: Vec<Value> = LINES
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let logger = |line: &Value| {
        line["logger"]
            .as_str()
            .unwrap()
            .split(',')
            .next()
            .unwrap()
            .to_owned()
    };
    let mut loggers: Vec<_> = lines.iter().map(logger).collect();
    let sentences = loggers.iter().filter(|logger| *logger == "prose").count();
    loggers.sort();
    loggers.dedup();
    assert!(lines.len() >= 200, "{} lines", lines.len());
    assert!(loggers.len() >= 25, "{} loggers", loggers.len());
    assert!(sentences >= 50, "{sentences} sentences");
}

#[test]
fn any_text_can_be_read() {
    const INSERTED: [&str; 12] = [
        "é", "：", "\u{1b}", "[", "]", "\n", "错误", "=", "\"", " ", "{", "0",
    ];
    let lines: Vec<Value> = LINES
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    // A linear congruential generator, so that the texts are the same in each run.
    let mut state = 7_usize;
    let mut next = |len: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % len
    };
    for _ in 0..5_000 {
        let mut text: Vec<char> = lines[next(lines.len())]["line"]
            .as_str()
            .unwrap()
            .chars()
            .collect();
        for _ in 0..1 + next(3) {
            let (start, end) = (next(text.len() + 1), next(8));
            let end = (start + end / 4).min(text.len());
            text.splice(start..end, INSERTED[next(INSERTED.len())].chars());
        }
        let text: String = text.into_iter().collect();
        let log = translate(&Value::from(text.as_str()));
        assert_eq!(log.body, Some(any_value(text.into())));
    }
}

fn translate(record: &Value) -> LogRecord {
    let event = json!({"type": "function", "time": EVENT_TIME, "record": record}).to_string();
    let event = match serde_json::from_str(&event).unwrap() {
        fg_extension::TelemetryEvent::Function(event) => event,
        event => panic!("{event:?}"),
    };
    let mut log = from_log_event("function", &event, &SpanTracker::default(), UNIX_EPOCH).0;
    // The platform's prefix names an invocation, of which the trace is not in the line.
    let id = log
        .attributes
        .iter()
        .any(|attribute| attribute.key == "faas.invocation_id");
    if id && hex(&log.trace_id) == "3da1f2dc3222475e9205e2e6c6318895" {
        log.trace_id.clear();
        log.span_id.clear();
    }
    log
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
