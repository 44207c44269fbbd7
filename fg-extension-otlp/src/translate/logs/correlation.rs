//! Finds the invocation and the span that a log record belongs to.

use std::ops::ControlFlow;
use std::time::SystemTime;

use serde_json::{Map, Value};

use super::content::LogContent;
use super::line::{RequestId, uuids};
use super::names::{find, visit_objects};
use crate::translate::ids::TraceId;
use crate::translate::spans::{Phase, SpanTracker};

/// The span that a log record belongs to, and the ID of the invocation.
#[derive(Debug, Default)]
pub(super) struct Correlation {
    pub(super) trace_id: Vec<u8>,
    pub(super) span_id: Vec<u8>,
    pub(super) flags: u32,
    pub(super) request_id: Option<String>,
    pub(super) named_trace: Option<NamedTrace>,
}

/// A trace of the function itself that a log line names, and the invocation that the line belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct NamedTrace {
    pub(crate) invocation: TraceId,
    pub(crate) trace_id: [u8; 16],
    pub(crate) span_id: Option<[u8; 8]>,
    /// The W3C trace flags.
    pub(crate) flags: u32,
}

/// An invocation, and its ID as the record spells it.
struct Invocation<'a> {
    trace: TraceId,
    id: Option<&'a str>,
}

impl<'a> Invocation<'a> {
    fn new(id: &'a str) -> Self {
        Self {
            trace: TraceId::of(id),
            id: Some(id),
        }
    }

    fn is_known(&self, spans: &SpanTracker) -> bool {
        spans.knows(self.trace, Phase::Invocation)
    }
}

/// The names of the ID of an invocation, in order of precedence: the platform's name, and those of loggers.
const REQUEST_IDS: &[(&str, ())] = &[
    ("traceid", ()),
    ("requestid", ()),
    ("functionrequestid", ()),
    ("faasinvocationid", ()),
    ("invocationid", ()),
    ("awsrequestid", ()),
    ("xcffrequestid", ()),
    ("xrequestid", ()),
    ("executionid", ()),
];

impl Correlation {
    /// Refers to the invocation with this ID.
    pub(super) fn of_id(id: &str, spans: &SpanTracker) -> Self {
        Self::of_invocation(Invocation::new(id), spans)
    }

    /// Finds the span in the content of a record and in its envelope, the fields of the event around it. `running` is the
    /// time at which the invocation was running, if the record belongs to a running one.
    pub(super) fn find(
        content: &LogContent<'_>,
        envelope: Option<&Map<String, Value>>,
        running: Option<Option<SystemTime>>,
        spans: &SpanTracker,
    ) -> Option<Self> {
        let context = content.trace_context();
        let in_trace = || {
            let key = spans.invocation_of_trace(&context?.trace_id, running.flatten())?;
            Some(Invocation {
                trace: key.trace,
                id: None,
            })
        };
        let running = || {
            let span = spans.running(running?)?;
            Some(Invocation {
                trace: span.trace,
                id: span.id.as_deref(),
            })
        };
        let invocation = known_invocation(content, envelope, spans)
            .or_else(|| named_invocation(content, envelope))
            .or_else(in_trace)
            .or_else(|| mentioned_invocation(content, spans))
            .or_else(running);
        let Some(context) = context else {
            return Some(Self::of_invocation(invocation?, spans));
        };
        let trace = TraceId::from_array(context.trace_id);
        let named_trace = invocation
            .as_ref()
            .filter(|invocation| invocation.trace != trace);
        let named_trace = named_trace.map(|invocation| NamedTrace {
            invocation: invocation.trace,
            trace_id: context.trace_id,
            span_id: context.span_id,
            flags: context.flags.into(),
        });
        let is_own = invocation
            .as_ref()
            .is_some_and(|invocation| invocation.trace == trace);
        let span_of_invocation = || {
            if is_own {
                trace.root_span_id()
            } else {
                Vec::new()
            }
        };
        Some(Self {
            trace_id: context.trace_id.to_vec(),
            span_id: context.span_id.map_or_else(span_of_invocation, Vec::from),
            flags: context.flags.into(),
            request_id: invocation.and_then(|invocation| request_id(&invocation, spans)),
            named_trace,
        })
    }

    fn of_invocation(invocation: Invocation<'_>, spans: &SpanTracker) -> Self {
        Self {
            trace_id: invocation.trace.bytes(),
            span_id: invocation.trace.root_span_id(),
            request_id: request_id(&invocation, spans),
            ..Self::default()
        }
    }
}

/// Returns the ID of an invocation as the platform spells it or, if the invocation is unknown, as the record does.
fn request_id(invocation: &Invocation<'_>, spans: &SpanTracker) -> Option<String> {
    let known = spans.invocation(invocation.trace, None);
    let known = known.and_then(|key| spans.request_id(key));
    let id = known.or(invocation.id);
    id.map(|id| id.trim().to_owned())
}

/// Returns the first invocation that is named and known: by the event, by its line, and by the fields of the record.
fn known_invocation<'b>(
    content: &'b LogContent<'_>,
    envelope: Option<&'b Map<String, Value>>,
    spans: &SpanTracker,
) -> Option<Invocation<'b>> {
    let in_line = content
        .line
        .as_ref()
        .and_then(|line| match line.id.as_ref()? {
            RequestId::Certain(id) | RequestId::Possible(id) => Some(*id),
        });
    let in_envelope = envelope.map(ids_of_object).unwrap_or_default();
    let in_fields = content
        .fields
        .as_deref()
        .map(ids_of_object)
        .unwrap_or_default();
    let mut ids = in_envelope
        .into_iter()
        .chain(in_line)
        .chain(in_fields)
        .map(Invocation::new);
    ids.find(|invocation| invocation.is_known(spans))
}

