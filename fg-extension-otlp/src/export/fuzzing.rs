//! The fuzz target of the forwarder: its settings, the requests for a batch of telemetry, and the collector's response.
//!
//! `fuzz/` runs it with libFuzzer, and the property test below on the corpus in `fuzz/corpus/otlp_bodies/` and on mutations
//! of it.

// A panic is how a target reports a problem.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fg_extension::{Invocation, TelemetryCounters, TelemetryEvent};
use hyper::{Response, StatusCode, header};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use prost::Message;

use super::counters::ExportCounters;
use super::queue::Item;
use super::request::{Snapshot, encode_log_record, encode_request, encode_span};
use super::response::ExportResult;
use crate::config::{Config, ResourceConfig};
use crate::diagnostic::Diagnostic;
use crate::own_metrics::own_metrics;
use crate::signal::Signal;
use crate::translate::{FunctionInfo, Translated, Translator};

/// Reads settings, translates telemetry into requests, which must decode as they were, and reads a response.
///
/// The three parts of the input are separated by lines `---`: lines `NAME=value`, a JSON array of events, and the status,
/// headers and body of a response.
pub fn otlp_bodies(data: &[u8]) {
    let mut parts = split(data);
    let settings = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let resource = check_settings(&settings);
    let events = parts
        .next()
        .and_then(|events| serde_json::from_slice(events).ok());
    let events: Vec<TelemetryEvent> = events.unwrap_or_default();
    check_requests(resource, &events);
    check_response(parts.next().unwrap_or_default());
    let sum = data.iter().map(|byte| usize::from(*byte)).sum::<usize>();
    check_length(sum % 300);
}

/// Splits the input into three parts.
fn split(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    const SEPARATOR: &[u8] = b"\n---\n";
    let mut rest = Some(data);
    (0..3).map_while(move |number| {
        let data = rest?;
        let end = data
            .windows(SEPARATOR.len())
            .position(|part| part == SEPARATOR);
        let end = end.filter(|_| number < 2);
        rest = end.map(|end| &data[end + SEPARATOR.len()..]);
        Some(&data[..end.unwrap_or(data.len())])
    })
}

fn check_settings(text: &str) -> ResourceConfig {
    let settings: BTreeMap<_, _> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .collect();
    let setting = |name: &str| {
        settings
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    };
    let config = match Config::from_variables(|name| settings.get(name)) {
        Ok(Some(config)) => config,
        Ok(None) => {
            let disabled = setting("OTEL_SDK_DISABLED").map(str::to_ascii_lowercase);
            assert_eq!(disabled.as_deref(), Some("true"));
            return ResourceConfig::default();
        }
        Err(error) => {
            check_message(&error.to_string());
            return ResourceConfig::default();
        }
    };
    assert_eq!(
        config.resource.service_name.as_deref(),
        setting("OTEL_SERVICE_NAME")
    );
    let attributes =
        setting("OTEL_RESOURCE_ATTRIBUTES").and_then(|list| pairs(list, percent_decoded));
    let attributes = attributes.filter(|all| all.iter().all(|(key, _)| !key.is_empty()));
    assert_eq!(config.resource.attributes, attributes.unwrap_or_default());
    let longest = Duration::from_secs(3600);
    assert!((Duration::from_millis(1)..=longest).contains(&config.flush_interval));
    assert!(config.flush_timeout <= longest);
    assert!((1000..=1 << 30).contains(&config.buffer));
    let messages: Vec<_> = config.diagnostics.iter().map(message).collect();
    for message in &messages {
        check_message(message);
    }
    for signal in Signal::ALL {
        let Some(signal_config) = config.signal(signal) else {
            continue;
        };
        let endpoint = &signal_config.endpoint;
        assert!(
            matches!(endpoint.scheme_str(), Some("http" | "https")),
            "{endpoint}"
        );
        assert!(
            endpoint.host().is_some_and(|host| !host.is_empty()) && endpoint.port_u16() != Some(0)
        );
        assert!((Duration::from_millis(1)..=longest).contains(&signal_config.timeout));
        let own = format!("OTEL_EXPORTER_OTLP_{}_HEADERS", signal.env_name());
        let names = [own.as_str(), "OTEL_EXPORTER_OTLP_HEADERS"];
        check_headers(signal_config.headers.iter(), names.map(setting), &messages);
    }
    config.resource
}

