//! The lengths of IDs. A collector rejects a whole request because of one invalid ID, and it may contain our own spans.

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Exemplar, Metric};
use opentelemetry_proto::tonic::trace::v1::Span;

use crate::export::ReceivedRequest;

/// Returns whether all trace IDs have 16 bytes and all span IDs have 8, unless they are empty.
pub(super) fn has_valid_ids(request: &ReceivedRequest) -> bool {
    match request {
        ReceivedRequest::Spans(all) => {
            let scopes = all.iter().flat_map(|it| &it.scope_spans);
            scopes.flat_map(|it| &it.spans).all(is_valid_span)
        }
        ReceivedRequest::Logs(all) => {
            let scopes = all.iter().flat_map(|it| &it.scope_logs);
            let mut logs = scopes.flat_map(|it| &it.log_records);
            logs.all(|log| are_valid(&log.trace_id, &log.span_id))
        }
        ReceivedRequest::Metrics(all) => {
            let scopes = all.iter().flat_map(|it| &it.scope_metrics);
            scopes.flat_map(|it| &it.metrics).all(is_valid_metric)
        }
    }
}

fn are_valid(trace_id: &[u8], span_id: &[u8]) -> bool {
    matches!(trace_id.len(), 0 | 16) && matches!(span_id.len(), 0 | 8)
}

fn is_valid_span(span: &Span) -> bool {
    are_valid(&span.trace_id, &span.span_id)
        && are_valid(&[], &span.parent_span_id)
        && span
            .links
            .iter()
            .all(|it| are_valid(&it.trace_id, &it.span_id))
}

fn is_valid_metric(metric: &Metric) -> bool {
    let valid = |exemplars: &[Exemplar]| {
        let mut exemplars = exemplars.iter();
        exemplars.all(|it| are_valid(&it.trace_id, &it.span_id))
    };
    match &metric.data {
        Some(Data::Gauge(data)) => data.data_points.iter().all(|it| valid(&it.exemplars)),
        Some(Data::Sum(data)) => data.data_points.iter().all(|it| valid(&it.exemplars)),
        Some(Data::Histogram(data)) => data.data_points.iter().all(|it| valid(&it.exemplars)),
        Some(Data::ExponentialHistogram(data)) => {
            data.data_points.iter().all(|it| valid(&it.exemplars))
        }
        Some(Data::Summary(_)) | None => true,
    }
}
