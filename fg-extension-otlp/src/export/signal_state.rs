//! The export state of one signal: completed flushes, back-off, and latency.

use std::time::Duration;

use fg_util::backoff::Backoff;

use super::clock::FreezeAwareInstant;
use super::retry;

/// The export state of one signal.
pub(super) struct SignalState {
    /// `None` if the signal is disabled. No data is queued for it then, and no invocation waits for it.
    endpoint: Option<String>,
    /// The latest completed flush: there was an attempt to send everything that had arrived before it.
    completed_flush: u64,
    /// When sending last started.
    pub(super) sending_since: FreezeAwareInstant,
    /// Whether a request has been completed since then.
    has_sent: bool,
    /// `Some` while requests fail and are retried.
    backoff: Option<Backoff>,
    new_backoff: fn() -> Backoff,
    /// When to retry, if a retry is pending.
    pub(super) retry_at: Option<FreezeAwareInstant>,
    /// Whether an invocation timed out waiting for this signal, and no flush has completed in time since.
    is_slow: bool,
    /// Why the last request failed, if it failed.
    last_error: Option<String>,
    /// Why the collector last rejected a request, or a part of it.
    last_rejection: Option<String>,
    /// Whether the collector has ever accepted a request, or a part of it.
    has_accepted: bool,
    /// Whether the log contains a line about an outage, and none about the recovery since then.
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
            new_backoff: retry::backoff,
            retry_at: None,
            is_slow: false,
            last_error: None,
            last_rejection: None,
            has_accepted: false,
            is_outage_logged: false,
        }
    }

    pub(super) fn is_on(&self) -> bool {
        self.endpoint.is_some()
    }

    pub(super) fn endpoint(&self) -> &str {
        self.endpoint.as_deref().unwrap_or_default()
    }

    /// Returns whether the collector is known to be down.
    pub(super) fn is_down(&self) -> bool {
        self.backoff.is_some()
    }

    /// Returns whether an invocation may wait for a flush of this signal.
    pub(super) fn may_be_awaited(&self) -> bool {
        self.is_on() && !self.is_down() && !self.is_slow
    }

    pub(super) fn has_completed(&self, flush: u64) -> bool {
        self.completed_flush >= flush
    }

    pub(super) fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }

    pub(super) fn last_rejection(&self) -> Option<&str> {
        self.last_rejection.as_deref()
    }

    pub(super) fn has_accepted(&self) -> bool {
        self.has_accepted
    }

    /// Makes a pending retry due, and shortens the pauses between all later ones.
    pub(super) fn begin_shutdown(&mut self) {
        self.retry_at = None;
        self.new_backoff = retry::shutdown_backoff;
        self.backoff = self.backoff.as_ref().map(|_| retry::shutdown_backoff());
    }

    /// Records that sending starts.
    pub(super) fn start_sending(&mut self, now: FreezeAwareInstant) {
        self.sending_since = now;
        self.has_sent = false;
        self.retry_at = None;
    }

    /// Records that an invocation timed out waiting for the flush.
    pub(super) fn record_timeout(&mut self, flush: u64) {
        self.is_slow |= !self.has_completed(flush);
    }

    /// Records that there was an attempt to send everything that arrived before the flush.
    pub(super) fn complete_flush(
        &mut self,
        flush: u64,
        timeout: Duration,
        now: FreezeAwareInstant,
    ) {
        // A failure may have completed later flushes already.
        self.completed_flush = self.completed_flush.max(flush);
        if self.has_sent && self.sending_since.elapsed(now) <= timeout {
            self.is_slow = false;
        }
    }

    /// Records that the collector accepted a request, or a part of it.
    pub(super) fn record_accepted(&mut self) {
        self.record_response();
        self.has_accepted = true;
    }

    /// Records that the collector rejected a part of a request that it accepted otherwise.
    pub(super) fn record_partly_rejected(&mut self, reason: String) {
        self.last_rejection = Some(reason);
    }

    /// Records a response that needs no pause.
    pub(super) fn record_response(&mut self) {
        self.has_sent = true;
        self.backoff = None;
        self.last_error = None;
    }

    /// Records that the collector rejected a request permanently.
    pub(super) fn record_rejected(&mut self, reason: String) {
        self.record_response();
        self.last_error = Some(reason.clone());
        self.last_rejection = Some(reason);
    }

    /// Records a failure that is to be retried, and returns the pause before the retry.
    pub(super) fn record_failure(
        &mut self,
        retry_after: Option<Duration>,
        reason: String,
        requested_flush: u64,
        now: FreezeAwareInstant,
    ) -> Duration {
        let backoff = self.backoff.get_or_insert_with(self.new_backoff);
        let pause = retry::next_pause(backoff, retry_after);
        self.retry_at = Some(now + pause);
        self.last_error = Some(reason);
        // An invocation that requested a flush since then must not wait for the retry.
        self.completed_flush = requested_flush;
        self.has_sent = false;
        pause
    }
}
