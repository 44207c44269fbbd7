//! Time measurement in a process that may be frozen.

use std::ops::Add;
use std::time::{Duration, Instant, SystemTime};

/// A point in time on two clocks: the monotonic clock may stand still while the process is frozen, and the wall clock
/// may be set.
#[derive(Clone, Copy, Debug)]
pub(super) struct FreezeAwareInstant {
    monotonic: Instant,
    wall: SystemTime,
}

impl FreezeAwareInstant {
    pub(super) fn now() -> Self {
        Self {
            monotonic: Instant::now(),
            #[cfg(not(test))]
            wall: SystemTime::now(),
            #[cfg(test)]
            wall: SystemTime::now() + FROZEN.get(),
        }
    }

    /// Returns the time on the monotonic clock.
    pub(super) fn monotonic(self) -> Instant {
        self.monotonic
    }

    /// Returns the time from `now` until this instant, or zero if it has passed on either clock.
    pub(super) fn remaining(self, now: Self) -> Duration {
        let wall = self.wall.duration_since(now.wall).unwrap_or_default();
        wall.min(self.monotonic.saturating_duration_since(now.monotonic))
    }

    /// Returns the time from this instant until `now`, on the clock that advanced further.
    pub(super) fn elapsed(self, now: Self) -> Duration {
        let wall = now.wall.duration_since(self.wall).unwrap_or_default();
        wall.max(now.monotonic.saturating_duration_since(self.monotonic))
    }
}

/// Waits for `future` for at most `limit`, including the time that the process is frozen. Returns `None` on timeout.
pub(super) async fn timeout<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    // The timer may stand still in a freeze, so the wall clock is checked this often.
    const POLL_INTERVAL: Duration = Duration::from_millis(100);
    let start = FreezeAwareInstant::now();
    let mut future = std::pin::pin!(future);
    loop {
        let left = limit.saturating_sub(start.elapsed(FreezeAwareInstant::now()));
        match tokio::time::timeout(left.min(POLL_INTERVAL), &mut future).await {
            Ok(output) => return Some(output),
            Err(_) if left <= POLL_INTERVAL => return None,
            Err(_) => {}
        }
    }
}

impl Add<Duration> for FreezeAwareInstant {
    type Output = Self;

    /// Adds a duration, or leaves a clock unchanged if the result cannot be represented.
    fn add(self, duration: Duration) -> Self {
        Self {
            monotonic: self
                .monotonic
                .checked_add(duration)
                .unwrap_or(self.monotonic),
            wall: self.wall.checked_add(duration).unwrap_or(self.wall),
        }
    }
}

#[cfg(test)]
thread_local! {
    /// How long this thread, and thereby the runtime of its test, has been frozen so far.
    static FROZEN: std::cell::Cell<Duration> = const { std::cell::Cell::new(Duration::ZERO) };
}

/// Simulates a freeze of this thread: the wall clock advances, while the monotonic clock and the timers stand still.
#[cfg(test)]
pub(super) fn freeze(duration: Duration) {
    FROZEN.set(FROZEN.get() + duration);
}

#[cfg(test)]
impl FreezeAwareInstant {
    /// Returns this instant after a freeze, in which the monotonic clock stood still.
    pub(super) fn after_freeze(self, duration: Duration) -> Self {
        Self {
            wall: self.wall + duration,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remaining_time_includes_a_freeze() {
        let now = FreezeAwareInstant::now();
        let later = now + Duration::from_secs(5);
        assert_eq!(later.remaining(now), Duration::from_secs(5));
        let thawed = now.after_freeze(Duration::from_secs(4));
        assert_eq!(later.remaining(thawed), Duration::from_secs(1));
        assert_eq!(now.elapsed(thawed), Duration::from_secs(4));
        let thawed = now.after_freeze(Duration::from_secs(60));
        assert_eq!(later.remaining(thawed), Duration::ZERO);
    }

    #[tokio::test]
    async fn timeout_includes_a_freeze() {
        const HOUR: Duration = Duration::from_secs(3600);
        let waited = async {
            tokio::join!(timeout(HOUR, std::future::pending::<()>()), async {
                freeze(2 * HOUR);
            })
        };
        let waited = tokio::time::timeout(Duration::from_secs(20), waited).await;
        assert_eq!(waited, Ok((None, ())));
    }

    #[test]
    fn clock_set_back_does_not_prolong_a_wait() {
        let set_back = FreezeAwareInstant::now();
        let now = set_back.after_freeze(Duration::from_secs(3600));
        assert_eq!(
            (now + Duration::from_secs(5)).remaining(set_back),
            Duration::from_secs(5)
        );
        assert_eq!(now.elapsed(set_back), Duration::ZERO);
    }
}
