//! Received data: what the function's own SDK sent, in parts of bounded size.

use std::sync::Arc;

use hyper::body::Bytes;
use opentelemetry_proto::tonic::logs::v1::{ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans};
use prost::Message;

use crate::signal::Signal;

/// The maximum size of a part, unless a single record is larger. A request exceeds its own limit by less than this.
const PART_BYTES: usize = 64 << 10;
/// The maximum number of records of a part.
const PART_RECORDS: u64 = 512;

/// The spans, log records, or metrics of one resource.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ReceivedData {
    Spans(ResourceSpans),
    Logs(ResourceLogs),
    Metrics(ResourceMetrics),
}

/// An encoded resource as the function sent it. All parts of the same data share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReceivedResource(Arc<Bytes>);

/// The data of one request.
#[derive(Debug, PartialEq)]
pub(crate) enum ReceivedRequest {
    Spans(Vec<ResourceSpans>),
    Logs(Vec<ResourceLogs>),
    Metrics(Vec<ResourceMetrics>),
}

/// One part of received data, encoded once.
#[derive(Clone, Debug)]
pub(super) struct ReceivedPart {
    /// It is completed when a request is encoded, because some attributes are only known then.
    pub(super) resource: ReceivedResource,
    /// The `ResourceSpans`, `ResourceLogs`, or `ResourceMetrics` without the resource.
    pub(super) encoded: Vec<u8>,
    /// The number of spans, log records, or data points.
    pub(super) records: u64,
}

impl ReceivedRequest {
    /// Returns the data of each resource.
    pub(crate) fn into_data(self) -> Vec<ReceivedData> {
        match self {
            Self::Spans(all) => all.into_iter().map(ReceivedData::Spans).collect(),
            Self::Logs(all) => all.into_iter().map(ReceivedData::Logs).collect(),
            Self::Metrics(all) => all.into_iter().map(ReceivedData::Metrics).collect(),
        }
    }
}

impl ReceivedData {
    pub(super) fn signal(&self) -> Signal {
        match self {
            Self::Spans(_) => Signal::Traces,
            Self::Logs(_) => Signal::Logs,
            Self::Metrics(_) => Signal::Metrics,
        }
    }

    /// Returns the number of spans, log records, or data points.
    pub(super) fn records(&self) -> u64 {
        let records: usize = match self {
            Self::Spans(data) => data.scope_spans.iter().map(|it| it.spans.len()).sum(),
            Self::Logs(data) => data.scope_logs.iter().map(|it| it.log_records.len()).sum(),
            Self::Metrics(data) => {
                let scopes = data.scope_metrics.iter();
                scopes.flat_map(|it| &it.metrics).map(data_points).sum()
            }
        };
        records as u64
    }

    /// Splits the data into parts of bounded size, without their resource. Data without records has no parts.
    pub(crate) fn into_parts(mut self) -> (ReceivedResource, impl Iterator<Item = Self>) {
        self.remove_empty();
        let resource = ReceivedResource(Arc::new(self.take_resource().encode_to_vec().into()));
        // The part that comes next is at the end.
        let mut rest = match self.records() {
            0 => Vec::new(),
            _ => vec![self],
        };
        let parts = std::iter::from_fn(move || {
            loop {
                let mut data = rest.pop()?;
                let is_large = data.records() > PART_RECORDS || data.encoded_len() > PART_BYTES;
                match is_large.then(|| data.split_off()).flatten() {
                    Some(second) => rest.extend([second, data]),
                    None => return Some(data),
                }
            }
        });
        (resource, parts)
    }

    /// Removes scopes and metrics without records, so that each half of a split has at least one record.
    fn remove_empty(&mut self) {
        match self {
            Self::Spans(data) => data.scope_spans.retain(|it| !it.spans.is_empty()),
            Self::Logs(data) => data.scope_logs.retain(|it| !it.log_records.is_empty()),
            Self::Metrics(data) => data.scope_metrics.retain_mut(|scope| {
                scope.metrics.retain(|metric| data_points(metric) > 0);
                !scope.metrics.is_empty()
            }),
        }
    }

    fn take_resource(&mut self) -> Resource {
        let resource = match self {
            Self::Spans(data) => data.resource.take(),
            Self::Logs(data) => data.resource.take(),
            Self::Metrics(data) => data.resource.take(),
        };
        resource.unwrap_or_default()
    }

