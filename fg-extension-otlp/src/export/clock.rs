//! Time in a process that may be frozen.

use std::ops::Add;
use std::time::{Duration, Instant, SystemTime};

/// A moment by two clocks: the monotonic one may stand still while the process is frozen, and the wall clock may be
/// set.
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

    /// Returns the monotonic clock's part.
    pub(super) fn monotonic(self) -> Instant {
        self.monotonic
    }

    /// How long it is from `now` to this moment: zero as soon as either clock says that it has passed.
    pub(super) fn remaining(self, now: Self) -> Duration {
        let wall = self.wall.duration_since(now.wall).unwrap_or_default();
        wall.min(self.monotonic.saturating_duration_since(now.monotonic))
    }

    /// How long it has been from this moment to `now`: what the clock says that went further.
    pub(super) fn elapsed(self, now: Self) -> Duration {
        let wall = now.wall.duration_since(self.wall).unwrap_or_default();
        wall.max(now.monotonic.saturating_duration_since(self.monotonic))
    }
}

/// Waits no longer than `limit` for `future`, even if the process is frozen in between; `None` if that was too short.
pub(super) async fn timeout<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    // How soon after a thaw the wall clock is read: the timer may have stood still.
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

    /// No further than the clocks go.
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
    /// How long this thread, and with it the runtime of its test, was frozen so far.
    static FROZEN: std::cell::Cell<Duration> = const { std::cell::Cell::new(Duration::ZERO) };
}

/// Freezes this thread for the duration, its monotonic clock and its timers with it.
#[cfg(test)]
pub(super) fn freeze(duration: Duration) {
    FROZEN.set(FROZEN.get() + duration);
}

#[cfg(test)]
impl FreezeAwareInstant {
    /// This moment in a process that was frozen for the duration, its monotonic clock with it.
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
    fn moment_passes_in_a_freeze() {
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
    async fn wait_ends_in_a_freeze() {
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
