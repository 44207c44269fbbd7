//! What is known about the export of one signal.

use std::time::Duration;

use fg_util::backoff::Backoff;

use super::clock::FreezeAwareInstant;
use super::retry;

pub(super) struct SignalState {
    /// `None` if the signal is off: then nothing is queued for it, and no invocation waits for it.
    endpoint: Option<String>,
    /// The last flush for which everything was tried that had arrived before it.
    completed_flush: u64,
    /// When sending began last.
    pub(super) sending_since: FreezeAwareInstant,
    /// Whether something was sent since then.
    has_sent: bool,
    /// `Some` while attempts fail after which the same data are sent again.
    backoff: Option<Backoff>,
    /// When to try again; `None` while trying.
    pub(super) retry_at: Option<FreezeAwareInstant>,
    /// Whether it has kept an invocation waiting in vain, and has not been in time since.
    is_slow: bool,
    /// Why the last request failed, if it did.
    last_error: Option<String>,
    /// Whether the log says that nothing gets through, and not yet that it does again.
    pub(super) is_outage_logged: bool,
}

impl SignalState {
    pub(super) fn new(endpoint: Option<String>, now: FreezeAwareInstant) -> Self {
        Self {
            endpoint,
            completed_flush: 0,
            sending_since: now,
            has_sent: false,
            backoff: None,
            retry_at: None,
            is_slow: false,
            last_error: None,
            is_outage_logged: false,
        }
    }

    pub(super) fn is_on(&self) -> bool {
        self.endpoint.is_some()
    }

    pub(super) fn endpoint(&self) -> &str {
        self.endpoint.as_deref().unwrap_or_default()
    }

    /// Whether the collector is known to be down.
    pub(super) fn is_down(&self) -> bool {
        self.backoff.is_some()
    }

    /// Whether an invocation may wait for this signal's flush.
    pub(super) fn may_be_awaited(&self) -> bool {
        self.is_on() && !self.is_down() && !self.is_slow
    }

    pub(super) fn has_completed(&self, flush: u64) -> bool {
        self.completed_flush >= flush
    }

    pub(super) fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    pub(super) fn start_sending(&mut self, now: FreezeAwareInstant) {
        self.sending_since = now;
        self.has_sent = false;
        self.retry_at = None;
    }

    /// An invocation has waited for the flush in vain.
    pub(super) fn record_timeout(&mut self, flush: u64) {
        self.is_slow |= !self.has_completed(flush);
    }

    /// Everything that arrived before the flush has been tried.
    pub(super) fn complete_flush(
        &mut self,
        flush: u64,
        timeout: Duration,
        now: FreezeAwareInstant,
    ) {
        // A failure may have completed later ones.
        self.completed_flush = self.completed_flush.max(flush);
        if self.has_sent && self.sending_since.elapsed(now) <= timeout {
            self.is_slow = false;
        }
    }

    pub(super) fn record_accepted(&mut self) {
        self.has_sent = true;
        self.backoff = None;
        self.last_error = None;
    }

    pub(super) fn record_rejected(&mut self, reason: String) {
        self.has_sent = true;
        self.backoff = None;
        self.last_error = Some(reason);
    }

    /// Records a failure after which the same data are sent again, and returns the pause before that.
    pub(super) fn record_failure(
        &mut self,
        retry_after: Option<Duration>,
        reason: String,
        requested_flush: u64,
        now: FreezeAwareInstant,
    ) -> Duration {
        let backoff = self.backoff.get_or_insert_with(retry::backoff);
        let pause = retry::next_pause(backoff, retry_after);
        self.retry_at = Some(now + pause);
        self.last_error = Some(reason);
        // Whoever asked meanwhile shall not wait for the next attempt.
        self.completed_flush = requested_flush;
        self.has_sent = false;
        pause
    }
}
