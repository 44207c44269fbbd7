//! What goes wrong with telemetry, told in one line a second at most.
//!
//! An extension that subscribes to what extensions log is told its own lines: it must not feed itself.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use fg_util::error::one_line;

const BETWEEN_LINES: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct LogThrottle {
    state: Mutex<State>,
    /// Told when something waits for its line.
    changed: Notify,
}

#[derive(Default)]
struct State {
    pending: PendingNotices,
    last_line: Option<Instant>,
}

/// What happened since the last line; events, unless something else is named.
#[derive(Default)]
pub(crate) struct PendingNotices {
    /// Refused, since there was no room.
    pub(crate) refused: u64,
    /// Dropped for newer ones.
    pub(crate) dropped: u64,
    /// Given up, since the handler failed for too long.
    pub(crate) lost: u64,
    /// Failures of the handler.
    pub(crate) failures: u64,
    /// Why it failed, last.
    pub(crate) failure: Option<String>,
    /// Requests that were refused, for another reason than that.
    pub(crate) requests: u64,
    /// Why, last.
    pub(crate) refusal: Option<String>,
}

impl LogThrottle {
    /// Tells it, at once or, together with what comes until then, a second after the last line.
    pub(crate) fn record(&self, happened: impl FnOnce(&mut PendingNotices)) {
        let mut state = self.state();
        happened(&mut state.pending);
        if state.due() <= Instant::now() {
            state.write();
        } else {
            self.changed.notify_one();
        }
    }

    /// Writes the lines that are due; for ever.
    pub(crate) async fn run(&self) {
        loop {
            let due = {
                let mut state = self.state();
                let due = state.due();
                if due <= Instant::now() {
                    state.write();
                }
                (!state.pending.is_empty()).then_some(due)
            };
            match due {
                Some(due) => sleep_until(due).await,
                None => self.changed.notified().await,
            }
        }
    }

    /// Writes what is pending, before the end.
    pub(crate) fn end(&self) {
        self.state().write();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn due(&self) -> Instant {
        self.last_line
            .map_or_else(Instant::now, |last| last + BETWEEN_LINES)
    }

    fn write(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let pending = std::mem::take(&mut self.pending);
        self.last_line = Some(Instant::now());
        match pending.lost + pending.dropped {
            0 => tracing::warn!("telemetry: {}", pending.text()),
            _ => tracing::error!("telemetry: {}", pending.text()),
        }
    }
}

impl PendingNotices {
    fn is_empty(&self) -> bool {
        self.refused + self.dropped + self.lost + self.failures + self.requests == 0
    }

    fn text(&self) -> String {
        let mut parts = Vec::new();
        if self.failures > 0 {
            let failure = one_line(self.failure.as_deref().unwrap_or_default());
            let times = match self.failures {
                1 => String::new(),
                times => format!(" {times} times, last"),
            };
            parts.push(format!("the handler failed{times}: {failure}"));
        }
        let mut events = |count: u64, what: &str| {
            if count > 0 {
                let s = if count == 1 { "" } else { "s" };
                parts.push(format!("{count} event{s} {what}"));
            }
        };
        events(
            self.lost,
            "lost, since FG_TELEMETRY_TIMEOUT was over; it sets for how long a batch is tried",
        );
        events(
            self.dropped,
            "lost, dropped for newer ones; FG_TELEMETRY_BUFFER sets how many bytes may wait",
        );
        events(
            self.refused,
            "refused with status 503; FG_TELEMETRY_BUFFER sets how many bytes may wait",
        );
        if self.requests > 0 {
            let refusal = one_line(self.refusal.as_deref().unwrap_or_default());
            parts.push(format!(
                "requests that were refused: {}, last: {refusal}",
                self.requests
            ));
        }
        parts.join("; ")
    }
}
