//! The temporality of each kind of instrument.

use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;

use crate::config::TemporalityPreference;

impl TemporalityPreference {
    /// Returns the temporality of counters and histograms whose values are recorded one by one.
    pub(super) fn recorded(self) -> AggregationTemporality {
        match self {
            Self::Cumulative => AggregationTemporality::Cumulative,
            Self::Delta | Self::LowMemory => AggregationTemporality::Delta,
        }
    }

    /// Returns the temporality of counters that are only read when they are sent.
    pub(super) fn observed(self) -> AggregationTemporality {
        match self {
            Self::Delta => AggregationTemporality::Delta,
            Self::Cumulative | Self::LowMemory => AggregationTemporality::Cumulative,
        }
    }
}
