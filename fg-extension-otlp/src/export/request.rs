//! Assembles the body of a request from items that are already encoded.

use hyper::header::HeaderValue;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Metric, ResourceMetrics, ScopeMetrics,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

use super::counters::ExportCounters;
use super::queue::Item;
use crate::delivery::Delivery;
use crate::signal::Signal;
use crate::translate::enrich;

/// The media type of a request, and of a response to it.
pub(crate) const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");

/// What a snapshot is taken for.
pub(crate) struct SnapshotRequest {
    pub(crate) counters: ExportCounters,
    /// What became of the previous request with our metrics, if this one is to have them too. The inner `None` is for the
    /// first such request.
    pub(crate) metrics: Option<Option<Delivery>>,
}

/// Our resource and scope in a request, and our current metrics.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) resource: Resource,
    pub(crate) scope: InstrumentationScope,
    /// The URL of the semantic conventions that our resource and our records follow.
    pub(crate) schema_url: &'static str,
    /// Empty if the metrics were not asked for, or have not changed.
    pub(crate) metrics: Vec<Metric>,
}

impl Snapshot {
    /// Returns the number of data points that are not part of a later value, so they are lost if the collector rejects
    /// them.
    pub(super) fn delta_points(&self) -> u64 {
        let delta = i32::from(AggregationTemporality::Delta);
        let points = self.metrics.iter().map(|metric| match &metric.data {
            Some(Data::Sum(it)) if it.aggregation_temporality == delta => it.data_points.len(),
            Some(Data::Histogram(it)) if it.aggregation_temporality == delta => {
                it.data_points.len()
            }
            _ => 0,
        });
        points.sum::<usize>() as u64
    }
}

/// Encodes a span as an item of the queue: a `ScopeSpans` that contains only this span.
///
/// Two concatenated encodings of a protobuf message decode as the two messages merged. So a `ScopeSpans` that contains
/// only the scope, followed by any number of items, decodes as one `ScopeSpans`, and no span is encoded or stored
/// twice.
pub(super) fn encode_span(span: Span) -> Item {
    let scope_spans = ScopeSpans {
        spans: vec![span],
        ..ScopeSpans::default()
    };
    Item::Own(scope_spans.encode_to_vec())
}

/// Encodes a log record as an item of the queue; see [`encode_span`].
pub(super) fn encode_log_record(log_record: LogRecord) -> Item {
    let scope_logs = ScopeLogs {
        log_records: vec![log_record],
        ..ScopeLogs::default()
    };
    Item::Own(scope_logs.encode_to_vec())
}

/// Encodes an `Export…ServiceRequest` with our own items or metrics under our resource, followed by received data under
/// its resources. Returns `None` if it would be empty.
pub(super) fn encode_request<'a>(
    signal: Signal,
    snapshot: Snapshot,
    items: impl Iterator<Item = &'a Item>,
) -> Option<Vec<u8>> {
    let (mut own, mut received) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            Item::Own(encoded) => own.push(encoded.as_slice()),
            Item::Received(part) => received.push(part),
        }
    }
    let mut body = encode_own(signal, &snapshot, &own);
    let mut received = received.into_iter().peekable();
    while let Some(part) = received.next() {
        // The parts of the same data follow each other, so that they are one `Resource…` again.
        let mut parts = vec![part.encoded.as_slice()];
        while let Some(next) = received.next_if(|next| next.resource.is_same(&part.resource)) {
            parts.push(&next.encoded);
        }
        let resource = WithResource {
            resource: Some(enrich(part.resource.decode(), &snapshot.resource)),
        };
        append_field(&mut body, RESOURCE_FIELD, &resource.encode_to_vec(), &parts);
    }
    (!body.is_empty()).then_some(body)
}

/// The field that `ResourceSpans`, `ResourceLogs`, and `ResourceMetrics` have in common.
#[derive(Clone, PartialEq, Message)]
struct WithResource {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
}

/// Encodes our own items or metrics. Without any, the result is empty.
fn encode_own(signal: Signal, snapshot: &Snapshot, items: &[&[u8]]) -> Vec<u8> {
    let Snapshot {
        resource,
        scope,
        schema_url,
        metrics,
    } = snapshot;
    let (resource, scope) = (Some(resource.clone()), Some(scope.clone()));
    let schema_url = (*schema_url).to_owned();
    let mut body = Vec::new();
    let (resource, scope) = match signal {
        Signal::Metrics if metrics.is_empty() => return body,
        Signal::Traces | Signal::Logs if items.is_empty() => return body,
        Signal::Metrics => {
            let scope_metrics = ScopeMetrics {
                scope,
                metrics: metrics.clone(),
                schema_url: schema_url.clone(),
            };
            let resource_metrics = ResourceMetrics {
                resource,
                schema_url,
                ..ResourceMetrics::default()
            };
            (
                resource_metrics.encode_to_vec(),
                scope_metrics.encode_to_vec(),
            )
        }
        Signal::Traces => {
            let scope_spans = ScopeSpans {
                scope,
                schema_url: schema_url.clone(),
                ..ScopeSpans::default()
            };
            let resource_spans = ResourceSpans {
                resource,
                schema_url,
                ..ResourceSpans::default()
            };
            (resource_spans.encode_to_vec(), scope_spans.encode_to_vec())
        }
        Signal::Logs => {
            let scope_logs = ScopeLogs {
                scope,
                schema_url: schema_url.clone(),
                ..ScopeLogs::default()
            };
            let resource_logs = ResourceLogs {
                resource,
                schema_url,
                ..ResourceLogs::default()
            };
            (resource_logs.encode_to_vec(), scope_logs.encode_to_vec())
        }
    };
    let scope_len = scope.len() + items.iter().map(|item| item.len()).sum::<usize>();
    let resource_len = resource.len() + field_len(scope_len);
    body.reserve(field_len(resource_len));
    begin_field(&mut body, RESOURCE_FIELD, resource_len);
    body.extend(resource);
    append_field(&mut body, SCOPE_FIELD, &scope, items);
    body
}

