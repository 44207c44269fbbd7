//! Shares the thread with the other tasks.

use std::time::{Duration, Instant};

use tokio::task::yield_now;

/// How long a task runs before other tasks may run. An extension has only one thread.
const LONGEST_TURN: Duration = Duration::from_millis(5);

/// How many bytes take a turn of their own.
const LARGE_BYTES: usize = 256 << 10;

/// The time that a task has run without letting others run.
#[derive(Debug)]
pub(crate) struct Turn(Instant);

impl Turn {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Lets other tasks run if this one has run for long, or will because it reads this many bytes next.
    pub(crate) async fn yield_before(&mut self, bytes: usize) {
        if bytes >= LARGE_BYTES || self.0.elapsed() >= LONGEST_TURN {
            yield_now().await;
            self.0 = Instant::now();
        }
    }
}
