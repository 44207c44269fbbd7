//! Assembles the body of a request from items that are already encoded.

use hyper::header::HeaderValue;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

use crate::signal::Signal;

/// The media type of a request, and of a response to it.
pub(super) const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");

/// The resource and the scope of a request, and the current metrics.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) resource: Resource,
    pub(crate) scope: InstrumentationScope,
    /// Cumulative metrics.
    pub(crate) metrics: Vec<Metric>,
}

/// Encodes a span as an item of the queue: a `ScopeSpans` that contains only this span.
///
/// Two concatenated encodings of a protobuf message decode as the two messages merged. So a `ScopeSpans` that contains
/// only the scope, followed by any number of items, decodes as one `ScopeSpans`, and no span is encoded or stored
/// twice.
pub(super) fn encode_span(span: Span) -> Vec<u8> {
    let scope_spans = ScopeSpans {
        spans: vec![span],
        ..ScopeSpans::default()
    };
    scope_spans.encode_to_vec()
}

/// Encodes a log record as an item of the queue; see [`encode_span`].
pub(super) fn encode_log_record(log_record: LogRecord) -> Vec<u8> {
    let scope_logs = ScopeLogs {
        log_records: vec![log_record],
        ..ScopeLogs::default()
    };
    scope_logs.encode_to_vec()
}

/// Encodes an `Export…ServiceRequest` with the items or the metrics. Returns `None` if it would be empty.
pub(super) fn encode_request<'a>(
    signal: Signal,
    snapshot: Snapshot,
    items: impl Iterator<Item = &'a [u8]>,
) -> Option<Vec<u8>> {
    let (resource, scope) = (Some(snapshot.resource), Some(snapshot.scope));
    match signal {
        Signal::Metrics => {
            let scope_metrics = ScopeMetrics {
                scope,
                metrics: snapshot.metrics,
                ..ScopeMetrics::default()
            };
            let has_metrics = !scope_metrics.metrics.is_empty();
            let resource_metrics = ResourceMetrics {
                resource,
                scope_metrics: vec![scope_metrics],
                ..ResourceMetrics::default()
            };
            let request = ExportMetricsServiceRequest {
                resource_metrics: vec![resource_metrics],
            };
            has_metrics.then(|| request.encode_to_vec())
        }
        Signal::Traces => {
            let scope_spans = ScopeSpans {
                scope,
                ..ScopeSpans::default()
            };
            let resource_spans = ResourceSpans {
                resource,
                ..ResourceSpans::default()
            };
            concatenate(&resource_spans, &scope_spans, items)
        }
        Signal::Logs => {
            let scope_logs = ScopeLogs {
                scope,
                ..ScopeLogs::default()
            };
            let resource_logs = ResourceLogs {
                resource,
                ..ResourceLogs::default()
            };
            concatenate(&resource_logs, &scope_logs, items)
        }
    }
}

/// The number of the field of `Export…ServiceRequest` that contains `Resource…`.
const RESOURCE_FIELD: u8 = 1;
/// The number of the field of `Resource…` that contains `Scope…`.
const SCOPE_FIELD: u8 = 2;

/// Concatenates the encoded resource, scope, and items into one request.
fn concatenate<'a>(
    resource: &impl Message,
    scope: &impl Message,
    items: impl Iterator<Item = &'a [u8]>,
) -> Option<Vec<u8>> {
    let items: Vec<&[u8]> = items.collect();
    let scope_len = scope.encoded_len() + items.iter().map(|item| item.len()).sum::<usize>();
    let resource_len = resource.encoded_len() + field_len(scope_len);

    let mut body = Vec::with_capacity(field_len(resource_len));
    begin_field(&mut body, RESOURCE_FIELD, resource_len);
    body.extend(resource.encode_to_vec());
    begin_field(&mut body, SCOPE_FIELD, scope_len);
    body.extend(scope.encode_to_vec());
    for item in &items {
        body.extend_from_slice(item);
    }
    (!items.is_empty()).then_some(body)
}