/// The number of the field of `Export…ServiceRequest` that contains `Resource…`.
const RESOURCE_FIELD: u8 = 1;
/// The number of the field of `Resource…` that contains `Scope…`.
const SCOPE_FIELD: u8 = 2;

/// Appends a field that contains a message, which consists of concatenated parts.
fn append_field(body: &mut Vec<u8>, field: u8, first: &[u8], others: &[&[u8]]) {
    let len = first.len() + others.iter().map(|part| part.len()).sum::<usize>();
    body.reserve(field_len(len));
    begin_field(body, field, len);
    body.extend_from_slice(first);
    for part in others {
        body.extend_from_slice(part);
    }
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
    use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};

    use super::super::received::{ReceivedData, ReceivedPart};
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
            schema_url: "https://schema",
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
            let body = encode_request(Signal::Traces, snapshot(), items[..count].iter()).unwrap();
            let expected = ResourceSpans {
                resource: Some(snapshot().resource),
                scope_spans: vec![ScopeSpans {
                    scope: Some(snapshot().scope),
                    spans: spans[..count].to_vec(),
                    schema_url: "https://schema".to_owned(),
                }],
                schema_url: "https://schema".to_owned(),
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
        let body = encode_request(Signal::Logs, snapshot(), items.iter()).unwrap();
        let expected = ResourceLogs {
            resource: Some(snapshot().resource),
            scope_logs: vec![ScopeLogs {
                scope: Some(snapshot().scope),
                log_records: records.to_vec(),
                schema_url: "https://schema".to_owned(),
            }],
            schema_url: "https://schema".to_owned(),
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

    #[test]
    fn received_data_follows_our_own_with_its_own_resource() {
        let received = |name: &str, records| {
            let record = |number| LogRecord {
                time_unix_nano: number,
                ..LogRecord::default()
            };
            ResourceLogs {
                resource: Some(Resource {
                    attributes: vec![KeyValue {
                        key: name.to_owned(),
                        ..KeyValue::default()
                    }],
                    ..Resource::default()
                }),
                scope_logs: vec![ScopeLogs {
                    log_records: (1..=records).map(record).collect(),
                    schema_url: "https://scope".to_owned(),
                    ..ScopeLogs::default()
                }],
                schema_url: format!("https://{name}"),
            }
        };
        // The second one has several parts.
        let all = [received("a", 3), received("b", 2000)];
        let items = all.clone().map(|data| -> Vec<Item> {
            let (resource, parts) = ReceivedData::Logs(data).into_parts();
            let part = |data| Item::received(ReceivedPart::new(resource.clone(), &data));
            parts.map(part).collect()
        });
        let [mut items, second] = items;
        items.push(encode_log_record(LogRecord::default()));
        items.extend(second);
        assert!(items.len() > 4, "{}", items.len());

        let body = encode_request(Signal::Logs, snapshot(), items.iter()).unwrap();
        let decoded = ExportLogsServiceRequest::decode(body.as_slice()).unwrap();
        let [own, a, b] = &*decoded.resource_logs else {
            panic!("{} resources", decoded.resource_logs.len());
        };
        assert_eq!(own.resource, Some(snapshot().resource));
        assert_eq!(own.scope_logs[0].log_records, [LogRecord::default()]);
        for (received, expected) in [a, b].into_iter().zip(&all) {
            assert_eq!(received.schema_url, expected.schema_url);
            let records = |it: &ResourceLogs| -> Vec<LogRecord> {
                let scopes = it.scope_logs.iter();
                scopes.flat_map(|it| it.log_records.clone()).collect()
            };
            assert_eq!(records(received), records(expected));
            assert!(
                received
                    .scope_logs
                    .iter()
                    .all(|it| it.schema_url == "https://scope")
            );
            let keys = |it: &ResourceLogs| -> Vec<String> {
                let attributes = it.resource.iter().flat_map(|it| &it.attributes);
                attributes.map(|it| it.key.clone()).collect()
            };
            // The attributes of our resource that the received one lacks are added.
            let mut expected = keys(expected);
            expected.push("service.name".to_owned());
            assert_eq!(keys(received), expected);
        }
    }
}