/// Returns the invocation that the platform names, in the envelope of an event or in one of its own lines.
fn named_invocation<'b>(
    content: &'b LogContent<'_>,
    envelope: Option<&'b Map<String, Value>>,
) -> Option<Invocation<'b>> {
    let in_envelope = envelope.and_then(|fields| {
        let mut names = ["traceId", "requestId"].iter();
        names.find_map(|name| Some(fields.get(*name)?.as_str()?.trim()).filter(|id| !id.is_empty()))
    });
    let in_line = || match content.line.as_ref()?.id.as_ref()? {
        RequestId::Certain(id) => Some(*id),
        RequestId::Possible(_) => None,
    };
    in_envelope.or_else(in_line).map(Invocation::new)
}

/// Returns the first open invocation of which the ID is anywhere in the content. An ID of an earlier one may be there for
/// any reason.
fn mentioned_invocation<'b>(
    content: &'b LogContent<'_>,
    spans: &SpanTracker,
) -> Option<Invocation<'b>> {
    let open = |text: &'b str| {
        let mut ids = uuids(text).map(Invocation::new);
        ids.find(|invocation| spans.is_open(invocation.trace))
    };
    if let Some(text) = content.text {
        return open(text);
    }
    let fields = content.fields.as_deref()?;
    visit_objects(fields, |object| {
        let texts = object.values().flat_map(|value| match value {
            Value::Array(items) => items.iter().collect(),
            value => vec![value],
        });
        let mut texts = texts.filter_map(Value::as_str);
        texts
            .find_map(open)
            .map_or(ControlFlow::Continue(()), ControlFlow::Break)
    })
}

/// Returns the IDs of invocations in an object and the objects in it, in order of precedence.
fn ids_of_object(fields: &Map<String, Value>) -> Vec<&str> {
    let mut ids = Vec::new();
    let mut depth = 0_usize;
    visit_objects(fields, |object| {
        let named = object.iter().filter_map(|(name, value)| {
            let (rank, ()) = find(REQUEST_IDS, name)?;
            let id = value.as_str()?.trim();
            // An ID in the form of W3C may be that of a trace of the function.
            let is_trace = rank == 0 && id.len() == 32;
            (!id.is_empty()).then_some(((is_trace, depth, rank), id))
        });
        ids.extend(named);
        depth += 1;
        ControlFlow::<()>::Continue(())
    });
    ids.sort_by_key(|(order, _)| *order);
    ids.into_iter().map(|(_, id)| id).collect()
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use fg_extension::TelemetryEvent;
    use serde_json::{Value, json};

    use super::NamedTrace;
    use crate::translate::ids::TraceId;
    use crate::translate::logs::{from_log_event, from_unknown};
    use crate::translate::spans::{Phase, SpanKey, SpanTracker};

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    /// Returns the trace that a record names while these invocations run.
    fn named_trace(ids: &[&str], record: &Value) -> Option<NamedTrace> {
        let mut spans = SpanTracker::default();
        for id in ids {
            let json = json!({"name": "platform.start", "traceId": id}).to_string();
            let TelemetryEvent::Platform(event) = serde_json::from_str(&json).unwrap() else {
                panic!("{json}");
            };
            let (phase, stage) = Phase::of(event.kind()).unwrap();
            let key = SpanKey::first(TraceId::of(id), phase);
            spans.record_event(key, stage, &event, UNIX_EPOCH);
        }
        let json = json!({"type": "function", "record": record}).to_string();
        let TelemetryEvent::Function(event) = serde_json::from_str(&json).unwrap() else {
            panic!("{json}");
        };
        from_log_event("function", &event, &spans, UNIX_EPOCH).1
    }

    #[test]
    fn trace_of_the_function_is_returned_with_its_invocation() {
        let expected = |id: &str, span: bool, flags| {
            Some(NamedTrace {
                invocation: TraceId::of(id),
                trace_id: 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes(),
                span_id: span.then(|| 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes()),
                flags,
            })
        };
        let record = json!({"trace_id": TRACE, "span_id": SPAN, "trace_flags": "01"});
        assert_eq!(named_trace(&["1"], &record), expected("1", true, 1));
        assert_eq!(
            named_trace(&["1"], &json!({"trace_id": TRACE})),
            expected("1", false, 0)
        );
        let record = json!({"trace_id": TRACE, "requestId": "2"});
        assert_eq!(named_trace(&["1", "2"], &record), expected("2", false, 0));
        // The invocation is unknown, or the trace is that of the invocation itself.
        assert_eq!(named_trace(&[], &json!({"trace_id": TRACE})), None);
        assert_eq!(named_trace(&["1", "2"], &json!({"trace_id": TRACE})), None);
        assert_eq!(
            named_trace(&[TRACE], &json!({"trace_id": TRACE, "span_id": SPAN})),
            None
        );
        assert_eq!(named_trace(&["1"], &json!("hello")), None);
    }

    #[test]
    fn trace_of_an_unknown_event_is_returned() {
        let json = json!({"requestId": "1", "trace_id": TRACE}).to_string();
        let (log, named_trace) = from_unknown(&json, &SpanTracker::default(), UNIX_EPOCH);
        assert_eq!(
            named_trace.map(|named| named.invocation),
            Some(TraceId::of("1"))
        );
        assert_eq!(log.trace_id, named_trace.unwrap().trace_id);
    }
}
