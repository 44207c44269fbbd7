//! Reads the W3C trace context of a log record, in the shapes in which loggers write it.

use std::ops::ControlFlow;

use serde_json::{Map, Value};

use super::names::{find, visit_objects};
use crate::translate::bounded_json::prefix;

/// The span of the function that a log record names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct TraceContext {
    pub(super) trace_id: [u8; 16],
    pub(super) span_id: Option<[u8; 8]>,
    /// The W3C trace flags, 0 if they are unknown.
    pub(super) flags: u8,
}

/// The part of the context that a field contains.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    Trace,
    Span,
    Flags,
    /// Whether the trace is sampled.
    Sampled,
    /// `00-<trace ID>-<span ID>-<flags>`
    Parent,
}

/// The names of the fields, in lower case and without `_`, `-`, and `.`.
const NAMES: &[(&str, Part)] = &[
    ("traceid", Part::Trace),
    ("spanid", Part::Span),
    ("traceflags", Part::Flags),
    ("tracesampled", Part::Sampled),
    ("traceparent", Part::Parent),
    // Instrumentation of OpenTelemetry for Python
    ("oteltraceid", Part::Trace),
    ("otelspanid", Part::Span),
    ("oteltracesampled", Part::Sampled),
    // Datadog, if its IDs are those of W3C. Its span IDs are decimal.
    ("ddtraceid", Part::Trace),
    // Serilog
    ("@tr", Part::Trace),
    ("@sp", Part::Span),
    // Google Cloud: `projects/<project>/traces/<trace ID>`
    ("logginggoogleapiscom/trace", Part::Trace),
    ("logginggoogleapiscom/spanid", Part::Span),
    ("logginggoogleapiscom/tracesampled", Part::Sampled),
];

/// The objects that contain only an ID, in the Elastic Common Schema: `"trace": {"id": "…"}`.
const OBJECTS: &[(&str, Part)] = &[("trace", Part::Trace), ("span", Part::Span)];

/// How much of a text is searched.
const MAX_TEXT_BYTES: usize = 4096;
/// What has been read of a context.
#[derive(Default)]
struct Parts {
    trace: Option<[u8; 16]>,
    span: Option<[u8; 8]>,
    flags: Option<u8>,
}

impl TraceContext {
    /// Reads the fields of a record, and then those of the objects in it, such as the MDC of Java or `ctx`.
    pub(super) fn of_object(fields: &Map<String, Value>) -> Option<Self> {
        visit_objects(fields, |object| match Parts::of_fields(object).context() {
            Some(context) => ControlFlow::Break(context),
            None => ControlFlow::Continue(()),
        })
    }

    /// Reads `trace_id=…`, `traceId: …`, `"trace.id":"…"`, or `traceparent=…` anywhere in a text, or the IDs in the brackets
    /// of Spring.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        let text = prefix(text, MAX_TEXT_BYTES);
        let mut parts = Parts::default();
        let mut rest = text;
        // All names contain one of these.
        while let Some(at) = find_name(rest) {
            let (before, from) = rest.split_at(at);
            let start = before
                .rfind(|char| !is_name_char(char))
                .map_or(0, |at| at + 1);
            let start = (start..=at)
                .find(|start| before.is_char_boundary(*start))
                .unwrap_or(at);
            let len = from.find(|char| !is_name_char(char)).unwrap_or(from.len());
            let name = [&before[start..], &from[..len]].concat();
            let after = &from[len..];
            if let Some(value) = value_after(after) {
                parts.read(&name, value);
            }
            rest = after;
        }
        parts.context().or_else(|| spring(text))
    }
}

impl Parts {
    fn of_fields(fields: &Map<String, Value>) -> Self {
        let mut parts = Self::default();
        for (name, value) in fields {
            match value {
                Value::String(text) => parts.read(name, text),
                Value::Bool(is_sampled) => {
                    parts.read(name, if *is_sampled { "true" } else { "false" })
                }
                Value::Number(number) if part(name) == Some(Part::Flags) => {
                    parts.set(Part::Flags, &number.to_string());
                }
                Value::Object(object) => {
                    let part = OBJECTS
                        .iter()
                        .find(|(key, _)| key.eq_ignore_ascii_case(name));
                    if let (Some((_, part)), Some(Value::String(id))) = (part, object.get("id")) {
                        parts.set(*part, id);
                    }
                }
                _ => {}
            }
        }
        parts
    }

    fn read(&mut self, name: &str, value: &str) {
        if let Some(part) = part(name) {
            self.set(part, value.trim());
        }
    }