/// Returns the encoded length of a field that contains a message of this length.
fn field_len(len: usize) -> usize {
    1 + prost::length_delimiter_len(len) + len
}

/// Writes the tag and the length that precede a message.
fn begin_field(body: &mut Vec<u8>, field: u8, mut len: usize) {
    const LENGTH_DELIMITED: u8 = 2;
    body.push(field << 3 | LENGTH_DELIMITED);
    while len >= 0x80 {
        body.push(len as u8 | 0x80);
        len >>= 7;
    }
    body.push(len as u8);
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};

    use super::*;

    fn snapshot() -> Snapshot {
        Snapshot {
            resource: Resource {
                attributes: vec![KeyValue {
                    key: "service.name".to_owned(),
                    value: Some(AnyValue {
                        value: Some(any_value::Value::StringValue("orders".repeat(40))),
                    }),
                    ..KeyValue::default()
                }],
                ..Resource::default()
            },
            scope: InstrumentationScope {
                name: "fg-extension-otlp".to_owned(),
                ..InstrumentationScope::default()
            },
            metrics: vec![Metric {
                name: "faas.invocations".to_owned(),
                ..Metric::default()
            }],
        }
    }

    #[test]
    fn concatenated_spans_are_one_request() {
        let spans: Vec<Span> = (0..300)
            .map(|number| Span {
                name: format!("span {number}"),
                trace_id: vec![7; 16],
                ..Span::default()
            })
            .collect();
        let items: Vec<_> = spans.iter().cloned().map(encode_span).collect();
        for count in [1, 300] {
            let items = items[..count].iter().map(Vec::as_slice);
            let body = encode_request(Signal::Traces, snapshot(), items).unwrap();
            let expected = ResourceSpans {
                resource: Some(snapshot().resource),
                scope_spans: vec![ScopeSpans {
                    scope: Some(snapshot().scope),
                    spans: spans[..count].to_vec(),
                    ..ScopeSpans::default()
                }],
                ..ResourceSpans::default()
            };
            assert_eq!(
                ExportTraceServiceRequest::decode(body.as_slice()),
                Ok(ExportTraceServiceRequest {
                    resource_spans: vec![expected]
                })
            );
        }
    }

    #[test]
    fn concatenated_log_records_are_one_request() {
        let records = ["INFO", "WARN"].map(|severity| LogRecord {
            severity_text: severity.to_owned(),
            ..LogRecord::default()
        });
        let items = records.clone().map(encode_log_record);
        let items = items.iter().map(Vec::as_slice);
        let body = encode_request(Signal::Logs, snapshot(), items).unwrap();
        let expected = ResourceLogs {
            resource: Some(snapshot().resource),
            scope_logs: vec![ScopeLogs {
                scope: Some(snapshot().scope),
                log_records: records.to_vec(),
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        };
        assert_eq!(
            ExportLogsServiceRequest::decode(body.as_slice()),
            Ok(ExportLogsServiceRequest {
                resource_logs: vec![expected]
            })
        );
    }

    #[test]
    fn metrics_are_those_of_the_snapshot() {
        let no_items = std::iter::empty;
        let body = encode_request(Signal::Metrics, snapshot(), no_items()).unwrap();
        let decoded = ExportMetricsServiceRequest::decode(body.as_slice()).unwrap();
        let resource = &decoded.resource_metrics[0];
        assert_eq!(resource.resource, Some(snapshot().resource));
        assert_eq!(resource.scope_metrics[0].scope, Some(snapshot().scope));
        assert_eq!(resource.scope_metrics[0].metrics, snapshot().metrics);
        assert_eq!(
            encode_request(Signal::Metrics, Snapshot::default(), no_items()),
            None
        );
        assert_eq!(encode_request(Signal::Logs, snapshot(), no_items()), None);
    }
}
