//! Shares the thread with the other tasks.

use std::time::{Duration, Instant};

use tokio::task::yield_now;

/// How long a task runs before other tasks may run. An extension has only one thread.
const LONGEST_TURN: Duration = Duration::from_millis(5);

/// The time that a task has run without letting others run.
#[derive(Debug)]
pub(crate) struct Turn(Instant);

impl Turn {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Lets other tasks run if this one has run for long.
    pub(crate) async fn yield_if_long(&mut self) {
        if self.0.elapsed() >= LONGEST_TURN {
            yield_now().await;
            self.0 = Instant::now();
        }
    }
}
