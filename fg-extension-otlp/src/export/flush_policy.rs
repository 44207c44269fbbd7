//! The flush policy: flush at the end of each invocation, or periodically.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use crate::config::FlushMode;

/// How many of the latest intervals between invocations are taken into account.
const INTERVALS: usize = 8;

/// Decides whether an invocation flushes at its end, according to `FG_OTLP_FLUSH`.
///
/// In the mode `adaptive`, this depends on how often the function is invoked. Invocations are *rare* until eight
/// intervals between them are known, and while the mean of the last eight is longer than `FG_OTLP_FLUSH_INTERVAL`. If
/// they are rare, the process is frozen before a periodic flush is due, so each invocation flushes at its end. If they
/// are frequent, the next invocation thaws the process in time, so no invocation has to wait for the collector.
#[derive(Debug)]
pub(super) struct FlushPolicy {
    mode: FlushMode,
    interval: Duration,
    /// Wall-clock time, because a monotonic clock may stand still in a freeze, and the interval must include the
    /// freeze.
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

    /// Records when an invocation arrived.
    pub(super) fn record_invocation(&mut self, now: SystemTime) {
        if let Some(last) = self.last_invocation.replace(now) {
            if self.intervals.len() == INTERVALS {
                self.intervals.pop_front();
            }
            // If the clock was set back, zero is the closest estimate.
            self.intervals
                .push_back(now.duration_since(last).unwrap_or_default());
        }
    }

    /// Returns the time between two periodic flushes.
    pub(super) fn interval(&self) -> Duration {
        self.interval
    }

    /// Returns whether to flush at the end of each invocation instead of once per interval.
    pub(super) fn flushes_at_end(&self) -> bool {
        match self.mode {
            FlushMode::End => true,
            FlushMode::Periodic => false,
            FlushMode::Adaptive => self.is_rarely_invoked(),
        }
    }

    fn is_rarely_invoked(&self) -> bool {
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
    fn invocations_are_rare_until_eight_intervals_are_known() {
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
    fn only_the_last_eight_intervals_count() {
        // A pause of an hour, then one invocation per second: rare while the pause is among the last eight intervals.
        let mut invocations: Vec<u64> = vec![0];
        invocations.extend(3600..3608);
        assert!(after(&invocations).flushes_at_end());
        invocations.push(3608);
        assert!(!after(&invocations).flushes_at_end());
    }

    #[test]
    fn clock_set_back_counts_as_a_zero_interval() {
        assert!(!after(&[100, 50, 51, 52, 53, 54, 55, 56, 57]).flushes_at_end());
    }
}