    /// Sets a part, unless it is invalid, or was set before.
    fn set(&mut self, part: Part, value: &str) {
        match part {
            Part::Trace => {
                let id = value.rsplit('/').next().unwrap_or_default();
                self.trace = self.trace.or_else(|| hex(id));
            }
            Part::Span => self.span = self.span.or_else(|| hex(value)),
            Part::Flags => {
                let flags = (1..=2)
                    .contains(&value.len())
                    .then(|| u8::from_str_radix(value, 16).ok());
                self.flags = self.flags.or(flags.flatten());
            }
            Part::Sampled => {
                let is_sampled = ["true", "1", "01"]
                    .iter()
                    .any(|word| word.eq_ignore_ascii_case(value));
                self.flags = self.flags.or(Some(u8::from(is_sampled)));
            }
            Part::Parent => {
                let mut fields = value.split('-').skip(1);
                let mut next = || fields.next().unwrap_or_default();
                let (trace, span, flags) = (hex(next()), hex(next()), next());
                if trace.is_some() && span.is_some() {
                    self.trace = self.trace.or(trace);
                    self.span = self.span.or(span);
                    self.set(Part::Flags, flags);
                }
            }
        }
    }

    fn context(self) -> Option<TraceContext> {
        Some(TraceContext {
            trace_id: self.trace?,
            span_id: self.span,
            flags: self.flags.unwrap_or_default(),
        })
    }
}

/// Returns the part that a field with this name contains.
fn part(name: &str) -> Option<Part> {
    find(NAMES, name).map(|(_, part)| *part)
}

/// Finds the next name of a field that can contain a part of the context.
fn find_name(text: &str) -> Option<usize> {
    let is_start = |window: &[u8]| {
        window.eq_ignore_ascii_case(b"trace") || window[..4].eq_ignore_ascii_case(b"span")
    };
    text.as_bytes()
        .windows(5)
        .position(|window| matches!(window[0], b't' | b'T' | b's' | b'S') && is_start(window))
}

/// Returns the value after the name of a field: `=…`, `: …`, `":"…"`.
fn value_after(text: &str) -> Option<&str> {
    let text = text.trim_start_matches(['"', '\'']).trim_start_matches(' ');
    let text = text.strip_prefix(['=', ':', '：'])?;
    let text = text.trim_start_matches([' ', '"', '\'']);
    let end = text.find(|char: char| !char.is_ascii_alphanumeric() && char != '-');
    Some(&text[..end.unwrap_or(text.len())])
}

/// Reads `[<trace ID>-<span ID>]` of Spring Boot, or `[<service>,<trace ID>,<span ID>]` of Spring Cloud Sleuth.
fn spring(text: &str) -> Option<TraceContext> {
    text.split('[').skip(1).find_map(|group| {
        let (group, _) = prefix(group, 256).split_once(']')?;
        let mut parts = group
            .split([',', '-'])
            .map(str::trim)
            .skip_while(|part| hex::<16>(part).is_none());
        let trace_id = hex(parts.next()?)?;
        let span_id = hex(parts.next()?)?;
        let is_sampled = parts.next() == Some("true");
        Some(TraceContext {
            trace_id,
            span_id: Some(span_id),
            flags: u8::from(is_sampled),
        })
    })
}

fn is_name_char(char: char) -> bool {
    char.is_ascii_alphanumeric() || matches!(char, '_' | '.' | '-' | '@' | '/')
}