    /// Keeps the first half, and returns the second one. Returns `None` if there is only one record.
    fn split_off(&mut self) -> Option<Self> {
        Some(match self {
            Self::Spans(data) => Self::Spans(ResourceSpans {
                scope_spans: split_off(&mut data.scope_spans, |scope| {
                    let spans = half(&mut scope.spans)?;
                    Some(ScopeSpans {
                        scope: scope.scope.clone(),
                        spans,
                        schema_url: scope.schema_url.clone(),
                    })
                })?,
                resource: None,
                schema_url: data.schema_url.clone(),
            }),
            Self::Logs(data) => Self::Logs(ResourceLogs {
                scope_logs: split_off(&mut data.scope_logs, |scope| {
                    let log_records = half(&mut scope.log_records)?;
                    Some(ScopeLogs {
                        scope: scope.scope.clone(),
                        log_records,
                        schema_url: scope.schema_url.clone(),
                    })
                })?,
                resource: None,
                schema_url: data.schema_url.clone(),
            }),
            Self::Metrics(data) => Self::Metrics(ResourceMetrics {
                scope_metrics: split_off(&mut data.scope_metrics, |scope| {
                    let metrics = split_off(&mut scope.metrics, split_metric)?;
                    Some(ScopeMetrics {
                        scope: scope.scope.clone(),
                        metrics,
                        schema_url: scope.schema_url.clone(),
                    })
                })?,
                resource: None,
                schema_url: data.schema_url.clone(),
            }),
        })
    }

    fn encoded_len(&self) -> usize {
        match self {
            Self::Spans(data) => data.encoded_len(),
            Self::Logs(data) => data.encoded_len(),
            Self::Metrics(data) => data.encoded_len(),
        }
    }

    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Spans(data) => data.encode_to_vec(),
            Self::Logs(data) => data.encode_to_vec(),
            Self::Metrics(data) => data.encode_to_vec(),
        }
    }
}

impl ReceivedResource {
    /// Decodes the resource.
    pub(super) fn decode(&self) -> Resource {
        // It was encoded here, so it can be decoded.
        Resource::decode(Bytes::clone(&self.0)).unwrap_or_default()
    }

    /// Returns whether both belong to the same data.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl ReceivedPart {
    pub(super) fn new(resource: ReceivedResource, data: &ReceivedData) -> Self {
        Self {
            resource,
            encoded: data.encode(),
            records: data.records(),
        }
    }

    /// Returns the size in memory. The resource counts in each part, because it stays as long as one of them.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.resource.0.len() + self.encoded.len()
    }

    /// Splits the part into halves. Returns the part itself if it contains only one record.
    pub(super) fn split(self, signal: Signal) -> Result<[Self; 2], Self> {
        let encoded = self.encoded.as_slice();
        let decoded = match signal {
            Signal::Traces => ResourceSpans::decode(encoded).map(ReceivedData::Spans),
            Signal::Logs => ResourceLogs::decode(encoded).map(ReceivedData::Logs),
            Signal::Metrics => ResourceMetrics::decode(encoded).map(ReceivedData::Metrics),
        };
        // It was encoded here, so it can be decoded.
        let Ok(mut first) = decoded else {
            return Err(self);
        };
        let Some(second) = first.split_off() else {
            return Err(self);
        };
        Ok([first, second].map(|half| Self::new(self.resource.clone(), &half)))
    }
}

/// Splits a list into halves, or its only item. Returns the second half.
fn split_off<T>(items: &mut Vec<T>, split: impl FnOnce(&mut T) -> Option<T>) -> Option<Vec<T>> {
    match items.as_mut_slice() {
        [] => None,
        [only] => split(only).map(|second| vec![second]),
        _ => half(items),
    }
}

/// Returns the second half of a list of at least two items.
fn half<T>(items: &mut Vec<T>) -> Option<Vec<T>> {
    (items.len() >= 2).then(|| items.split_off(items.len() / 2))
}

fn split_metric(metric: &mut Metric) -> Option<Metric> {
    /// Replaces the data points of a copy of the metric's data.
    macro_rules! second {
        ($kind:ident, $data:ident) => {{
            let data_points = half(&mut $data.data_points)?;
            let rest = std::mem::take(&mut $data.data_points);
            let mut second = $data.clone();
            $data.data_points = rest;
            second.data_points = data_points;
            Data::$kind(second)
        }};
    }
    let data = match metric.data.as_mut()? {
        Data::Gauge(data) => second!(Gauge, data),
        Data::Sum(data) => second!(Sum, data),
        Data::Histogram(data) => second!(Histogram, data),
        Data::ExponentialHistogram(data) => second!(ExponentialHistogram, data),
        Data::Summary(data) => second!(Summary, data),
    };
    Some(Metric {
        name: metric.name.clone(),
        description: metric.description.clone(),
        unit: metric.unit.clone(),
        metadata: metric.metadata.clone(),
        data: Some(data),
    })
}

