//! Builds log records from the logs of functions and extensions, and from events that do not become spans.

mod content;
mod correlation;
#[cfg(test)]
mod golden;
mod header;
mod line;
mod names;
mod severity;
mod time;
mod trace_context;

use std::collections::BTreeMap;
use std::time::SystemTime;

use fg_extension::{LogEvent, PlatformEvent};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};
use serde_json::{Map, Value};

use self::content::{LogContent, plain_text};
use self::correlation::Correlation;
pub(crate) use self::correlation::NamedTrace;
pub(crate) use self::line::{FINISH, finished_invocation};
use super::MAX_ID_BYTES;
use super::any_value::{any_value, attribute};
use super::bounded_json::{Body, are_other_fields_within_limits, prefix, value};
use super::ids::TraceId;
use super::snake_case::snake_case;
use super::spans::{Outcome, SpanTracker};
use super::timestamps::unix_nanos;

/// Creates a log record for a log event, correlated with the span of its invocation, or with the function's own span.
///
/// Also returns the function's own trace that the record names.
pub(crate) fn from_log_event(
    kind: &'static str,
    event: &LogEvent,
    spans: &SpanTracker,
    now: SystemTime,
) -> (LogRecord, Option<NamedTrace>) {
    let record_json = event.record_json();
    let has_few_fields =
        are_other_fields_within_limits(event.json(), record_json.unwrap_or_default());
    // Otherwise, the body is the whole event.
    let (body, mut fields): (_, Map<String, Value>) = match has_few_fields {
        true => {
            let other = event.other();
            let fields = other.map(|(name, json)| (name.into_owned(), value(json)));
            (record_json.map(Body::of_json), fields.collect())
        }
        false => (Some(Body::of_text(event.json())), Map::new()),
    };
    let text = plain_text(body.as_ref().map(|body| &body.value));
    let content = LogContent::read(body.as_ref().map(|body| &body.value), text.as_deref());
    // The time of the logger is that of the line. The platform's can be that at which it read the line.
    let time = content.time().or_else(|| event.time());
    let correlation = Correlation::find(&content, Some(&fields), Some(time), spans);
    let mut log = record(kind, now);
    describe(&mut log, &content, time);
    let named_trace = correlate(&mut log, correlation);
    drop(text);
    set_body(&mut log, body);
    if let (None, Some(text)) = (event.time(), event.field::<String>("time")) {
        // Keep a time that cannot be parsed, for people to read.
        fields.insert("time".to_owned(), text.trim().into());
    }
    let own: Vec<_> = log
        .attributes
        .iter()
        .map(|attribute| attribute.key.clone())
        .collect();
    let mut other = BTreeMap::new();
    for (name, value) in fields.into_iter().filter(|(name, _)| !name.is_empty()) {
        let key = ["functiongraph.", &snake_case(&name)].concat();
        // Two names can have the same spelling in snake case.
        if !own.contains(&key) {
            other.entry(key).or_insert(value);
        }
    }
    log.attributes
        .extend(other.into_iter().map(|(key, value)| attribute(key, value)));
    (log, named_trace)
}

/// Creates a log record for a platform event that does not become a span.
pub(crate) fn from_platform_event(
    event: &PlatformEvent,
    spans: &SpanTracker,
    now: SystemTime,
) -> LogRecord {
    let mut log = record("platform", now);
    set_body(&mut log, Some(Body::of_json(event.json())));
    log.event_name = prefix(event.name(), MAX_ID_BYTES).to_owned();
    let time = event.start_time().or_else(|| event.end_time());
    log.time_unix_nano = time.map_or(0, unix_nanos);
    let id = event
        .trace_id()
        .filter(|id| (1..=MAX_ID_BYTES).contains(&id.len()));
    correlate(&mut log, id.map(|id| Correlation::of_id(id, spans)));
    log
}

/// Creates a log record for a platform event that arrived after its span was emitted.
pub(crate) fn from_late_event(
    event: &PlatformEvent,
    trace: TraceId,
    outcome: Outcome,
    spans: &SpanTracker,
    now: SystemTime,
) -> LogRecord {
    let mut log = from_platform_event(event, spans, now);
    if outcome.is_failure() {
        log.severity_number = SeverityNumber::Error.into();
        log.severity_text = "ERROR".to_owned();
    }
    log.trace_id = trace.bytes();
    log.span_id = trace.root_span_id();
    log
}

/// Creates a log record for an unknown event.
///
/// Also returns the function's own trace that the event names.
pub(crate) fn from_unknown(
    json: &str,
    spans: &SpanTracker,
    now: SystemTime,
) -> (LogRecord, Option<NamedTrace>) {
    let body = Body::of_json(json);
    let text = plain_text(Some(&body.value));
    let content = LogContent::read(Some(&body.value), text.as_deref());
    let mut log = record("unknown", now);
    // The event is its own envelope. It need not belong to the running invocation.
    let correlation = Correlation::find(&content, body.value.as_object(), None, spans);
    describe(&mut log, &content, content.time());
    let named_trace = correlate(&mut log, correlation);
    drop(text);
    set_body(&mut log, Some(body));
    (log, named_trace)
}

/// Creates a log record without a body, a time, a severity, and a span.
fn record(kind: &'static str, now: SystemTime) -> LogRecord {
    LogRecord {
        observed_time_unix_nano: unix_nanos(now),
        attributes: vec![attribute("functiongraph.log.type", kind)],
        ..LogRecord::default()
    }
}

/// Sets the body of a log record, and an attribute with the length of its text if that was cut.
fn set_body(log: &mut LogRecord, body: Option<Body>) {
    if let Some(body) = body {
        let key = "functiongraph.log.original_length";
        let original_len = body.original_len.map(|len| attribute(key, len));
        log.attributes.extend(original_len);
        log.body = Some(any_value(body.value));
    }
}

/// Sets the severity and the time of a log record.
fn describe(log: &mut LogRecord, content: &LogContent<'_>, time: Option<SystemTime>) {
    if let Some(severity) = content.severity() {
        log.severity_number = severity.number.into();
        log.severity_text = severity.text;
    }
    log.time_unix_nano = time.map_or(0, unix_nanos);
}

/// Sets the span of a log record. Returns the function's own trace that the record names.
fn correlate(log: &mut LogRecord, correlation: Option<Correlation>) -> Option<NamedTrace> {
    let correlation = correlation?;
    log.trace_id = correlation.trace_id;
    log.span_id = correlation.span_id;
    log.flags = correlation.flags;
    if let Some(id) = correlation.request_id {
        log.attributes.push(attribute("faas.invocation_id", id));
    }
    correlation.named_trace
}
