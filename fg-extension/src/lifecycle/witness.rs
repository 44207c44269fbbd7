//! Measures time without the time in which the process did not run, since it was frozen or got no CPU.
//!
//! A thread of its own, the [watchdog](super::watchdog), ticks ten times per second. If a tick is late, the process did
//! not run. If the ticks are on time and a handler took long nevertheless, the handler blocked its thread.

use std::pin::Pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fg_util::select::{Either, select};
use tokio::time::{Instant, sleep_until};

/// The time between two ticks.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// The time between two ticks from which on the process counts as not running.
///
/// A process that is limited to less than one CPU may not run for most of each 100 ms, and must still time out.
const LATE: u32 = 200;

/// How much of the time between two such ticks counts nevertheless, in milliseconds.
///
/// Otherwise nothing would ever time out in a process that gets so little CPU that all of its ticks are late.
const CHARGED: u32 = 50;

/// Longer than any process runs, and short enough to be added to an [`Instant`].
const FOREVER: Duration = Duration::from_secs(1 << 30);

process_static! {
    fn witness() -> Witness = Witness(AtomicU64::new(0));
}

/// The ticks of a thread. When it is dropped, because the thread ends or panics or was not started, all time counts.
pub(crate) struct Ticks(());

impl Ticks {
    /// Starts with a tick, so that a freeze is noticed before the thread runs.
    pub(crate) fn start() -> Self {
        let ticks = Self(());
        ticks.tick();
        ticks
    }

    /// Records the current time. Call it once per [`TICK`], on a thread that does nothing else.
    pub(crate) fn tick(&self) {
        witness().tick(milliseconds(Instant::now()));
    }
}

impl Drop for Ticks {
    fn drop(&mut self) {
        witness().0.store(0, Ordering::Release);
    }
}

/// Returns the time of the last tick, in milliseconds, or 0 if there was none yet.
pub(crate) fn last_tick() -> u32 {
    (witness().0.load(Ordering::Acquire) >> 32) as u32
}

/// A point in time, from which on the time is measured in which the process runs.
///
/// Without ticks, for example before the registration, all time counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    at: Instant,
    /// The milliseconds before `at` in which the process did not run.
    lost: u32,
}

impl Moment {
    pub(crate) fn now() -> Self {
        let at = Instant::now();
        Self {
            at,
            lost: witness().lost(|| milliseconds(at)),
        }
    }

    /// Does the same as [`now`](Self::now) with fewer instructions. If the process was frozen just before, the freeze may
    /// count as if it happened afterwards.
    pub(crate) fn now_cheap() -> Self {
        Self {
            at: Instant::now(),
            // The lower half.
            lost: witness().0.load(Ordering::Acquire) as u32,
        }
    }

    /// Returns how much time has passed since then, whether the process has run or not.
    pub(crate) fn elapsed_at_most(self) -> Duration {
        self.at.elapsed()
    }

    /// Returns how long the process has run since then.
    pub(crate) fn elapsed(self) -> Duration {
        let now = Self::now();
        (now.at - self.at).saturating_sub(self.lost_until(now))
    }

    /// Waits for the future, until the process has run for `limit` since then. Returns `None` if it has.
    ///
    /// # Cancel safety
    ///
    /// It is cancel safe if the future is. If the time is up, the future is dropped.
    pub(crate) async fn timeout<F: Future>(self, limit: Duration, future: F) -> Option<F::Output> {
        match select(future, self.passed(limit)).await {
            Either::First(output) => Some(output),
            Either::Second(()) => None,
        }
    }

    /// Waits until the process has run for `limit` since then.
    async fn passed(self, limit: Duration) {
        while self.elapsed() < limit {
            // The process may be frozen while it waits.
            sleep_until(self.at + limit.min(FOREVER) + self.lost_until(Self::now())).await;
        }
    }

    fn lost_until(self, now: Self) -> Duration {
        Duration::from_millis(now.lost.saturating_sub(self.lost).into())
    }
}

/// A wait that ends when the process has run for some time.
pub(crate) type Timer = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(crate) fn timer(limit: Duration) -> Timer {
    Box::pin(Moment::now().passed(limit))
}

/// The milliseconds since the first call. They wrap around after 49 days.
fn milliseconds(now: Instant) -> u32 {
    process_static! {
        fn start() -> OnceLock<Instant> = OnceLock::new();
    }
    let start = *start().get_or_init(|| now);
    // 0 means that there was no tick yet. The cast is the remainder.
    now.saturating_duration_since(start).as_millis() as u32 | 1
}

/// The time of the last tick in the upper half, and the time that was lost before it in the lower half, both in
/// milliseconds. They are one number so that they are read consistently.
struct Witness(AtomicU64);

impl Witness {
    fn tick(&self, now: u32) {
        let lost = self.lost(|| now);
        self.0
            .store(u64::from(now) << 32 | u64::from(lost), Ordering::Release);
    }

    /// Returns the milliseconds in which the process did not run, including the time since the last tick if the next one
    /// is late.
    fn lost(&self, now: impl FnOnce() -> u32) -> u32 {
        let state = self.0.load(Ordering::Acquire);
        if state == 0 {
            return 0;
        }
        let (last, lost) = ((state >> 32) as u32, state as u32);
        // Another thread may have read the clock before the last tick.
        let gap = now().wrapping_sub(last);
        if (LATE..=u32::MAX / 2).contains(&gap) {
            lost.saturating_add(gap - CHARGED)
        } else {
            lost
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_lost_while_ticks_are_late() {
        let witness = Witness(AtomicU64::new(0));
        assert_eq!(witness.lost(|| 5_000), 0, "no tick yet");
        witness.tick(1_001);
        witness.tick(1_101);
        assert_eq!(witness.lost(|| 1_299), 0);
        // Frozen: the thread that runs first notices it, whichever it is.
        assert_eq!(witness.lost(|| 7_101), 6_000 - CHARGED);
        witness.tick(7_111);
        assert_eq!(witness.lost(|| 7_121), 6_010 - CHARGED);
        witness.tick(7_211);
        assert_eq!(witness.lost(|| 7_221), 6_010 - CHARGED);
        // The clock was read just before the last tick.
        assert_eq!(witness.lost(|| 7_209), 6_010 - CHARGED);
        witness.tick(8_211);
        assert_eq!(witness.lost(|| 8_211), 7_010 - 2 * CHARGED);
    }

    #[test]
    fn time_passes_even_if_every_tick_is_late() {
        let witness = Witness(AtomicU64::new(0));
        (1..=101).for_each(|i| witness.tick(i * 300));
        assert_eq!(100 * 300 - witness.lost(|| 101 * 300), 100 * CHARGED);
    }

    #[test]
    fn milliseconds_may_wrap_around() {
        let witness = Witness(AtomicU64::new(0));
        witness.tick(u32::MAX);
        assert_eq!(witness.lost(|| 99), 0);
        assert_eq!(witness.lost(|| 999), 1_000 - CHARGED);
    }

    #[tokio::test(start_paused = true)]
    async fn timeout_without_ticks_counts_all_time() {
        let start = Moment::now();
        let limit = Duration::from_secs(2);
        let sleep = |seconds| tokio::time::sleep(Duration::from_secs(seconds));
        assert_eq!(start.timeout(limit, sleep(1)).await, Some(()));
        assert_eq!(start.timeout(limit, sleep(2)).await, None);
        assert_eq!(start.elapsed(), limit);
        assert_eq!(start.timeout(Duration::MAX, sleep(2)).await, Some(()));
    }
}
