use std::borrow::Cow;
use std::time::SystemTime;

use fg_extension::{LogEvent, PlatformEvent, Timestamp};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use serde_json::{Map, Value};

use super::ids::TraceId;
use super::line::{Id, Line, uuids};
use super::severity::Severity;
use super::span::Phase;
use super::spans::Spans;
use super::value::{any, attribute, attributes, counted, nanos, zoned};

/// What the function or an extension logged, bound to the span of its invocation.
pub(super) fn of_log(
    kind: &'static str,
    event: &LogEvent,
    spans: &Spans,
    now: SystemTime,
) -> LogRecord {
    let content = Content::of(event.record.as_ref());
    let owner = event
        .trace_id()
        .map(Owner::new)
        .or_else(|| content.owner(spans))
        .or_else(|| {
            let span = spans.running()?;
            Some(Owner {
                trace: span.trace,
                id: span.id.as_deref().map(Cow::Borrowed),
            })
        });
    let time = event.time.as_ref().and_then(Timestamp::time);
    let mut log = record(kind, event.record.clone(), now);
    content.describe(&mut log, time, owner.as_ref());
    bind(&mut log, owner);
    log.attributes.extend(attributes(&event.other));
    if let (None, Some(text)) = (time, event.time.as_ref().and_then(Timestamp::as_str)) {
        // A time that cannot be read is for the reader.
        log.attributes.push(attribute("time", text));
    }
    log
}

/// A platform event that makes no span.
pub(super) fn of_platform(event: &PlatformEvent, now: SystemTime) -> LogRecord {
    let details = event.record();
    let mut log = record("platform", serde_json::to_value(event).ok(), now);
    log.event_name = event.name().to_owned();
    log.time_unix_nano = [&details.start_time, &details.end_time]
        .into_iter()
        .find_map(|time| time.as_ref()?.time())
        .map_or(0, nanos);
    let id = details.trace_id.as_deref().filter(|id| !id.is_empty());
    bind(&mut log, id.map(Owner::new));
    log
}

/// What is not known to be anything.
pub(super) fn of_unknown(event: &Value, spans: &Spans, now: SystemTime) -> LogRecord {
    let content = Content::of(Some(event));
    let mut log = record("unknown", Some(event.clone()), now);
    let owner = content.owner(spans);
    content.describe(&mut log, None, owner.as_ref());
    bind(&mut log, owner);
    log
}

/// What there is to read in the body of a log record.
struct Content<'a> {
    text: Option<&'a str>,
    line: Option<Line<'a>>,
    /// Of an object, or of a line that is one.
    fields: Option<Cow<'a, Map<String, Value>>>,
}

/// The invocation that something belongs to.
struct Owner<'a> {
    trace: TraceId,
    id: Option<Cow<'a, str>>,
}

impl<'a> Owner<'a> {
    fn new(id: &'a str) -> Self {
        Self {
            trace: TraceId::of(id),
            id: Some(id.into()),
        }
    }
}

impl<'a> Content<'a> {
    fn of(body: Option<&'a Value>) -> Self {
        let text = body.and_then(Value::as_str);
        let fields = match body {
            Some(Value::Object(fields)) => Some(Cow::Borrowed(fields)),
            _ => text
                .filter(|text| text.trim_start().starts_with('{'))
                .and_then(|text| serde_json::from_str(text).ok())
                .map(Cow::Owned),
        };
        Self {
            text,
            line: text.map(Line::read),
            fields,
        }
    }

    /// The invocation that the body names.
    fn owner(&self, spans: &Spans) -> Option<Owner<'_>> {
        let field = |name: &&str| self.fields.as_ref()?.get(*name)?.as_str();
        let id = ["traceId", "requestId", "request_id"]
            .iter()
            .find_map(field);
        if let Some(id) = id.map(str::trim).filter(|id| !id.is_empty()) {
            return Some(Owner::new(id));
        }
        match self.line.as_ref().and_then(|line| line.id.as_ref()) {
            Some(Id::Certain(id)) => return Some(Owner::new(id)),
            Some(Id::Possible(id)) if spans.knows(TraceId::of(id), Phase::Invocation) => {
                return Some(Owner::new(id));
            }
            _ => {}
        }
        // Elsewhere in a text, the ID of an invocation that is over may be there for any reason.
        uuids(self.text?)
            .find(|id| spans.open(TraceId::of(id)).is_some())
            .map(Owner::new)
    }

    /// Sets severity and time, as far as the body tells them.
    fn describe(&self, log: &mut LogRecord, time: Option<SystemTime>, owner: Option<&Owner<'_>>) {
        let severity = match (&self.fields, self.text) {
            (Some(fields), _) => Severity::of_object(fields),
            (None, Some(text)) => {
                Severity::of_line(text, owner.and_then(|owner| owner.id.as_deref()))
            }
            (None, None) => None,
        };
        if let Some(severity) = severity {
            log.severity_number = severity.number.into();
            log.severity_text = severity.text;
        }
        let of_fields = || {
            ["time", "timestamp", "@timestamp", "ts"]
                .iter()
                .find_map(|name| read_time(self.fields.as_ref()?.get(*name)?))
        };
        log.time_unix_nano = time
            .or_else(of_fields)
            .or_else(|| self.line.as_ref()?.time)
            .map_or(0, nanos);
    }
}

fn record(kind: &'static str, body: Option<Value>, now: SystemTime) -> LogRecord {
    LogRecord {
        observed_time_unix_nano: nanos(now),
        body: body.map(any),
        attributes: vec![attribute("functiongraph.log.type", kind)],
        ..LogRecord::default()
    }
}

fn bind(log: &mut LogRecord, owner: Option<Owner<'_>>) {
    let Some(owner) = owner else {
        return;
    };
    log.trace_id = owner.trace.bytes();
    log.span_id = owner.trace.span();
    if let Some(id) = owner.id {
        log.attributes
            .push(attribute("faas.invocation_id", id.into_owned()));
    }
}

fn read_time(value: &Value) -> Option<SystemTime> {
    match value {
        Value::String(text) => zoned(text),
        Value::Number(number) => counted(number),
        _ => None,
    }
}
