//! The schedule of `dev`: which invocations it sends on its own, and when.

use std::collections::VecDeque;
use std::future::pending;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::invocation::InvocationSpec;

/// The invocations that `dev` sends on its own.
pub(crate) enum Schedule {
    /// One invocation after each boot; the user sends all others.
    Once {
        /// Whether the invocation has not been sent yet.
        due: bool,
    },
    /// One invocation after the other.
    Steady {
        /// The number of invocations left; `None` means no limit.
        left: Option<u64>,
        /// The shortest time from the start of one invocation to the start of the next.
        interval: Duration,
        next: Option<Instant>,
    },
    /// The invocations of a recording, each at its recorded time since the first one.
    Replay {
        entries: VecDeque<(Duration, InvocationSpec)>,
        start: Option<Instant>,
    },
}

impl Schedule {
    pub(crate) fn steady(left: Option<u64>, interval: Duration) -> Self {
        Self::Steady {
            left,
            interval,
            next: None,
        }
    }

    pub(crate) fn replay(entries: VecDeque<(Duration, InvocationSpec)>) -> Self {
        Self::Replay {
            entries,
            start: None,
        }
    }

    /// Makes an invocation due at once, except in a replay. Must be called whenever an instance has booted.
    pub(crate) fn booted(&mut self) {
        match self {
            Self::Once { due } => *due = true,
            // After a rebuild, invoke at once instead of waiting for the rest of the interval.
            Self::Steady { next, .. } => *next = None,
            Self::Replay { .. } => {}
        }
    }

    /// Waits until the next invocation is due, and returns it; `idle` is whether no invocation is in flight.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: no invocation is lost.
    pub(crate) async fn next(&mut self, idle: bool) -> InvocationSpec {
        match self {
            Self::Once { due } if *due => {
                *due = false;
                InvocationSpec::default()
            }
            Self::Steady {
                left,
                interval,
                next,
            } if idle && *left != Some(0) => {
                if let Some(next) = *next {
                    sleep_until(next).await;
                }
                *next = Some(Instant::now() + *interval);
                *left = left.map(|left| left - 1);
                InvocationSpec::default()
            }
            Self::Replay { entries, start } => {
                let start = *start.get_or_insert_with(Instant::now);
                if let Some((at, _)) = entries.front() {
                    sleep_until(start + *at).await;
                }
                match entries.pop_front() {
                    Some((_, spec)) => spec,
                    None => pending().await,
                }
            }
            _ => pending().await,
        }
    }

    /// Returns whether the last invocation has been sent.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Once { .. } => false,
            Self::Steady { left, .. } => *left == Some(0),
            Self::Replay { entries, .. } => entries.is_empty(),
        }
    }

    /// Returns whether the number of invocations is limited, so that `dev` stops after the last one.
    pub(crate) fn is_finite(&self) -> bool {
        !matches!(self, Self::Once { .. } | Self::Steady { left: None, .. })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{Instant, advance};

    use super::Schedule;
    use crate::invocation::InvocationSpec;

    fn named(trace_id: &str) -> InvocationSpec {
        InvocationSpec {
            trace_id: Some(trace_id.to_owned()),
            ..InvocationSpec::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn interval_is_from_start_to_start() {
        let start = Instant::now();
        let mut schedule = Schedule::steady(Some(3), Duration::from_millis(50));
        schedule.next(true).await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        advance(Duration::from_millis(30)).await;
        schedule.next(true).await;
        assert_eq!(start.elapsed(), Duration::from_millis(50));
        // If an invocation takes longer than the interval, the next one is due at once.
        advance(Duration::from_millis(70)).await;
        schedule.next(true).await;
        assert_eq!(start.elapsed(), Duration::from_millis(120));
        assert!(schedule.is_over());
    }

    #[tokio::test(start_paused = true)]
    async fn replay_keeps_the_times_of_the_recording() {
        let start = Instant::now();
        let times = [0, 20, 250].map(Duration::from_millis);
        let entries = times.into_iter().zip(["a", "b", "c"].map(named));
        let mut schedule = Schedule::replay(entries.collect());
        for (time, trace_id) in times.into_iter().zip(["a", "b", "c"]) {
            let spec = schedule.next(false).await;
            assert_eq!(spec.trace_id.as_deref(), Some(trace_id));
            assert_eq!(start.elapsed(), time);
        }
        assert!(schedule.is_over());
    }
}
