//! Time limits that exclude the time in which the process could not run.

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, timeout};

/// The longest uninterrupted wait. A longer one counts as this long, so it limits what a freeze costs.
const SLICE: Duration = Duration::from_millis(100);

/// How long the runtime has to notice what arrived before the time was up.
const LAST_LOOK: Duration = Duration::from_millis(10);

/// Measures the time in which the process could run.
///
/// The time that passes while the process is frozen, or while something else blocks its thread, is no reason to
/// abort: the response may have arrived and only waits to be read. The stopwatch waits in short slices. A slice that
/// takes longer than it should counts with its planned length only.
#[derive(Debug, Default)]
pub(super) struct Stopwatch {
    elapsed: Duration,
}

impl Stopwatch {
    /// Returns the time that was spent in [`run_until`](Self::run_until).
    pub(super) fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Waits for `future` until `limit` has elapsed on this stopwatch. Returns `None` on timeout.
    ///
    /// After a freeze, the timers may expire before the runtime has looked at the sockets, so `future` gets a last,
    /// short chance after the limit.
    pub(super) async fn run_until<F: Future>(
        &mut self,
        limit: Duration,
        future: F,
    ) -> Option<F::Output> {
        let mut future = pin!(future);
        loop {
            let left = limit.saturating_sub(self.elapsed);
            let slice = if left.is_zero() {
                LAST_LOOK
            } else {
                left.min(SLICE)
            };
            let start = Instant::now();
            let output = timeout(slice, &mut future).await;
            self.elapsed += start.elapsed().min(left.min(slice));
            match output {
                Ok(output) => return Some(output),
                Err(_) if left.is_zero() => return None,
                Err(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::oneshot;
    use tokio::time::{advance, sleep};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn limit_is_exact_without_a_freeze() {
        let start = Instant::now();
        let mut stopwatch = Stopwatch::default();
        assert_eq!(stopwatch.run_until(SECOND, pending::<()>()).await, None);
        assert_eq!(stopwatch.elapsed(), SECOND);
        let elapsed = start.elapsed();
        assert!(elapsed < SECOND + 3 * LAST_LOOK, "{elapsed:?}");
        // A second wait continues at the time of the first.
        let waited = stopwatch.run_until(3 * SECOND, sleep(SECOND)).await;
        assert_eq!(waited, Some(()));
        let total = stopwatch.elapsed();
        assert!(
            total >= 2 * SECOND - SLICE && total <= 2 * SECOND,
            "{total:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn freeze_costs_one_slice_at_most() {
        let start = Instant::now();
        let mut stopwatch = Stopwatch::default();
        let freeze = async {
            sleep(SECOND / 2).await;
            advance(60 * SECOND).await;
            pending::<()>().await;
        };
        assert_eq!(stopwatch.run_until(SECOND, freeze).await, None);
        assert_eq!(stopwatch.elapsed(), SECOND);
        let elapsed = start.elapsed();
        assert!(
            elapsed >= 61 * SECOND - SLICE,
            "half of the second was left after the freeze: {elapsed:?}"
        );
    }

    /// What arrives during a freeze is seen afterwards, even if the timer of the last slice expires first.
    #[tokio::test(start_paused = true)]
    async fn output_that_is_ready_after_the_limit_is_returned() {
        let (sender, receiver) = oneshot::channel();
        let waiting = tokio::spawn(async move {
            let mut stopwatch = Stopwatch::default();
            stopwatch.run_until(SLICE, receiver).await
        });
        tokio::task::yield_now().await;
        advance(60 * SECOND).await;
        // The timer has expired, and the task is scheduled before the output is there.
        sender.send("response").unwrap();
        assert_eq!(waiting.await.unwrap(), Some(Ok("response")));
    }
}
