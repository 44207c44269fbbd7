//! Time in a process that may be frozen.

use std::ops::Add;
use std::time::{Duration, Instant, SystemTime};

/// A moment by two clocks: the monotonic one may stand still while the process is frozen, and the wall clock may be
/// set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time {
    monotonic: Instant,
    wall: SystemTime,
}

impl Time {
    pub(super) fn now() -> Self {
        Self {
            monotonic: Instant::now(),
            #[cfg(not(test))]
            wall: SystemTime::now(),
            #[cfg(test)]
            wall: SystemTime::now() + FROZEN.get(),
        }
    }

    /// How long it is from `now` to this moment: nothing as soon as either clock says that it has passed.
    pub(super) fn left(self, now: Self) -> Duration {
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
pub(super) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    // How soon after a thaw the wall clock is looked at: the timer may have stood still.
    const LOOK: Duration = Duration::from_millis(100);
    let start = Time::now();
    let mut future = std::pin::pin!(future);
    loop {
        let left = limit.saturating_sub(start.elapsed(Time::now()));
        match tokio::time::timeout(left.min(LOOK), &mut future).await {
            Ok(output) => return Some(output),
            Err(_) if left <= LOOK => return None,
            Err(_) => {}
        }
    }
}

impl Add<Duration> for Time {
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
impl Time {
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
        let now = Time::now();
        let later = now + Duration::from_secs(5);
        assert_eq!(later.left(now), Duration::from_secs(5));
        let thawed = now.after_freeze(Duration::from_secs(4));
        assert_eq!(later.left(thawed), Duration::from_secs(1));
        assert_eq!(now.elapsed(thawed), Duration::from_secs(4));
        let thawed = now.after_freeze(Duration::from_secs(60));
        assert_eq!(later.left(thawed), Duration::ZERO);
    }

    #[tokio::test]
    async fn wait_ends_in_a_freeze() {
        const HOUR: Duration = Duration::from_secs(3600);
        let waited = async {
            tokio::join!(within(HOUR, std::future::pending::<()>()), async {
                freeze(2 * HOUR);
            })
        };
        let waited = tokio::time::timeout(Duration::from_secs(20), waited).await;
        assert_eq!(waited, Ok((None, ())));
    }

    #[test]
    fn clock_that_is_set_back_prolongs_nothing() {
        let set_back = Time::now();
        let now = set_back.after_freeze(Duration::from_secs(3600));
        assert_eq!(
            (now + Duration::from_secs(5)).left(set_back),
            Duration::from_secs(5)
        );
        assert_eq!(now.elapsed(set_back), Duration::ZERO);
    }
}