/// Tests that the headers are those of one of the settings, and that no message quotes a value.
fn check_headers<'a>(
    headers: impl Iterator<Item = (&'a header::HeaderName, &'a header::HeaderValue)>,
    settings: [Option<&str>; 2],
    messages: &[&str],
) {
    // The names are not encoded. Invalid entries are skipped.
    let list = |setting: &str| -> Vec<(String, String)> {
        let entries = setting.split(',');
        let pair = |entry| pairs(entry, |name| Some(name.to_owned()));
        entries.filter_map(pair).flatten().collect()
    };
    let lists = settings.map(|setting| setting.map(list).unwrap_or_default());
    let is_pair = |name: &str, value: &header::HeaderValue| {
        lists.iter().flatten().any(|(key, text)| {
            key.eq_ignore_ascii_case(name) && text.as_bytes() == value.as_bytes()
        })
    };
    let mut count = 0;
    for (name, value) in headers {
        assert!(
            value.is_sensitive() && is_pair(name.as_str(), value),
            "{name}"
        );
        let is_reserved = [
            "content-type",
            "content-encoding",
            "content-length",
            "transfer-encoding",
            "connection",
        ];
        assert!(!is_reserved.contains(&name.as_str()), "{name}");
        count += 1;
    }
    assert!(lists.iter().any(|list| list.len() >= count));
    for setting in settings.into_iter().flatten() {
        let entries = || setting.split(',').filter_map(|entry| entry.split_once('='));
        for (_, value) in entries().filter(|(_, value)| value.trim().len() > 12) {
            let is_name = entries().any(|(key, _)| key.contains(value.trim()));
            let is_quoted = messages
                .iter()
                .any(|message| message.contains("_HEADERS") && message.contains(value.trim()));
            assert!(is_name || !is_quoted, "{messages:?}");
        }
    }
}

fn message(diagnostic: &Diagnostic) -> &str {
    match diagnostic {
        Diagnostic::Error(message) | Diagnostic::Warning(message) | Diagnostic::Info(message) => {
            message
        }
    }
}

fn check_message(message: &str) {
    assert!(
        !message.is_empty() && !message.contains(char::is_control),
        "{message:?}"
    );
}

/// Decodes a list of pairs with percent-encoded values, or returns `None` if one of them is invalid.
fn pairs(list: &str, decode_key: impl Fn(&str) -> Option<String>) -> Option<Vec<(String, String)>> {
    let entries = list
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty());
    let pair = |entry: &str| {
        let (key, value) = entry.split_once('=')?;
        Some((decode_key(key.trim())?, percent_decoded(value.trim())?))
    };
    entries.map(pair).collect()
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut decoded = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let digits = part
            .get(..2)
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        decoded.push(u8::from_str_radix(digits, 16).ok()?);
        decoded.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(decoded).ok()
}

fn check_requests(resource: ResourceConfig, events: &[TelemetryEvent]) {
    let start = UNIX_EPOCH + Duration::from_secs(1_687_651_200);
    let mut translator =
        Translator::new(FunctionInfo::default(), resource, "instance".into(), start);
    let mut out = Translated::default();
    let mut now = start;
    for (number, event) in events.iter().enumerate() {
        now += Duration::from_millis(300);
        if let Some(id) = event.trace_id().filter(|_| number.is_multiple_of(3)) {
            let urn = "urn:fss:cn-north-4:0a1b:function:default:hello:latest";
            let invocation = Invocation::new(id, urn);
            translator.record_invocation(&invocation, now, &mut out);
        }
        let logs = out.log_records.len();
        translator.translate(event, now, &mut out);
        if !matches!(event, TelemetryEvent::Platform(_)) {
            assert_eq!(out.log_records.len(), logs + 1, "{event:?}");
        }
    }
    translator.finish(now, &mut out);
    assert!(out.spans.len() <= events.len() && out.log_records.len() <= events.len());
    check_spans(&out, now);
    let metrics = translator.metrics(
        None,
        &own_metrics(
            Some(&TelemetryCounters::default()),
            &ExportCounters::default(),
        ),
        now,
    );
    let snapshot = Snapshot {
        resource: translator.resource(),
        scope: Translator::scope(),
        schema_url: "",
        metrics,
    };
    check_attributes(&snapshot.resource.attributes);
    check_encoded(&snapshot, out);
}

fn check_spans(out: &Translated, now: SystemTime) {
    for span in &out.spans {
        assert!(span.trace_id.len() == 16 && span.trace_id != [0; 16]);
        assert!(span.span_id.len() == 8 && span.span_id != [0; 8]);
        assert!(span.parent_span_id.is_empty() || span.parent_span_id.len() == 8);
        assert!(
            span.start_time_unix_nano <= span.end_time_unix_nano,
            "{span:?}"
        );
        check_attributes(&span.attributes);
    }
    let now = u64::try_from(now.duration_since(UNIX_EPOCH).unwrap().as_nanos()).unwrap();
    for log in &out.log_records {
        assert!(log.observed_time_unix_nano <= now);
        assert!(log.trace_id.is_empty() || log.trace_id.len() == 16 && log.trace_id != [0; 16]);
        assert!(log.span_id.is_empty() || log.span_id.len() == 8 && log.span_id != [0; 8]);
        check_attributes(&log.attributes);
    }
}