/// Parses an ID in hexadecimal digits. Returns `None` for zero, which is invalid.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    // The console exporter of OpenTelemetry for Python writes `0x`.
    let text = text.strip_prefix("0x").unwrap_or(text).as_bytes();
    if text.len() != 2 * N {
        return None;
    }
    let mut id = [0; N];
    for (byte, pair) in id.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |byte: u8| char::from(byte).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    (id != [0; N]).then_some(id)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::TraceContext;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn context(span: bool, flags: u8) -> Option<TraceContext> {
        Some(TraceContext {
            trace_id: 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes(),
            span_id: span.then(|| 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes()),
            flags,
        })
    }

    fn of_object(object: &Value) -> Option<TraceContext> {
        TraceContext::of_object(object.as_object().unwrap())
    }

    #[test]
    fn fields_are_read_in_any_shape() {
        let parent = format!("00-{TRACE}-{SPAN}-01");
        for (object, span, flags) in [
            (
                json!({"trace_id": TRACE, "span_id": SPAN, "trace_flags": "01"}),
                true,
                1,
            ),
            (
                json!({"traceId": TRACE.to_uppercase(), "spanId": SPAN, "traceFlags": 1}),
                true,
                1,
            ),
            (json!({"TraceId": TRACE, "SpanId": SPAN}), true, 0),
            (json!({"trace_id": TRACE}), false, 0),
            (json!({"trace_id": TRACE, "span_id": "0"}), false, 0),
            (
                json!({"otelTraceID": TRACE, "otelSpanID": SPAN, "otelTraceSampled": true}),
                true,
                1,
            ),
            (
                json!({"otelTraceID": TRACE, "otelSpanID": SPAN, "otelTraceSampled": "False"}),
                true,
                0,
            ),
            (json!({"trace.id": TRACE, "span.id": SPAN}), true, 0),
            (
                json!({"trace": {"id": TRACE}, "span": {"id": SPAN}}),
                true,
                0,
            ),
            (
                json!({"dd.trace_id": TRACE, "dd.span_id": "6923456789012345"}),
                false,
                0,
            ),
            (json!({"dd": {"trace_id": TRACE}}), false, 0),
            (json!({"@tr": TRACE, "@sp": SPAN}), true, 0),
            (json!({"traceparent": parent}), true, 1),
            (json!({"headers": {"Traceparent": parent}}), true, 1),
            (
                json!({"mdc": {"trace_id": TRACE, "span_id": SPAN, "trace_flags": "01"}}),
                true,
                1,
            ),
            (
                json!({"contextMap": {"traceId": TRACE, "spanId": SPAN}}),
                true,
                0,
            ),
            (json!({"a": {"b": {"MDC": {"traceId": TRACE}}}}), false, 0),
            (
                json!({"Scopes": ["x", {"TraceId": TRACE, "SpanId": SPAN}]}),
                true,
                0,
            ),
            (
                json!({
                    "logging.googleapis.com/trace": format!("projects/p/traces/{TRACE}"),
                    "logging.googleapis.com/spanId": SPAN,
                    "logging.googleapis.com/trace_sampled": true,
                }),
                true,
                1,
            ),
        ] {
            assert_eq!(of_object(&object), context(span, flags), "{object}");
        }
        for object in [
            json!({}),
            json!({"span_id": SPAN}),
            json!({"trace_id": &TRACE[1..]}),
            json!({"trace_id": "0".repeat(32)}),
            json!({"trace_id": "+".repeat(32)}),
            json!({"trace_id": "é".repeat(16)}),
            json!({"dd.trace_id": "1234567890123456789"}),
            json!({"trace": TRACE}),
            json!({"traceparent": format!("00-{TRACE}")}),
            json!({"a": {"b": {"c": {"d": {"trace_id": TRACE}}}}}),
            json!({"trace_id": [TRACE], "x": null}),
        ] {
            assert_eq!(of_object(&object), None, "{object}");
        }
    }

    #[test]
    fn texts_are_read_in_any_shape() {
        for (text, span, flags) in [
            (
                format!("[trace_id={TRACE} span_id={SPAN} trace_sampled=True] x"),
                true,
                1,
            ),
            (
                format!("level=info traceID={TRACE} spanID={SPAN} msg=x"),
                true,
                0,
            ),
            (format!("x traceId: {TRACE}, spanId: {SPAN}"), true, 0),
            (format!("span_id='{SPAN}' trace_id='{TRACE}'"), true, 0),
            (
                format!("text {{\"trace.id\": \"{TRACE}\", \"span.id\":\"{SPAN}\"}} more"),
                true,
                0,
            ),
            (format!("traceparent: 00-{TRACE}-{SPAN}-01"), true, 1),
            (format!("TRACE traced trace_id={TRACE}"), false, 0),
            (format!("é【trace_id：{TRACE}】"), false, 0),
            (
                format!("dd.trace_id={TRACE} dd.span_id=1234567890123456"),
                false,
                0,
            ),
            (format!("INFO [pay,{TRACE},{SPAN},true] x"), true, 1),
            (format!("INFO [main] [{TRACE}-{SPAN}] x"), true, 0),
        ] {
            assert_eq!(TraceContext::of_text(&text), context(span, flags), "{text}");
        }
        for text in [
            String::new(),
            "trace".to_owned(),
            format!("{TRACE}-{SPAN}"),
            format!("trace {TRACE}"),
            format!("a [{TRACE}] b"),
            format!("my_trace_ids={TRACE}"),
            format!("{}trace_id={TRACE}", " ".repeat(5000)),
            "trace_id=0 span_id=0".to_owned(),
        ] {
            assert_eq!(TraceContext::of_text(&text), None, "{text}");
        }
    }
}
