//! An instrument, its time series, and which of their data points a collector has.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;

use crate::translate::any_value::attribute;

/// What becomes of recorded values: a sum, or a distribution.
pub(super) trait Aggregation: Clone {
    type Value;
    type Point;

    fn record(&mut self, value: Self::Value);
    /// Adds what was recorded later.
    fn merge(&mut self, later: &Self);
    fn clear(&mut self);
    /// Returns whether no value has been recorded.
    fn is_empty(&self) -> bool;
    fn point(&self, attributes: Vec<KeyValue>, start: SystemTime, time: SystemTime) -> Self::Point;
}

/// An instrument with a time series for values without an error, and one for each `error.type`.
pub(super) struct Instrument<A> {
    empty: A,
    series: Vec<Series<A>>,
}

/// One time series.
struct Series<A> {
    error_type: Option<Arc<str>>,
    /// When its first value was recorded.
    first_recorded: Option<SystemTime>,
    /// The values in the latest request: all since the start, or only those that no collector has.
    requested: A,
    /// The values since that request was made.
    recorded: A,
    /// Whether the latest request contains the series.
    is_requested: bool,
    /// Whether a collector has received a data point of the series.
    is_introduced: bool,
}

/// What the data points of a request have in common.
pub(super) struct Collection {
    pub(super) temporality: AggregationTemporality,
    /// When the instance started.
    pub(super) start: SystemTime,
    /// The time of the data points that were settled last, or the start.
    pub(super) settled: SystemTime,
    pub(super) now: SystemTime,
    /// The attributes of all data points.
    pub(super) attributes: Vec<KeyValue>,
}

/// The smallest difference between the times of two data points, because some backends store milliseconds.
const TICK: Duration = Duration::from_millis(1);

/// How old the zero before the first value of a series may be. Backends reject data points that are too old.
const MAX_AGE_OF_ZERO: Duration = Duration::from_secs(60);

impl<A: Aggregation> Instrument<A> {
    /// Creates an instrument whose series start with their first value.
    pub(super) fn new(empty: A) -> Self {
        Self {
            empty,
            series: Vec::new(),
        }
    }

    /// Creates an instrument whose series without an error is sent from the start, when its value is zero.
    pub(super) fn from_zero(empty: A) -> Self {
        let mut instrument = Self::new(empty);
        instrument.series_of(None);
        instrument
    }

    pub(super) fn record(
        &mut self,
        error_type: Option<&Arc<str>>,
        value: A::Value,
        now: SystemTime,
    ) {
        let series = self.series_of(error_type);
        series.first_recorded.get_or_insert(now);
        series.recorded.record(value);
    }

    /// Returns the data points for a request, including those of an earlier request that were not settled.
    pub(super) fn collect(&mut self, collection: &Collection) -> Vec<A::Point> {
        let empty = &self.empty;
        let series = self.series.iter_mut();
        series
            .flat_map(|series| series.collect(empty, collection))
            .collect()
    }

    /// Records that the data points of the latest request need not be sent again.
    pub(super) fn settle(&mut self, temporality: AggregationTemporality) {
        for series in &mut self.series {
            series.is_introduced |= series.is_requested;
            if temporality == AggregationTemporality::Delta {
                series.requested.clear();
            }
        }
    }

    fn series_of(&mut self, error_type: Option<&Arc<str>>) -> &mut Series<A> {
        let is_same = |series: &Series<A>| series.error_type.as_ref() == error_type;
        let position = self.series.iter().position(is_same).unwrap_or_else(|| {
            self.series.push(Series {
                error_type: error_type.cloned(),
                first_recorded: None,
                requested: self.empty.clone(),
                recorded: self.empty.clone(),
                is_requested: false,
                is_introduced: false,
            });
            self.series.len() - 1
        });
        &mut self.series[position]
    }
}

impl<A: Aggregation> Series<A> {
    fn collect(&mut self, empty: &A, collection: &Collection) -> Vec<A::Point> {
        self.requested.merge(&self.recorded);
        self.recorded.clear();
        self.is_requested = true;

        let attributes = || {
            let error_type = self.error_type.as_deref();
            let error_type = error_type.map(|error_type| attribute("error.type", error_type));
            let mut attributes = collection.attributes.clone();
            attributes.extend(error_type);
            attributes
        };
        let &Collection {
            start,
            settled,
            now,
            ..
        } = collection;
        if collection.temporality == AggregationTemporality::Delta {
            let is_empty = self.requested.is_empty();
            let point = (!is_empty).then(|| self.requested.point(attributes(), settled, now));
            return point.into_iter().collect();
        }
        let zero = self
            .time_of_zero(collection)
            .map(|time| empty.point(attributes(), start, time));
        let point = self.requested.point(attributes(), start, now);
        zero.into_iter().chain([point]).collect()
    }

    /// Returns the time of a data point that says that the value was zero, if one has to precede the first value.
    fn time_of_zero(&self, collection: &Collection) -> Option<SystemTime> {
        match self.is_introduced {
            true => None,
            false => collection.time_of_zero(self.first_recorded?),
        }
    }
}

impl Collection {
    /// Returns the time of a data point that says that the value was zero before the first one was recorded at this time.
    ///
    /// `increase()` in Prometheus compares data points and ignores their start time. So without a zero, it misses what
    /// the first data point counts.
    pub(super) fn time_of_zero(&self, first_recorded: SystemTime) -> Option<SystemTime> {
        let before = first_recorded.checked_sub(TICK)?;
        let oldest = self.now.checked_sub(MAX_AGE_OF_ZERO)?;
        // At the start itself, a data point would say that the start is unknown.
        let time = before.max(oldest).max(self.start + TICK);
        let gap = self.now.duration_since(time).ok()?;
        (gap >= TICK).then_some(time)
    }
}
