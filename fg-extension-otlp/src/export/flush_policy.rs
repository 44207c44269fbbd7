//! Whether data are flushed at the end of each invocation, or periodically.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use crate::config::FlushMode;

/// How many intervals between invocations count; older ones say nothing about now.
const INTERVALS: usize = 8;

/// Decides whether an invocation flushes at its end, by `FG_OTLP_FLUSH` and, if that is `adaptive`, by how often the function is invoked.
///
/// `adaptive`: a function is invoked *rarely* until eight intervals between its invocations are known, and while the mean
/// of the last eight is longer than `FG_OTLP_FLUSH_INTERVAL`. Invoked rarely, its process is frozen before a periodic flush
/// is due, so each invocation flushes at its end. Invoked often, the next invocation thaws the process in time, and no
/// invocation has to wait for the collector.
#[derive(Debug)]
pub(super) struct FlushPolicy {
    mode: FlushMode,
    interval: Duration,
    /// By the wall clock: a monotonic one may stand still in a freeze, and the length of the freeze is the very thing to
    /// know.
    last_invocation: Option<SystemTime>,
    intervals: VecDeque<Duration>,
}

impl FlushPolicy {
    pub(super) fn new(mode: FlushMode, interval: Duration) -> Self {
        Self {
            mode,
            interval,
            last_invocation: None,
            intervals: VecDeque::new(),
        }
    }

    pub(super) fn record_invocation(&mut self, now: SystemTime) {
        if let Some(last) = self.last_invocation.replace(now) {
            if self.intervals.len() == INTERVALS {
                self.intervals.pop_front();
            }
            // If the clock was set back, zero is the nearest guess.
            self.intervals
                .push_back(now.duration_since(last).unwrap_or_default());
        }
    }

    /// Returns the time between two periodic flushes.
    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// Returns whether data are flushed at the end of invocations; else it is each interval.
    pub(super) fn flushes_at_end(&self) -> bool {
        match self.mode {
            FlushMode::End => true,
            FlushMode::Periodic => false,
            FlushMode::Adaptive => self.is_invoked_rarely(),
        }
    }

    fn is_invoked_rarely(&self) -> bool {
        let sum = self
            .intervals
            .iter()
            .fold(Duration::ZERO, |sum, next| sum.saturating_add(*next));
        self.intervals.len() < INTERVALS || sum / INTERVALS as u32 > self.interval
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(5);

    fn after(seconds: &[u64]) -> FlushPolicy {
        let mut policy = FlushPolicy::new(FlushMode::Adaptive, INTERVAL);
        for second in seconds {
            policy.record_invocation(SystemTime::UNIX_EPOCH + Duration::from_secs(*second));
        }
        policy
    }

    #[test]
    fn function_is_invoked_rarely_until_it_is_known_to_be_invoked_often() {
        let every = |seconds: u64, invocations: u64| {
            let invocations: Vec<_> = (0..invocations)
                .map(|number| 100 + number * seconds)
                .collect();
            after(&invocations)
        };
        for invocations in 0..=8 {
            assert!(every(1, invocations).flushes_at_end(), "{invocations}");
        }
        assert!(!every(1, 9).flushes_at_end());
        assert!(!every(5, 9).flushes_at_end());
        assert!(every(6, 9).flushes_at_end());
    }

    #[test]
    fn last_eight_intervals_count() {
        // An hour's pause, then once a second: rare for as long as the pause is among the eight.
        let mut invocations: Vec<u64> = vec![0];
        invocations.extend(3600..3608);
        assert!(after(&invocations).flushes_at_end());
        invocations.push(3608);
        assert!(!after(&invocations).flushes_at_end());
    }

    #[test]
    fn clock_that_is_set_back_counts_as_no_pause() {
        assert!(!after(&[100, 50, 51, 52, 53, 54, 55, 56, 57]).flushes_at_end());
    }
}
