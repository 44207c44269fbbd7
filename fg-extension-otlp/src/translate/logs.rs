use std::borrow::Cow;
use std::time::SystemTime;

use fg_extension::{LogEvent, PlatformEvent, Timestamp};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, SeverityNumber};
use serde_json::{Map, Value};

use super::ids::TraceId;
use super::line::{Id, Line, uuids};
use super::severity::Severity;
use super::span::Phase;
use super::spans::Spans;
use super::value::{any, attribute, counted, nanos, zoned};

/// What the function or an extension logged, bound to the span of its invocation.
pub(super) fn of_log(
    kind: &'static str,
    event: &LogEvent,
    spans: &Spans,
    now: SystemTime,
) -> LogRecord {
    let content = Content::of(event.record.as_ref());
    let time = event.time.as_ref().and_then(Timestamp::time);
    let owner = content
        .context(spans)
        .or_else(|| content.known(Some(&event.other), spans))
        .or_else(|| content.told(Some(&event.other)))
        .or_else(|| {
            let span = spans.running(time.or_else(|| content.time()))?;
            Some(Owner::of(span.trace, span.id.as_deref()))
        });
    let mut log = record(kind, event.record.clone(), now);
    content.describe(&mut log, time, owner.as_ref());
    bind(&mut log, owner);
    let mut fields = event.other.clone();
    if let (None, Some(text)) = (time, event.time.as_ref().and_then(Timestamp::as_str)) {
        // A time that cannot be read is for the reader.
        fields.insert("time".to_owned(), text.into());
    }
    for (name, value) in fields.into_iter().filter(|(name, _)| !name.is_empty()) {
        let key = format!("functiongraph.{name}");
        if !log.attributes.iter().any(|attribute| attribute.key == key) {
            log.attributes.push(attribute(key, value));
        }
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

/// A failure that was told when its span had been emitted.
pub(super) fn of_failure(event: &PlatformEvent, trace: TraceId, now: SystemTime) -> LogRecord {
    let mut log = of_platform(event, now);
    log.severity_number = SeverityNumber::Error.into();
    log.severity_text = "ERROR".to_owned();
    log.trace_id = trace.bytes();
    log.span_id = trace.span();
    log
}

/// What is not known to be anything.
pub(super) fn of_unknown(event: &Value, spans: &Spans, now: SystemTime) -> LogRecord {
    let content = Content::of(Some(event));
    let mut log = record("unknown", Some(event.clone()), now);
    // The event is its own envelope; nobody says that it is of the invocation that runs.
    let owner = content
        .context(spans)
        .or_else(|| content.known(None, spans))
        .or_else(|| content.told(event.as_object()));
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

/// The span that something belongs to, and the ID of the invocation.
struct Owner<'a> {
    trace_id: Vec<u8>,
    span_id: Vec<u8>,
    id: Option<Cow<'a, str>>,
}

impl<'a> Owner<'a> {
    fn new(id: &'a str) -> Self {
        Self::of(TraceId::of(id), Some(id))
    }

    fn of(trace: TraceId, id: Option<&'a str>) -> Self {
        Self {
            trace_id: trace.bytes(),
            span_id: trace.span(),
            id: id.map(Cow::Borrowed),
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

    /// The span that the function itself says the record is of, in a trace of its own (W3C).
    fn context(&self, spans: &Spans) -> Option<Owner<'static>> {
        let fields = self.fields.as_deref()?;
        let trace = texts(fields, &["traceId", "trace_id"]).find(|id| is_hex(id, 32))?;
        let span = texts(fields, &["spanId", "span_id"]).find(|id| is_hex(id, 16))?;
        if spans.knows(TraceId::of(trace), Phase::Invocation) {
            return None;
        }
        let trace = u128::from_str_radix(trace, 16).ok()?;
        let span = u64::from_str_radix(span, 16).ok()?;
        (trace != 0 && span != 0).then(|| Owner {
            trace_id: trace.to_be_bytes().to_vec(),
            span_id: span.to_be_bytes().to_vec(),
            id: None,
        })
    }

    /// The first invocation that is named, and known: what else a body has may be the ID of anything.
    fn known<'b>(
        &'b self,
        envelope: Option<&'b Map<String, Value>>,
        spans: &Spans,
    ) -> Option<Owner<'b>> {
        let fields = envelope.into_iter().chain(self.fields.as_deref());
        let named = fields
            .flat_map(|fields| texts(fields, &["traceId", "requestId", "trace_id", "request_id"]));
        let in_line = self.line.as_ref().and_then(|line| match line.id.as_ref()? {
            Id::Certain(id) | Id::Possible(id) => Some(*id),
        });
        // Elsewhere in a text, the ID of an invocation that is over may be there for any reason.
        let mut in_text = uuids(self.text.unwrap_or_default());
        named
            .chain(in_line)
            .find(|id| spans.knows(TraceId::of(id), Phase::Invocation))
            .or_else(|| in_text.find(|id| spans.is_open(TraceId::of(id))))
            .map(Owner::new)
    }

    /// The invocation that the platform names, in the envelope of an event or in a line of its own.
    fn told<'b>(&'b self, envelope: Option<&'b Map<String, Value>>) -> Option<Owner<'b>> {
        let in_envelope =
            envelope.and_then(|fields| texts(fields, &["traceId", "requestId"]).next());
        let in_line = || match self.line.as_ref()?.id.as_ref()? {
            Id::Certain(id) => Some(*id),
            Id::Possible(_) => None,
        };
        in_envelope.or_else(in_line).map(Owner::new)
    }

    /// When it was logged, as the body tells.
    fn time(&self) -> Option<SystemTime> {
        let field = |name: &&str| read_time(self.fields.as_ref()?.get(*name)?);
        ["time", "timestamp", "@timestamp", "ts"]
            .iter()
            .find_map(field)
            .or_else(|| self.line.as_ref()?.time)
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
        log.time_unix_nano = time.or_else(|| self.time()).map_or(0, nanos);
    }
}

/// The texts of those fields that have one.
fn texts<'a>(
    fields: &'a Map<String, Value>,
    names: &'static [&'static str],
) -> impl Iterator<Item = &'a str> {
    names
        .iter()
        .filter_map(|name| Some(fields.get(*name)?.as_str()?.trim()))
        .filter(|text| !text.is_empty())
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
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
    log.trace_id = owner.trace_id;
    log.span_id = owner.span_id;
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
