//! Which invocations `dev` sends by itself, and when.

use std::collections::VecDeque;
use std::future::pending;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::ipc::InvocationSpec;

pub(crate) enum Schedule {
    /// One invocation when the instance has booted; keys send the rest.
    Once {
        /// Whether the invocation has not been sent yet.
        due: bool,
    },
    /// One invocation after the other.
    Steady {
        /// How many are left; `None` for no limit.
        left: Option<u64>,
        /// The shortest time from the start of one to the start of the next.
        interval: Duration,
        next: Option<Instant>,
    },
    /// The invocations of a recording, each at its time after the first one.
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

    /// Must be called when an instance has booted.
    pub(crate) fn booted(&mut self) {
        match self {
            Self::Once { due } => *due = true,
            // After a rebuild, the user wants to see the new program at work at once.
            Self::Steady { next, .. } => *next = None,
            Self::Replay { .. } => {}
        }
    }

    /// Waits until the next invocation is due; `idle` says whether no invocation is in flight.
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

    /// Returns whether the last invocation was sent.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Once { .. } => false,
            Self::Steady { left, .. } => *left == Some(0),
            Self::Replay { entries, .. } => entries.is_empty(),
        }
    }

    /// Returns whether it ends by itself.
    pub(crate) fn ends(&self) -> bool {
        !matches!(self, Self::Once { .. } | Self::Steady { left: None, .. })
    }
}
