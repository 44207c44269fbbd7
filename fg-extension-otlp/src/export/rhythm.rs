//! How often the function is called, for the adaptive flush.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

/// The intervals that count; old ones say nothing about now.
const KNOWN: usize = 8;

/// When the last few invocations came, by the wall clock: a monotonic one may stand still in a freeze, and the
/// length of the freeze is the very thing to know.
///
/// The rule of `FG_OTLP_FLUSH=adaptive`: a function is called *rarely* until eight intervals between its invocations
/// are known, and while the mean of the last eight is longer than `FG_OTLP_FLUSH_INTERVAL`. Called rarely, its process
/// is frozen before a periodic flush is due, so each invocation flushes at its end. Called often, the next invocation
/// thaws the process in time, and no invocation has to wait for the collector.
#[derive(Debug, Default)]
pub(super) struct Rhythm {
    last: Option<SystemTime>,
    intervals: VecDeque<Duration>,
}

impl Rhythm {
    pub(super) fn invoked(&mut self, now: SystemTime) {
        if let Some(last) = self.last.replace(now) {
            if self.intervals.len() == KNOWN {
                self.intervals.pop_front();
            }
            // A clock that was set back tells of no interval; none at all is the nearest guess.
            self.intervals
                .push_back(now.duration_since(last).unwrap_or_default());
        }
    }

    /// Whether the function is called less than once in `interval`.
    pub(super) fn is_rare(&self, interval: Duration) -> bool {
        let sum = self
            .intervals
            .iter()
            .fold(Duration::ZERO, |sum, next| sum.saturating_add(*next));
        self.intervals.len() < KNOWN || sum / KNOWN as u32 > interval
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(5);

    fn after(seconds: &[u64]) -> Rhythm {
        let mut rhythm = Rhythm::default();
        for second in seconds {
            rhythm.invoked(SystemTime::UNIX_EPOCH + Duration::from_secs(*second));
        }
        rhythm
    }

    #[test]
    fn function_is_called_rarely_until_it_is_known_to_be_called_often() {
        let every = |seconds: u64, calls: u64| {
            let calls: Vec<_> = (0..calls).map(|call| 100 + call * seconds).collect();
            after(&calls)
        };
        for calls in 0..=8 {
            assert!(every(1, calls).is_rare(INTERVAL), "{calls}");
        }
        assert!(!every(1, 9).is_rare(INTERVAL));
        assert!(!every(5, 9).is_rare(INTERVAL));
        assert!(every(6, 9).is_rare(INTERVAL));
    }

    #[test]
    fn last_eight_intervals_count() {
        // An hour's pause, then once a second: rare for as long as the pause is among the eight.
        let mut calls: Vec<u64> = vec![0];
        calls.extend(3600..3608);
        assert!(after(&calls).is_rare(INTERVAL));
        calls.push(3608);
        assert!(!after(&calls).is_rare(INTERVAL));
    }

    #[test]
    fn clock_that_is_set_back_is_no_interval() {
        assert!(!after(&[100, 50, 51, 52, 53, 54, 55, 56, 57]).is_rare(INTERVAL));
    }
}
