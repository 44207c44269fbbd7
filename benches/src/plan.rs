//! How long each measurement takes.

use std::time::Duration;

pub(crate) struct Plan {
    /// Interleaved starts.
    pub(crate) starts: usize,
    /// Interleaved rounds of everything else.
    pub(crate) rounds: usize,
    pub(crate) invocations: Duration,
    pub(crate) memory_invocations: u64,
    pub(crate) memory_events: u64,
    /// Batch sizes, and how many events are sent.
    pub(crate) telemetry: [(usize, u64); 3],
    pub(crate) otlp_events: u64,
    /// Invocations of the two runs with callgrind.
    pub(crate) counted_invocations: [u64; 2],
    /// Telemetry events of the two runs with callgrind.
    pub(crate) counted_events: [u64; 2],
    pub(crate) clean_builds: bool,
}

impl Plan {
    pub(crate) const FULL: Self = Self {
        starts: 61,
        rounds: 5,
        invocations: Duration::from_secs(3),
        memory_invocations: 100_000,
        memory_events: 1_000_000,
        telemetry: [(1, 60_000), (100, 1_000_000), (1000, 1_000_000)],
        otlp_events: 900_000,
        counted_invocations: [500, 3_500],
        counted_events: [5_000, 35_000],
        clean_builds: true,
    };

    pub(crate) const QUICK: Self = Self {
        starts: 3,
        rounds: 1,
        invocations: Duration::from_millis(300),
        memory_invocations: 2_000,
        memory_events: 20_000,
        telemetry: [(1, 3_000), (100, 50_000), (1000, 50_000)],
        otlp_events: 45_000,
        counted_invocations: [100, 600],
        counted_events: [1_000, 5_000],
        clean_builds: false,
    };
}
