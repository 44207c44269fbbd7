//! The metrics about the forwarder itself, which are only read when they are sent.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, Metric, Sum};

use super::counter::number_point;
use super::instrument::Collection;

/// A value that was read from the forwarder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observation {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) description: &'static str,
    pub(crate) value: u64,
    /// Whether the value only grows. Other values are always sent as they are.
    pub(crate) is_counter: bool,
}

/// What the latest request and those before it contained of our own counters.
#[derive(Default)]
pub(super) struct OwnMetrics {
    requested: BTreeMap<&'static str, u64>,
    settled: BTreeMap<&'static str, u64>,
}

impl OwnMetrics {
    pub(super) fn collect(&mut self, read: &[Observation], collection: &Collection) -> Vec<Metric> {
        let metric = |it: &Observation| {
            let temporality = match it.is_counter {
                true => collection.temporality,
                false => AggregationTemporality::Cumulative,
            };
            let (value, start) = if temporality == AggregationTemporality::Delta {
                self.requested.insert(it.name, it.value);
                let settled = self.settled.get(it.name).copied().unwrap_or_default();
                (it.value.saturating_sub(settled), collection.settled)
            } else {
                (it.value, collection.start)
            };
            let data = Data::Sum(Sum {
                data_points: vec![number_point(Vec::new(), value, start, collection.now)],
                aggregation_temporality: temporality.into(),
                is_monotonic: it.is_counter,
            });
            super::metric(it.name, it.unit, it.description, data)
        };
        read.iter().map(metric).collect()
    }

    /// Records that the data points of the latest request need not be sent again.
    pub(super) fn settle(&mut self) {
        self.settled.append(&mut self.requested);
    }
}