fn data_points(metric: &Metric) -> usize {
    match &metric.data {
        Some(Data::Gauge(data)) => data.data_points.len(),
        Some(Data::Sum(data)) => data.data_points.len(),
        Some(Data::Histogram(data)) => data.data_points.len(),
        Some(Data::ExponentialHistogram(data)) => data.data_points.len(),
        Some(Data::Summary(data)) => data.data_points.len(),
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::logs::v1::LogRecord;
    use opentelemetry_proto::tonic::metrics::v1::{NumberDataPoint, Sum};
    use opentelemetry_proto::tonic::trace::v1::Span;

    use super::*;

    fn spans(count: usize, name: &str) -> ReceivedData {
        let span = |number| Span {
            name: format!("{name}{number}"),
            ..Span::default()
        };
        let spans: Vec<Span> = (0..count).map(span).collect();
        let scope = |spans: &[Span], url: &str| ScopeSpans {
            spans: spans.to_vec(),
            schema_url: url.to_owned(),
            ..ScopeSpans::default()
        };
        let (first, second) = spans.split_at(count / 3);
        ReceivedData::Spans(ResourceSpans {
            resource: Some(Resource {
                dropped_attributes_count: 7,
                ..Resource::default()
            }),
            scope_spans: vec![scope(first, "a"), scope(&[], "empty"), scope(second, "b")],
            schema_url: "c".to_owned(),
        })
    }

    fn parts(data: ReceivedData) -> Vec<ReceivedPart> {
        let (resource, parts) = data.into_parts();
        let part = |data| ReceivedPart::new(resource.clone(), &data);
        parts.map(part).collect()
    }

    /// Returns the URL of the scope and the name of each span.
    fn names(part: &ReceivedPart) -> Vec<(String, String)> {
        let data = ResourceSpans::decode(part.encoded.as_slice()).unwrap();
        assert_eq!((data.resource, data.schema_url.as_str()), (None, "c"));
        let mut names = Vec::new();
        for scope in data.scope_spans {
            for span in scope.spans {
                names.push((scope.schema_url.clone(), span.name));
            }
        }
        assert_eq!(part.records, names.len() as u64);
        names
    }

    #[test]
    fn parts_are_bounded_and_in_order() {
        for (count, name) in [(1, "x"), (2000, ""), (30, &*"x".repeat(10_000))] {
            let parts = parts(spans(count, name));
            let resource = parts[0].resource.decode();
            assert_eq!(resource.dropped_attributes_count, 7);
            let mut all = Vec::new();
            for part in &parts {
                assert!(part.records <= PART_RECORDS && part.encoded.len() <= PART_BYTES);
                all.extend(names(part));
            }
            let expected = (0..count).map(|number| {
                let url = if number < count / 3 { "a" } else { "b" };
                (url.to_owned(), format!("{name}{number}"))
            });
            assert_eq!(all, expected.collect::<Vec<_>>());
        }
    }

    #[test]
    fn data_without_records_has_no_parts() {
        assert_eq!(parts(spans(0, "")).len(), 0);
        let metrics = ResourceMetrics {
            scope_metrics: vec![ScopeMetrics {
                metrics: vec![Metric::default(); 3],
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        };
        assert_eq!(parts(ReceivedData::Metrics(metrics)).len(), 0);
    }

    #[test]
    fn one_large_record_is_one_part() {
        let logs = ReceivedData::Logs(ResourceLogs {
            scope_logs: vec![ScopeLogs {
                log_records: vec![LogRecord {
                    severity_text: "x".repeat(2 * PART_BYTES),
                    ..LogRecord::default()
                }],
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        });
        let mut parts = parts(logs);
        assert_eq!(parts.len(), 1);
        let part = parts.remove(0).split(Signal::Logs).unwrap_err();
        assert_eq!(part.records, 1);
    }

    #[test]
    fn part_is_split_down_to_single_data_points() {
        let point = |value| NumberDataPoint {
            time_unix_nano: value,
            ..NumberDataPoint::default()
        };
        let metric = |name: &str, points: &[u64]| Metric {
            name: name.to_owned(),
            unit: "1".to_owned(),
            data: Some(Data::Sum(Sum {
                data_points: points.iter().copied().map(point).collect(),
                aggregation_temporality: 2,
                is_monotonic: true,
            })),
            ..Metric::default()
        };
        let data = ReceivedData::Metrics(ResourceMetrics {
            scope_metrics: vec![ScopeMetrics {
                metrics: vec![metric("a", &[1, 2, 3]), metric("b", &[4])],
                ..ScopeMetrics::default()
            }],
            ..ResourceMetrics::default()
        });
        let mut rest = parts(data);
        assert_eq!(rest[0].records, 4);
        let mut single = Vec::new();
        while let Some(part) = rest.pop() {
            match part.split(Signal::Metrics) {
                Ok([first, second]) => rest.extend([second, first]),
                Err(part) => single.push(part),
            }
        }
        let expected = [("a", 1), ("a", 2), ("a", 3), ("b", 4)];
        assert_eq!(single.len(), expected.len());
        for (part, (name, value)) in single.iter().zip(expected) {
            let data = ResourceMetrics::decode(part.encoded.as_slice()).unwrap();
            let metrics = vec![metric(name, &[value])];
            assert_eq!(
                (part.records, &data.scope_metrics[0].metrics),
                (1, &metrics)
            );
        }
    }
}
