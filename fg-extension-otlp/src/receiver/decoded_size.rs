//! The memory that a body will take when it is decoded.
//!
//! An empty message takes two bytes in protobuf and hundreds of bytes in memory, so the size of a body
//! does not bound the memory.

use opentelemetry_proto::tonic::common::v1::{AnyValue, EntityRef, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, SummaryDataPoint,
};
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};

use crate::signal::Signal;

/// Returns the maximum for bodies of this maximum size. Real data takes about four times as much as its body.
pub(super) fn max(max_body: usize) -> usize {
    (8 * max_body).max(4 << 20)
}

/// Returns about how much memory the messages in a request in JSON take. Every message is an object, and a span is one of
/// the largest.
pub(super) fn of_json(body: &[u8]) -> usize {
    body.iter().filter(|byte| **byte == b'{').count() * size_of::<Span>()
}

/// Returns about how much memory the messages in a request in protobuf take. Malformed data does not count.
pub(super) fn of_protobuf(signal: Signal, body: &[u8]) -> usize {
    let layout = match signal {
        Signal::Traces => &TRACES,
        Signal::Logs => &LOGS,
        Signal::Metrics => &METRICS,
    };
    size(layout, body, 0)
}

/// The memory that a message takes, and which of its fields are messages.
struct Layout {
    bytes: usize,
    fields: &'static [(u64, &'static Layout)],
}

const fn layout<T>(fields: &'static [(u64, &'static Layout)]) -> Layout {
    Layout {
        // A list may have room for twice as many messages as it contains.
        bytes: 2 * size_of::<T>(),
        fields,
    }
}

static TRACES: Layout = layout::<()>(&[(1, &RESOURCE_SPANS)]);
static RESOURCE_SPANS: Layout = layout::<ResourceSpans>(&[(1, &RESOURCE), (2, &SCOPE_SPANS)]);
static SCOPE_SPANS: Layout = layout::<ScopeSpans>(&[(1, &SCOPE), (2, &SPAN)]);
static SPAN: Layout = layout::<Span>(&[(9, &KEY_VALUE), (11, &EVENT), (13, &LINK)]);
static EVENT: Layout = layout::<Event>(&[(3, &KEY_VALUE)]);
static LINK: Layout = layout::<Link>(&[(4, &KEY_VALUE)]);

static LOGS: Layout = layout::<()>(&[(1, &RESOURCE_LOGS)]);
static RESOURCE_LOGS: Layout = layout::<ResourceLogs>(&[(1, &RESOURCE), (2, &SCOPE_LOGS)]);
static SCOPE_LOGS: Layout = layout::<ScopeLogs>(&[(1, &SCOPE), (2, &LOG_RECORD)]);
static LOG_RECORD: Layout = layout::<LogRecord>(&[(5, &ANY_VALUE), (6, &KEY_VALUE)]);

static METRICS: Layout = layout::<()>(&[(1, &RESOURCE_METRICS)]);
static RESOURCE_METRICS: Layout = layout::<ResourceMetrics>(&[(1, &RESOURCE), (2, &SCOPE_METRICS)]);
static SCOPE_METRICS: Layout = layout::<ScopeMetrics>(&[(1, &SCOPE), (2, &METRIC)]);
static METRIC: Layout = layout::<Metric>(&[
    (5, &NUMBERS),
    (7, &NUMBERS),
    (9, &HISTOGRAM),
    (10, &EXPONENTIAL_HISTOGRAM),
    (11, &SUMMARY),
    (12, &KEY_VALUE),
]);
static NUMBERS: Layout = layout::<()>(&[(1, &NUMBER_POINT)]);
static NUMBER_POINT: Layout = layout::<NumberDataPoint>(&[(5, &EXEMPLAR), (7, &KEY_VALUE)]);
static HISTOGRAM: Layout = layout::<()>(&[(1, &HISTOGRAM_POINT)]);
static HISTOGRAM_POINT: Layout = layout::<HistogramDataPoint>(&[(8, &EXEMPLAR), (9, &KEY_VALUE)]);
static EXPONENTIAL_HISTOGRAM: Layout = layout::<()>(&[(1, &EXPONENTIAL_POINT)]);
static EXPONENTIAL_POINT: Layout = layout::<ExponentialHistogramDataPoint>(&[
    (1, &KEY_VALUE),
    (8, &BUCKETS),
    (9, &BUCKETS),
    (11, &EXEMPLAR),
]);
static BUCKETS: Layout = layout::<Buckets>(&[(2, &COUNTS)]);
/// Numbers of one byte each in protobuf, and of eight bytes in memory. Listing itself makes each of them a message.
static COUNTS: Layout = layout::<u64>(&[]);
static SUMMARY: Layout = layout::<()>(&[(1, &SUMMARY_POINT)]);
static SUMMARY_POINT: Layout = layout::<SummaryDataPoint>(&[(6, &QUANTILE), (7, &KEY_VALUE)]);
static QUANTILE: Layout = layout::<ValueAtQuantile>(&[]);
static EXEMPLAR: Layout = layout::<Exemplar>(&[(7, &KEY_VALUE)]);

static RESOURCE: Layout = layout::<()>(&[(1, &KEY_VALUE), (3, &ENTITY)]);
static ENTITY: Layout = layout::<EntityRef>(&[(3, &TEXT), (4, &TEXT)]);
static TEXT: Layout = layout::<String>(&[]);
static SCOPE: Layout = layout::<()>(&[(3, &KEY_VALUE)]);
static KEY_VALUE: Layout = layout::<KeyValue>(&[(2, &ANY_VALUE)]);
static ANY_VALUE: Layout = layout::<AnyValue>(&[(5, &VALUES), (6, &KEY_VALUES)]);
static VALUES: Layout = layout::<()>(&[(1, &ANY_VALUE)]);
static KEY_VALUES: Layout = layout::<()>(&[(1, &KEY_VALUE)]);

/// The decoder rejects messages that are nested more deeply.
const MAX_DEPTH: usize = 100;

fn size(layout: &Layout, message: &[u8], depth: usize) -> usize {
    let is_counts = std::ptr::eq(layout, &COUNTS);
    let mut total = match is_counts {
        true => layout.bytes * message.len(),
        false => layout.bytes,
    };
    if is_counts || layout.fields.is_empty() || depth == MAX_DEPTH {
        return total;
    }
    let mut rest = message;
    while let Some((field, content)) = next_field(&mut rest) {
        let inner = layout.fields.iter().find(|(number, _)| *number == field);
        total += match (inner, content) {
            (Some((_, inner)), Some(content)) => size(inner, content, depth + 1),
            // A number that is not in a packed list.
            (Some((_, inner)), None) => inner.bytes,
            (None, _) => 0,
        };
    }
    total
}

/// Reads a field: its number, and its content if that has a length. Returns `None` at the end, and if it is malformed.
fn next_field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Option<&'a [u8]>)> {
    let key = varint(rest)?;
    let content = match key & 7 {
        0 => {
            varint(rest)?;
            None
        }
        1 => {
            take(rest, 8)?;
            None
        }
        2 => {
            let length = varint(rest)?.try_into().ok()?;
            Some(take(rest, length)?)
        }
        5 => {
            take(rest, 4)?;
            None
        }
        // Groups, which OTLP does not use, and which the decoder skips.
        3 | 4 => None,
        _ => return None,
    };
    Some((key >> 3, content))
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let [byte] = take(rest, 1)? else {
            return None;
        };
        value |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}