/// Tests that there are no two attributes with the same key, which collectors reject.
fn check_attributes(attributes: &[KeyValue]) {
    let keys: BTreeSet<_> = attributes.iter().map(|attribute| &attribute.key).collect();
    assert_eq!(keys.len(), attributes.len(), "{attributes:?}");
    assert!(keys.iter().all(|key| !key.is_empty()));
}

/// Tests that the requests decode as what they were encoded from.
fn check_encoded(snapshot: &Snapshot, out: Translated) {
    let encode = |signal, items: &[Item]| encode_request(signal, snapshot.clone(), items.iter());
    let items: Vec<_> = out.spans.iter().cloned().map(encode_span).collect();
    let body = encode(Signal::Traces, &items);
    assert_eq!(body.is_some(), !out.spans.is_empty());
    if let Some(body) = body {
        let request = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
        let [resource] = &request.resource_spans[..] else {
            panic!("{request:?}");
        };
        assert_eq!(resource.resource.as_ref(), Some(&snapshot.resource));
        assert_eq!(
            resource.scope_spans[0].scope.as_ref(),
            Some(&snapshot.scope)
        );
        assert_eq!(resource.scope_spans[0].spans, out.spans);
    }
    let items: Vec<_> = out
        .log_records
        .iter()
        .cloned()
        .map(encode_log_record)
        .collect();
    let body = encode(Signal::Logs, &items);
    assert_eq!(body.is_some(), !out.log_records.is_empty());
    if let Some(body) = body {
        let request = ExportLogsServiceRequest::decode(body.as_slice()).unwrap();
        let [resource] = &request.resource_logs[..] else {
            panic!("{request:?}");
        };
        assert_eq!(resource.resource.as_ref(), Some(&snapshot.resource));
        assert_eq!(resource.scope_logs[0].log_records, out.log_records);
    }
    let body = encode(Signal::Metrics, &[]).unwrap();
    let request = ExportMetricsServiceRequest::decode(body.as_slice()).unwrap();
    assert_eq!(
        request.resource_metrics[0].scope_metrics[0].metrics,
        snapshot.metrics
    );
}

/// Tests a request whose messages have about this length, which decides how many bytes the length itself takes.
fn check_length(length: usize) {
    let log = LogRecord {
        event_name: "x".repeat(length),
        ..LogRecord::default()
    };
    let item = encode_log_record(log.clone());
    let body = encode_request(Signal::Logs, Snapshot::default(), [&item].into_iter()).unwrap();
    let request = ExportLogsServiceRequest::decode(body.as_slice()).unwrap();
    assert_eq!(request.resource_logs[0].scope_logs[0].log_records, [log]);
}

/// Reads a response: a status, lines `name: value`, an empty line, and the body.
fn check_response(data: &[u8]) {
    let end = data.windows(2).position(|two| two == b"\n\n");
    let (head, body) = data.split_at(end.unwrap_or(data.len()));
    let body = body.get(2..).unwrap_or_default();
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.parse::<StatusCode>().ok());
    let mut response = Response::builder().status(status.unwrap_or(StatusCode::OK));
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        response = response.header(name, value);
    }
    let Ok(response) = response.body(()) else {
        return;
    };
    let (head, ()) = response.into_parts();
    for signal in Signal::ALL {
        match ExportResult::from_response(signal, &head, body, &[]) {
            ExportResult::Accepted { rejected, message } => {
                assert!(head.status.is_success() && rejected <= i64::MAX.unsigned_abs());
                assert!(!message.contains(char::is_control));
                let is_protobuf = head
                    .headers
                    .get(header::CONTENT_TYPE)
                    .is_some_and(|kind| kind == "application/x-protobuf");
                // The responses of all signals have the same fields.
                if let Ok(decoded) = ExportTraceServiceResponse::decode(body)
                    && is_protobuf
                {
                    let partial = decoded.partial_success.unwrap_or_default();
                    assert_eq!(rejected, u64::try_from(partial.rejected_spans).unwrap_or(0));
                    assert_eq!(message.is_empty(), partial.error_message.trim().is_empty());
                }
            }
            ExportResult::Retryable { reason, .. } => {
                assert!([429, 502, 503, 504].contains(&head.status.as_u16()));
                check_message(&reason);
            }
            ExportResult::TooLarge { reason } => {
                assert_eq!(head.status, 413);
                check_message(&reason);
            }
            ExportResult::CompressionRejected { .. } => panic!("only the client knows this"),
            ExportResult::Rejected { reason } => {
                assert!(!head.status.is_success() || reason.contains("text/html"));
                assert_ne!(head.status, 413);
                assert!(![429, 502, 503, 504].contains(&head.status.as_u16()));
                check_message(&reason);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn otlp_bodies() {
        fuzz_corpus::check("otlp_bodies", 4_000, super::otlp_bodies);
    }
}
