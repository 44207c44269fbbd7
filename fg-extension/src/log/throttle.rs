//! The log throttle: reports problems with telemetry in at most one line per second.
//!
//! An extension that subscribes to the logs of extensions receives its own log lines as telemetry. Without the
//! throttle, a problem with that telemetry would cause more and more log lines.

use std::sync::{Mutex, MutexGuard, PoisonError};

use fg_util::error::one_line;
use fg_util::throttle::Throttle;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Collects notices, and writes them in one line when the next line is due.
pub(crate) struct LogThrottle {
    state: Mutex<ThrottleState>,
    /// Notified when a notice could not be written immediately.
    changed: Notify,
}

struct ThrottleState {
    pending: PendingNotices,
    throttle: Throttle,
}

/// The notices since the last line.
#[derive(Default)]
pub(crate) struct PendingNotices {
    /// The number of batches rejected because the buffer was full.
    pub(crate) rejected: u64,
    /// The number of events lost because the handler failed for too long.
    pub(crate) lost: u64,
    /// The number of failed calls of the handler.
    pub(crate) failures: u64,
    /// The message of the last failure.
    pub(crate) failure: Option<String>,
    /// The number of requests rejected for another reason than a full buffer.
    pub(crate) requests: u64,
    /// The reason of the last such rejection.
    pub(crate) rejection: Option<String>,
}

impl LogThrottle {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(ThrottleState {
                pending: PendingNotices::default(),
                throttle: Throttle::one_per_second(),
            }),
            changed: Notify::new(),
        }
    }

    /// Records a notice. It is written immediately if a line is due, or else together with later notices.
    pub(crate) fn record(&self, notice: impl FnOnce(&mut PendingNotices)) {
        let mut state = self.state();
        notice(&mut state.pending);
        if !state.write_if_due() {
            self.changed.notify_one();
        }
    }

    /// Writes each line when it is due. Never returns.
    pub(crate) async fn run(&self) {
        loop {
            let next = {
                let mut state = self.state();
                if state.pending.is_empty() || state.write_if_due() {
                    None
                } else {
                    state.throttle.next_due()
                }
            };
            match next {
                Some(due) => sleep_until(due.into()).await,
                None => self.changed.notified().await,
            }
        }
    }

    /// Writes all pending notices immediately. Call it before the process exits.
    pub(crate) fn flush(&self) {
        self.state().write();
    }

    fn state(&self) -> MutexGuard<'_, ThrottleState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ThrottleState {
    fn write_if_due(&mut self) -> bool {
        let admitted = self.throttle.admit(Instant::now().into_std());
        if admitted {
            self.write();
        }
        admitted
    }

    fn write(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let pending = std::mem::take(&mut self.pending);
        match pending.lost {
            0 => warn!("telemetry: {}", pending.message()),
            _ => error!("telemetry: {}", pending.message()),
        }
    }
}

impl PendingNotices {
    fn is_empty(&self) -> bool {
        self.rejected + self.lost + self.failures + self.requests == 0
    }

    fn message(&self) -> String {
        let mut parts = Vec::new();
        if self.failures > 0 {
            let failure = one_line(self.failure.as_deref().unwrap_or_default());
            let times = match self.failures {
                1 => String::new(),
                times => format!(" {times} times, last"),
            };
            parts.push(format!("the handler failed{times}: {failure}"));
        }
        let mut count = |count: u64, one: &str, many: &str, outcome: &str| {
            if count > 0 {
                let noun = if count == 1 { one } else { many };
                parts.push(format!("{count} {noun} {outcome}"));
            }
        };
        let outcome = "lost: not delivered within FG_TELEMETRY_TIMEOUT";
        count(self.lost, "event", "events", outcome);
        count(
            self.rejected,
            "batch",
            "batches",
            "rejected with status 503: the buffer is full; increase FG_TELEMETRY_BUFFER",
        );
        if self.requests > 0 {
            let rejection = one_line(self.rejection.as_deref().unwrap_or_default());
            parts.push(match self.requests {
                1 => format!("rejected 1 request: {rejection}"),
                requests => format!("rejected {requests} requests, last: {rejection}"),
            });
        }
        parts.join("; ")
    }
}
