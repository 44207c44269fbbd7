//! The part of the fuzz target of the receiver that belongs to the export: parts, their halves, and requests.

// A panic is how a target reports a problem.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

use super::queue::Item;
use super::received::{ReceivedData, ReceivedPart, ReceivedRequest};
use super::request::{Snapshot, encode_request};
use crate::signal::Signal;

/// Tests that received data is complete after it was split and encoded into one request.
pub(crate) fn check_received(signal: Signal, request: ReceivedRequest) {
    let all = request.into_data();
    let expected: u64 = all.iter().map(ReceivedData::records).sum();
    let mut items = Vec::new();
    for data in all {
        assert_eq!(data.signal(), signal);
        let (resource, parts) = data.into_parts();
        for data in parts {
            let part = ReceivedPart::new(resource.clone(), &data);
            items.extend(halves(signal, part).map(|part| Item::Received(Box::new(part))));
        }
    }
    let body = encode_request(signal, Snapshot::default(), items.iter());
    let body = body.unwrap_or_default();
    let records = match signal {
        Signal::Traces => {
            let request = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
            records(request.resource_spans, ReceivedData::Spans)
        }
        Signal::Logs => {
            let request = ExportLogsServiceRequest::decode(body.as_slice()).unwrap();
            records(request.resource_logs, ReceivedData::Logs)
        }
        Signal::Metrics => {
            let request = ExportMetricsServiceRequest::decode(body.as_slice()).unwrap();
            records(request.resource_metrics, ReceivedData::Metrics)
        }
    };
    assert_eq!(records, expected);
}

fn records<T>(all: Vec<T>, data: fn(T) -> ReceivedData) -> u64 {
    all.into_iter().map(|it| data(it).records()).sum()
}

/// Splits a part once, if it has several records.
fn halves(signal: Signal, part: ReceivedPart) -> impl Iterator<Item = ReceivedPart> {
    let records = part.records;
    assert!(records > 0);
    match part.split(signal) {
        Ok(halves) => {
            let [first, second] = &halves;
            assert!(first.records > 0 && second.records > 0);
            assert_eq!(first.records + second.records, records);
            Vec::from(halves).into_iter()
        }
        Err(part) => {
            assert_eq!(part.records, 1);
            vec![part].into_iter()
        }
    }
}
