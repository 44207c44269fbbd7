//! Finds the span, the time, and the severity in the body of a log record.

use std::borrow::Cow;
use std::time::SystemTime;

use opentelemetry_proto::tonic::logs::v1::LogRecord;
use serde_json::{Map, Value};

use super::line::{ParsedLine, RequestId, uuids};
use super::severity::Severity;
use crate::translate::bounded_json::{MAX_JSON_BYTES, decode, prefix};
use crate::translate::ids::TraceId;
use crate::translate::spans::{Phase, SpanTracker};
use crate::translate::timestamps::{epoch_time, unix_nanos, zoned_time};

/// The parsed body of a log record.
pub(super) struct LogContent<'a> {
    text: Option<&'a str>,
    line: Option<ParsedLine<'a>>,
    /// The fields, if the body is an object or a line that contains one.
    fields: Option<Cow<'a, Map<String, Value>>>,
}

/// The span that a log record belongs to, and the ID of the invocation.
pub(super) struct Correlation<'a> {
    pub(super) trace_id: Vec<u8>,
    pub(super) span_id: Vec<u8>,
    pub(super) request_id: Option<Cow<'a, str>>,
}

impl<'a> Correlation<'a> {
    /// Refers to the invocation with this ID.
    pub(super) fn new(id: &'a str) -> Self {
        Self::with_trace(TraceId::of(id), Some(id))
    }

    /// Refers to the invocation with this trace.
    pub(super) fn with_trace(trace: TraceId, id: Option<&'a str>) -> Self {
        Self {
            trace_id: trace.bytes(),
            span_id: trace.root_span_id(),
            request_id: id.map(Cow::Borrowed),
        }
    }
}

impl<'a> LogContent<'a> {
    /// Parses a body.
    pub(super) fn read(body: Option<&'a Value>) -> Self {
        let text = body.and_then(Value::as_str);
        let fields = match body {
            Some(Value::Object(fields)) => Some(Cow::Borrowed(fields)),
            _ => text
                .filter(|text| text.trim_start().starts_with('{'))
                .and_then(decode)
                .and_then(into_object)
                .map(Cow::Owned),
        };
        // A long text is not searched completely, which would take long.
        let text = text.map(|text| prefix(text, MAX_JSON_BYTES));
        Self {
            text,
            line: text.map(ParsedLine::parse),
            fields,
        }
    }

    /// Returns the span that the function itself names, in its own W3C trace.
    pub(super) fn own_span(&self, spans: &SpanTracker) -> Option<Correlation<'static>> {
        let fields = self.fields.as_deref()?;
        let trace = texts(fields, &["trace_id"]).find(|id| is_hex(id, 32))?;
        let span = texts(fields, &["span_id"]).find(|id| is_hex(id, 16))?;
        if spans.knows(TraceId::of(trace), Phase::Invocation) {
            return None;
        }
        let trace = u128::from_str_radix(trace, 16).ok()?;
        let span = u64::from_str_radix(span, 16).ok()?;
        (trace != 0 && span != 0).then(|| Correlation {
            trace_id: trace.to_be_bytes().to_vec(),
            span_id: span.to_be_bytes().to_vec(),
            request_id: None,
        })
    }

    /// Returns the first invocation that is named and known. Other IDs in a body can be the IDs of anything.
    pub(super) fn known_invocation<'b>(
        &'b self,
        envelope: Option<&'b Map<String, Value>>,
        spans: &SpanTracker,
    ) -> Option<Correlation<'b>> {
        let fields = envelope.into_iter().chain(self.fields.as_deref());
        let named = fields.flat_map(|fields| texts(fields, &["traceId", "requestId", "trace_id"]));
        let in_line = self.line.as_ref().and_then(|line| match line.id.as_ref()? {
            RequestId::Certain(id) | RequestId::Possible(id) => Some(*id),
        });
        // Anywhere else in a text, only the ID of an open invocation counts, since an old ID may be there for any
        // reason.
        let mut in_text = uuids(self.text.unwrap_or_default());
        named
            .chain(in_line)
            .find(|id| spans.knows(TraceId::of(id), Phase::Invocation))
            .or_else(|| in_text.find(|id| spans.is_open(TraceId::of(id))))
            .map(Correlation::new)
    }

    /// Returns the invocation that the platform names, in the envelope of an event or in one of its own lines.
    pub(super) fn named_invocation<'b>(
        &'b self,
        envelope: Option<&'b Map<String, Value>>,
    ) -> Option<Correlation<'b>> {
        let in_envelope =
            envelope.and_then(|fields| texts(fields, &["traceId", "requestId"]).next());
        let in_line = || match self.line.as_ref()?.id.as_ref()? {
            RequestId::Certain(id) => Some(*id),
            RequestId::Possible(_) => None,
        };
        in_envelope.or_else(in_line).map(Correlation::new)
    }

    /// Returns the time in the body.
    pub(super) fn time(&self) -> Option<SystemTime> {
        let field = |name: &&str| read_time(self.fields.as_ref()?.get(*name)?);
        ["time", "timestamp", "@timestamp", "ts"]
            .iter()
            .find_map(field)
            .or_else(|| self.line.as_ref()?.time)
    }

    /// Sets the severity and the time of a log record, as far as they are known.
    pub(super) fn describe(
        &self,
        log: &mut LogRecord,
        time: Option<SystemTime>,
        correlation: Option<&Correlation<'_>>,
    ) {
        let severity = match (&self.fields, self.text) {
            (Some(fields), _) => Severity::of_object(fields),
            (None, Some(text)) => Severity::of_line(
                text,
                correlation.and_then(|correlation| correlation.request_id.as_deref()),
            ),
            (None, None) => None,
        };
        if let Some(severity) = severity {
            log.severity_number = severity.number.into();
            log.severity_text = severity.text;
        }
        log.time_unix_nano = time.or_else(|| self.time()).map_or(0, unix_nanos);
    }
}

fn into_object(json: Value) -> Option<Map<String, Value>> {
    match json {
        Value::Object(fields) => Some(fields),
        _ => None,
    }
}

/// Returns the values of these fields that are non-empty strings.
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

fn read_time(value: &Value) -> Option<SystemTime> {
    match value {
        Value::String(text) => zoned_time(text),
        Value::Number(number) => epoch_time(number),
        _ => None,
    }
}
