//! Which invocations are sent without being asked for, and when.

use std::collections::VecDeque;
use std::future::pending;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::order::Order;

pub(crate) enum Schedule {
    /// One when the instance has booted; then it is for the keys to say.
    Once {
        /// Whether it is still to be sent.
        due: bool,
    },
    /// One after the other.
    Steady {
        /// How many; without it, for ever.
        left: Option<u64>,
        /// From one to the next, at least.
        interval: Duration,
        next: Option<Instant>,
    },
    /// Those of a recording, at their times after the first one.
    Replay {
        entries: VecDeque<(Duration, Order)>,
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

    pub(crate) fn replay(entries: VecDeque<(Duration, Order)>) -> Self {
        Self::Replay {
            entries,
            start: None,
        }
    }

    /// To be called when an instance has booted.
    pub(crate) fn booted(&mut self) {
        match self {
            Self::Once { due } => *due = true,
            // Who has saved something wants to see what became of it.
            Self::Steady { next, .. } => *next = None,
            Self::Replay { .. } => {}
        }
    }

    /// The next one, when it is time for it; `idle` says whether nothing is in flight.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when this is dropped unfinished.
    pub(crate) async fn next(&mut self, idle: bool) -> Order {
        match self {
            Self::Once { due } if *due => {
                *due = false;
                Order::default()
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
                Order::default()
            }
            Self::Replay { entries, start } => {
                let start = *start.get_or_insert_with(Instant::now);
                if let Some((at, _)) = entries.front() {
                    sleep_until(start + *at).await;
                }
                match entries.pop_front() {
                    Some((_, order)) => order,
                    None => pending().await,
                }
            }
            _ => pending().await,
        }
    }

    /// Whether the last one was sent.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Once { .. } => false,
            Self::Steady { left, .. } => *left == Some(0),
            Self::Replay { entries, .. } => entries.is_empty(),
        }
    }

    /// Whether it comes to an end by itself.
    pub(crate) fn ends(&self) -> bool {
        !matches!(self, Self::Once { .. } | Self::Steady { left: None, .. })
    }
}
