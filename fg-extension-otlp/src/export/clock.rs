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

/// A limit on a wait. It counts the time that the process runs, not the time that it is frozen.
///
/// A timer of a process that was frozen fires when the process thaws, before the process has had the time to read what
/// arrived in the meantime. So the wait consists of short parts, and a part counts as its planned duration, even if its
/// timer fires much later.
#[derive(Debug)]
pub(crate) struct TimeLimit {
    left: Duration,
    /// When the limit has passed on the clocks, and how long the process may run after that.
    expiry: Option<(FreezeAwareInstant, Duration)>,
}

impl TimeLimit {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            left: limit,
            expiry: None,
        }
    }

    /// Returns a limit that also ends if it has passed on either clock, and the process has run for `grace` since it
    /// thawed.
    ///
    /// This is for what a freeze may have broken without a sign, such as a connection.
    pub(super) fn with_grace_after_freeze(limit: Duration, grace: Duration) -> Self {
        Self {
            left: limit,
            expiry: Some((FreezeAwareInstant::now() + limit, grace)),
        }
    }

    /// Shortens the time that is left to `limit`.
    pub(super) fn shorten(&mut self, limit: Duration) {
        self.left = self.left.min(limit);
        if let Some((expiry, _)) = &mut self.expiry {
            *expiry = FreezeAwareInstant::now() + self.left;
        }
    }

    /// Waits for `future` until the time is used up. Returns `None` on timeout.
    pub(crate) async fn wait<F: Future>(&mut self, future: F) -> Option<F::Output> {
        const PART: Duration = Duration::from_millis(100);
        let mut future = std::pin::pin!(future);
        loop {
            let (part, start) = (self.left.min(PART), Instant::now());
            let output = tokio::time::timeout(part, &mut future).await;
            let elapsed = start.elapsed();
            self.left -= elapsed.min(part);
            if let Ok(output) = output {
                return Some(output);
            }
            if let Some((expiry, grace)) = self.expiry {
                let remaining = expiry.remaining(FreezeAwareInstant::now());
                self.left = self.left.min(remaining.max(grace));
            }
            if self.left.is_zero() {
                // If the process was frozen in the last part, what arrived then has not been read.
                let was_frozen = elapsed > part + PART;
                return match was_frozen {
                    true => tokio::time::timeout(PART, future).await.ok(),
                    false => None,
                };
            }
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
    async fn frozen_time_does_not_count() {
        const SECOND: Duration = Duration::from_secs(1);
        let (send, receive) = tokio::sync::oneshot::channel();
        // Blocks the only thread, which looks like a freeze: all timers fire late, and before the other task runs.
        let frozen = async {
            std::thread::sleep(2 * SECOND);
            drop(tokio::spawn(async { send.send("received") }));
        };
        let mut limit = TimeLimit::new(SECOND);
        let (waited, ()) = tokio::join!(limit.wait(receive), frozen);
        assert_eq!(waited, Some(Ok("received")));
        assert!(limit.left >= SECOND / 2, "{limit:?}");
    }

    #[tokio::test]
    async fn last_part_of_a_wait_may_be_a_freeze() {
        let (send, receive) = tokio::sync::oneshot::channel();
        let limit = Duration::from_millis(50);
        let frozen = async {
            std::thread::sleep(10 * limit);
            drop(tokio::spawn(async { send.send("received") }));
        };
        let mut limit = TimeLimit::new(limit);
        let (waited, ()) = tokio::join!(limit.wait(receive), frozen);
        assert_eq!(waited, Some(Ok("received")));
    }

    #[tokio::test]
    async fn wait_ends_soon_after_a_freeze_if_there_is_a_grace_period() {
        const HOUR: Duration = Duration::from_secs(3600);
        let grace = Duration::from_millis(300);
        let mut limit = TimeLimit::with_grace_after_freeze(HOUR, grace);
        let start = Instant::now();
        let waited = async {
            tokio::join!(limit.wait(std::future::pending::<()>()), async {
                freeze(2 * HOUR);
            })
        };
        let waited = tokio::time::timeout(Duration::from_secs(20), waited).await;
        assert_eq!(waited, Ok((None, ())));
        assert!(start.elapsed() >= grace);
    }

    #[tokio::test]
    async fn wait_without_time_polls_once() {
        let mut limit = TimeLimit::new(Duration::ZERO);
        assert_eq!(limit.wait(async { 1 }).await, Some(1));
        assert_eq!(limit.wait(std::future::pending::<()>()).await, None);
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
