//! Builds log records from the logs of functions and extensions, and from events that do not become spans.

mod correlation;
mod line;
mod severity;

use std::time::SystemTime;

use fg_extension::{LogEvent, PlatformEvent};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};
use serde_json::{Map, Value};

use self::correlation::{Correlation, LogContent};
use super::MAX_ID_BYTES;
use super::any_value::{any_value, attribute};
use super::bounded_json::{Body, are_other_fields_within_limits, prefix, value};
use super::ids::TraceId;
use super::spans::{Outcome, SpanTracker};
use super::timestamps::unix_nanos;

/// Creates a log record for a log event, correlated with the span of its invocation.
pub(crate) fn from_log_event(
    kind: &'static str,
    event: &LogEvent,
    spans: &SpanTracker,
    now: SystemTime,
) -> LogRecord {
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
    let content = LogContent::read(body.as_ref().map(|body| &body.value));
    let time = event.time();
    let correlation = content
        .own_span(spans)
        .or_else(|| content.known_invocation(Some(&fields), spans))
        .or_else(|| content.named_invocation(Some(&fields)))
        .or_else(|| {
            let span = spans.running(time.or_else(|| content.time()))?;
            Some(Correlation::with_trace(span.trace, span.id.as_deref()))
        });
    let mut log = record(kind, now);
    content.describe(&mut log, time, correlation.as_ref());
    correlate(&mut log, correlation);
    set_body(&mut log, body);
    if let (None, Some(text)) = (time, event.field::<String>("time")) {
        // Keep a time that cannot be parsed, for people to read.
        fields.insert("time".to_owned(), text.trim().into());
    }
    // The names of the fields differ from each other.
    let own = log.attributes.len();
    for (name, value) in fields.into_iter().filter(|(name, _)| !name.is_empty()) {
        let key = format!("functiongraph.{name}");
        let mut known = log.attributes.iter().take(own);
        if !known.any(|attribute| attribute.key == key) {
            log.attributes.push(attribute(key, value));
        }
    }
    log
}

/// Creates a log record for a platform event that does not become a span.
pub(crate) fn from_platform_event(event: &PlatformEvent, now: SystemTime) -> LogRecord {
    let mut log = record("platform", now);
    set_body(&mut log, Some(Body::of_json(event.json())));
    log.event_name = prefix(event.name(), MAX_ID_BYTES).to_owned();
    let time = event.start_time().or_else(|| event.end_time());
    log.time_unix_nano = time.map_or(0, unix_nanos);
    let id = event
        .trace_id()
        .filter(|id| (1..=MAX_ID_BYTES).contains(&id.len()));
    correlate(&mut log, id.map(Correlation::new));
    log
}

/// Creates a log record for a platform event that arrived after its span was emitted.
pub(crate) fn from_late_event(
    event: &PlatformEvent,
    trace: TraceId,
    outcome: Outcome,
    now: SystemTime,
) -> LogRecord {
    let mut log = from_platform_event(event, now);
    if outcome.is_failure() {
        log.severity_number = SeverityNumber::Error.into();
        log.severity_text = "ERROR".to_owned();
    }
    log.trace_id = trace.bytes();
    log.span_id = trace.root_span_id();
    log
}

/// Creates a log record for an unknown event.
pub(crate) fn from_unknown(json: &str, spans: &SpanTracker, now: SystemTime) -> LogRecord {
    let body = Body::of_json(json);
    let event = &body.value;
    let content = LogContent::read(Some(event));
    let mut log = record("unknown", now);
    // The event is its own envelope. It need not belong to the running invocation.
    let correlation = content
        .own_span(spans)
        .or_else(|| content.known_invocation(None, spans))
        .or_else(|| content.named_invocation(event.as_object()));
    content.describe(&mut log, None, correlation.as_ref());
    correlate(&mut log, correlation);
    set_body(&mut log, Some(body));
    log
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

/// Sets the span of a log record.
fn correlate(log: &mut LogRecord, correlation: Option<Correlation<'_>>) {
    let Some(correlation) = correlation else {
        return;
    };
    log.trace_id = correlation.trace_id;
    log.span_id = correlation.span_id;
    if let Some(id) = correlation.request_id {
        log.attributes
            .push(attribute("faas.invocation_id", id.into_owned()));
    }
}
