//! The metrics about the forwarder itself, which are only read when they are sent.

use std::collections::BTreeMap;
use std::time::SystemTime;

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
    /// When counters were first requested that were not zero by then.
    first_requested: BTreeMap<&'static str, SystemTime>,
}

impl OwnMetrics {
    pub(super) fn collect(&mut self, read: &[Observation], collection: &Collection) -> Vec<Metric> {
        let metric = |it: &Observation| {
            let settled = self.settled.get(it.name).copied();
            self.requested.insert(it.name, it.value);
            let temporality = match it.is_counter {
                true => collection.temporality,
                false => AggregationTemporality::Cumulative,
            };
            let point = |value, start, time| number_point(Vec::new(), value, start, time);
            let data_points = if temporality == AggregationTemporality::Delta {
                let change = it.value.saturating_sub(settled.unwrap_or_default());
                vec![point(change, collection.settled, collection.now)]
            } else {
                // A counter that no collector knows starts from zero, always at the same time.
                let is_new = it.is_counter && it.value > 0 && settled.is_none();
                let first = is_new.then(|| {
                    let first = self.first_requested.entry(it.name);
                    *first.or_insert(collection.now)
                });
                let zero = first.and_then(|first| collection.time_of_zero(first));
                let zero = zero.map(|time| point(0, collection.start, time));
                let latest = point(it.value, collection.start, collection.now);
                zero.into_iter().chain([latest]).collect()
            };
            let data = Data::Sum(Sum {
                data_points,
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
