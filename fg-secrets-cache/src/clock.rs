//! Time in a process that may be frozen.

use std::pin::pin;
use std::time::{Duration, SystemTime};

use tokio::time::{Instant, timeout};

/// A point in time on two clocks: the monotonic clock may stand still while the process is frozen, and the wall clock may
/// be set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FreezeAwareInstant {
    monotonic: Instant,
    wall: SystemTime,
}

impl FreezeAwareInstant {
    pub(crate) fn now() -> Self {
        Self {
            monotonic: Instant::now(),
            #[cfg(not(test))]
            wall: SystemTime::now(),
            #[cfg(test)]
            wall: SystemTime::now() + FROZEN.get(),
        }
    }

    /// Returns the time from this instant until `now`, on the clock that advanced further.
    pub(crate) fn elapsed(self, now: Self) -> Duration {
        let wall = now.wall.duration_since(self.wall).unwrap_or_default();
        wall.max(now.monotonic.saturating_duration_since(self.monotonic))
    }
}

/// The result of [`wait`].
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Waited<T> {
    /// `None` on timeout.
    pub(crate) output: Option<T>,
    /// Whether the process was frozen for a second or more, so that connections may have broken without a sign.
    pub(crate) was_frozen: bool,
}

/// Waits for `future` for as long as `limit`, or for a second after a freeze if that is shorter.
///
/// The time in which the process is frozen does not count: the wait consists of short parts, and a part counts as its
/// planned duration, even if its timer fires much later. What arrived in a freeze gets a short time to be read.
pub(crate) async fn wait<F: Future>(limit: Duration, future: F) -> Waited<F::Output> {
    const PART: Duration = Duration::from_millis(100);
    const LAST_PART: Duration = Duration::from_millis(10);
    const SECOND: Duration = Duration::from_secs(1);
    let mut future = pin!(future);
    let (mut left, mut was_frozen) = (limit, false);
    while !left.is_zero() {
        let (part, start) = (left.min(PART), FreezeAwareInstant::now());
        let output = timeout(part, &mut future).await.ok();
        let elapsed = start.elapsed(FreezeAwareInstant::now());
        left -= elapsed.min(part);
        if elapsed > part + SECOND {
            was_frozen = true;
            left = left.min(SECOND);
        }
        if output.is_some() {
            return Waited { output, was_frozen };
        }
    }
    let output = timeout(LAST_PART, future).await.ok();
    Waited { output, was_frozen }
}

#[cfg(test)]
thread_local! {
    /// How long this thread, and thereby the runtime of its test, has been frozen so far.
    static FROZEN: std::cell::Cell<Duration> = const { std::cell::Cell::new(Duration::ZERO) };
}

/// Simulates a freeze of this thread: the wall clock advances, while the monotonic clock and the timers stand still.
#[cfg(test)]
pub(crate) fn freeze(duration: Duration) {
    FROZEN.set(FROZEN.get() + duration);
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::{advance, sleep};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn clock_that_advanced_further_counts() {
        let start = FreezeAwareInstant::now();
        let thawed = FreezeAwareInstant {
            wall: start.wall + 60 * SECOND,
            ..start
        };
        assert_eq!(start.elapsed(thawed), 60 * SECOND);
        assert_eq!(thawed.elapsed(start), Duration::ZERO);
        let set_back = FreezeAwareInstant {
            monotonic: start.monotonic + SECOND,
            wall: start.wall - 60 * SECOND,
        };
        assert_eq!(start.elapsed(set_back), SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn frozen_time_does_not_count() {
        const LIMIT: Duration = Duration::from_secs(2);
        let timed_out = |was_frozen| Waited::<()> {
            output: None,
            was_frozen,
        };
        let start = Instant::now();
        assert_eq!(wait(LIMIT, pending()).await, timed_out(false));
        assert!(start.elapsed() < LIMIT + SECOND / 10);

        let start = Instant::now();
        let freeze = async {
            sleep(3 * SECOND / 2).await;
            advance(60 * SECOND).await;
            pending().await
        };
        assert_eq!(wait(LIMIT, freeze).await, timed_out(true));
        let after = start.elapsed() - 60 * SECOND - 3 * SECOND / 2;
        assert!(after > SECOND / 4 && after < SECOND, "{after:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn wait_ends_soon_after_a_freeze() {
        let start = Instant::now();
        let freeze = async {
            sleep(SECOND).await;
            freeze(3600 * SECOND);
            pending::<()>().await
        };
        assert!(wait(600 * SECOND, freeze).await.was_frozen);
        let elapsed = start.elapsed();
        assert!(elapsed >= 2 * SECOND && elapsed < 3 * SECOND, "{elapsed:?}");
    }
}
