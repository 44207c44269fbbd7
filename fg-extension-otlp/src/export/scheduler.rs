//! Decides what the exporter does next: send, flush, retry, wait. Without I/O.

use std::time::Duration;

use fg_util::throttle::Throttle;

use super::clock::FreezeAwareInstant;
use super::counters::{ExportCounters, ItemCounts};
use super::flush_policy::FlushPolicy;
use super::queue::{Batch, ExportQueue};
use super::response::ExportResult;
use super::signal_state::SignalState;
use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::signal::Signal;

pub(super) struct Scheduler {
    pub(super) queue: ExportQueue,
    pub(super) flush_policy: FlushPolicy,
    flush_timeout: Duration,
    exported: ItemCounts,
    rejected: ItemCounts,
    signals: [SignalState; Signal::ALL.len()],
    /// How many flushes have been requested.
    requested_flush: u64,
    /// Set by the shutdown: when it stops trying.
    shutdown_deadline: Option<FreezeAwareInstant>,
    /// An extension that subscribes to its own log exports that too, and must not feed itself: each line is one more log
    /// record to send, with which the same may be wrong.
    log_throttle: Throttle,
}

/// A flush that an invocation waits for.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct PendingFlush {
    pub(super) number: u64,
    pub(super) wait_for: Vec<Signal>,
}

/// What a worker does next.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Action {
    /// Sends all that arrived before `end`, and has completed the flush then.
    Send { end: u64, flush: u64 },
    /// Waits for something to happen, or for so long.
    Wait(Option<Duration>),
    /// Has nothing to do any more.
    Finish,
}

/// How a worker goes on after a request.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum AfterRequest {
    SendMore,
    /// The rest is to be tried later.
    BackOff,
}

impl Scheduler {
    pub(super) fn new(
        config: &Config,
        endpoints: [Option<String>; Signal::ALL.len()],
        now: FreezeAwareInstant,
    ) -> Self {
        Self {
            queue: ExportQueue::new(config.buffer),
            flush_policy: FlushPolicy::new(config.flush_mode, config.flush_interval),
            flush_timeout: config.flush_timeout,
            exported: ItemCounts::default(),
            rejected: ItemCounts::default(),
            signals: endpoints.map(|endpoint| SignalState::new(endpoint, now)),
            requested_flush: 0,
            shutdown_deadline: None,
            log_throttle: Throttle::one_per_second(),
        }
    }

    /// Requests a flush at the end of an invocation, if that is the time for one.
    ///
    /// Nobody waits for a collector that is known to be down or slow: not from a failure until an attempt in the
    /// background has succeeded, and not after it was too late for somebody until a flush has been done in time again.
    pub(super) fn request_flush(&mut self) -> Option<PendingFlush> {
        if !self.flush_policy.flushes_at_end() {
            return None;
        }
        self.requested_flush += 1;
        let may_be_awaited = |signal: &Signal| self.signals[signal.index()].may_be_awaited();
        Some(PendingFlush {
            number: self.requested_flush,
            wait_for: Signal::ALL.into_iter().filter(may_be_awaited).collect(),
        })
    }

    pub(super) fn is_completed(&self, flush: &PendingFlush) -> bool {
        let mut wait_for = flush.wait_for.iter();
        wait_for.all(|signal| self.signals[signal.index()].has_completed(flush.number))
    }

    /// Somebody has waited in vain; the next one shall not.
    pub(super) fn record_timeout(&mut self, flush: &PendingFlush) {
        for signal in &flush.wait_for {
            self.signals[signal.index()].record_timeout(flush.number);
        }
    }

    /// Begins the last flush: everything is tried at once, and again until the deadline.
    pub(super) fn begin_shutdown(&mut self, deadline: FreezeAwareInstant) {
        self.shutdown_deadline = Some(deadline);
        for signal in &mut self.signals {
            signal.retry_at = None;
        }
    }

    pub(super) fn next_action(&mut self, signal: Signal, now: FreezeAwareInstant) -> Action {
        let has_waiting = self.queue.has_waiting(signal);
        let state = &mut self.signals[signal.index()];
        let wait = match (self.shutdown_deadline, state.retry_at) {
            (Some(_), _) if !has_waiting => return Action::Finish,
            (Some(deadline), Some(at)) if at.remaining(now) >= deadline.remaining(now) => {
                return Action::Finish;
            }
            (_, Some(at)) => Some(at.remaining(now)),
            (Some(_), None) => Some(Duration::ZERO),
            _ if !state.has_completed(self.requested_flush) => Some(Duration::ZERO),
            _ if self.queue.has_full_batch(signal) => Some(Duration::ZERO),
            _ if has_waiting && !self.flush_policy.flushes_at_end() => {
                Some((state.sending_since + self.flush_policy.interval()).remaining(now))
            }
            _ => None,
        };
        if wait.is_some_and(|wait| wait.is_zero()) {
            state.start_sending(now);
            Action::Send {
                end: self.queue.end(),
                flush: self.requested_flush,
            }
        } else {
            Action::Wait(wait)
        }
    }

    /// All that arrived before the flush has been tried.
    pub(super) fn complete_flush(&mut self, signal: Signal, flush: u64, now: FreezeAwareInstant) {
        self.signals[signal.index()].complete_flush(flush, self.flush_timeout, now);
    }

    pub(super) fn enqueue(&mut self, signal: Signal, encoded: Vec<u8>) {
        if self.signals[signal.index()].is_on() {
            self.queue.push(signal, encoded);
        }
    }

    pub(super) fn metrics_changed(&mut self) {
        if self.signals[Signal::Metrics.index()].is_on() {
            self.queue.metrics_changed();
        }
    }

    /// Counts what became of a batch, and returns a line for the log if there is something to report.
    ///
    /// The caller writes the line when the lock is free again: it may come back as a log record to export.
    pub(super) fn record_result(
        &mut self,
        batch: Batch,
        result: ExportResult,
        now: FreezeAwareInstant,
    ) -> (AfterRequest, Option<Diagnostic>) {
        let (signal, count) = (batch.signal(), batch.count());
        let state = &mut self.signals[signal.index()];
        let is_outage = !matches!(result, ExportResult::Accepted { .. });
        let mut after = AfterRequest::SendMore;
        let issue = match result {
            ExportResult::Accepted { rejected, message } => {
                state.record_accepted();
                let (endpoint, all) = (state.endpoint(), signal.count(count));
                let issue = if rejected > 0 {
                    let rejected = signal.count(rejected);
                    Some(format!(
                        "{endpoint} rejected {rejected} of {all}: {message}"
                    ))
                } else if !message.is_empty() {
                    Some(format!(
                        "{endpoint} accepted {all} with a warning: {message}"
                    ))
                } else {
                    None
                };
                // Of metrics, data points are rejected, and not items that were counted.
                let rejected = rejected.min(count);
                self.rejected.add(signal, rejected);
                self.exported.add(signal, count - rejected);
                self.queue.complete(batch);
                issue
            }
            ExportResult::Rejected { reason } => {
                let (endpoint, all) = (state.endpoint(), signal.count(count));
                let issue = format!("{endpoint} rejected {all} for good: {reason}");
                state.record_rejected(reason);
                self.rejected.add(signal, count);
                self.queue.complete(batch);
                Some(issue)
            }
            ExportResult::Retryable {
                retry_after,
                reason,
            } => {
                after = AfterRequest::BackOff;
                let requested = self.requested_flush;
                let pause = state.record_failure(retry_after, reason.clone(), requested, now);
                self.queue.requeue(batch);
                let (endpoint, pause) = (state.endpoint(), pause.as_millis());
                Some(format!(
                    "cannot send {signal} to {endpoint}, next try in {pause} ms: {reason}"
                ))
            }
        };
        let recovered = || {
            state
                .is_outage_logged
                .then(|| Diagnostic::Info(format!("{signal} reach {} again", state.endpoint())))
        };
        let is_issue = issue.is_some();
        let line = issue.map(Diagnostic::Warning).or_else(recovered);
        let line = self.admit(line, now);
        if line.is_some() {
            let state = &mut self.signals[signal.index()];
            state.is_outage_logged = is_outage || (is_issue && state.is_outage_logged);
        }
        (after, line)
    }

    /// Returns a line for the log if items had to be dropped since `before`.
    pub(super) fn report_dropped(
        &mut self,
        before: ItemCounts,
        now: FreezeAwareInstant,
    ) -> Option<Diagnostic> {
        let is_full = self.queue.dropped() != before;
        let line = is_full.then(|| {
            Diagnostic::Warning(format!(
                "the buffer of {} bytes is full, so the oldest items are dropped; FG_OTLP_BUFFER makes it larger",
                self.queue.capacity()
            ))
        });
        self.admit(line, now)
    }

    /// Whether half of the queue is free, or will not be soon: a collector that is down takes nothing.
    pub(super) fn has_capacity(&self) -> bool {
        let is_down = |signal: Signal| self.signals[signal.index()].is_down();
        self.shutdown_deadline.is_some()
            || self.queue.bytes() <= self.queue.capacity() / 2
            || is_down(Signal::Traces)
            || is_down(Signal::Logs)
    }

    /// Returns a line about what was dropped or rejected so far, if anything was.
    pub(super) fn report_lost(&self) -> Option<Diagnostic> {
        let counters = self.counters();
        let is_complete = counters.dropped.is_zero() && counters.rejected.is_zero();
        (!is_complete)
            .then(|| Diagnostic::Error(format!("not everything was exported: {counters}")))
    }

    /// Returns what has not been exported, and why, if there is something.
    pub(super) fn describe_outstanding(&self) -> Option<String> {
        let outstanding = self.queue.outstanding();
        let items = |signal: Signal, count| (count > 0).then(|| (signal, signal.count(count)));
        let parts = [
            items(Signal::Traces, outstanding.spans),
            items(Signal::Logs, outstanding.log_records),
            self.queue
                .has_outstanding_metrics()
                .then(|| (Signal::Metrics, "the newest metrics".to_owned())),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .flatten()
            .map(|(signal, what)| {
                let state = &self.signals[signal.index()];
                let reason = state.last_error().unwrap_or("no response in time");
                format!("{what} to {} ({reason})", state.endpoint())
            })
            .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    pub(super) fn counters(&self) -> ExportCounters {
        ExportCounters {
            exported: self.exported,
            dropped: self.queue.dropped(),
            rejected: self.rejected,
            queued_bytes: self.queue.bytes(),
        }
    }

    /// Returns the line with the counters, if a line may be written now. They are cumulative, so they cover what was not
    /// written.
    fn admit(&mut self, line: Option<Diagnostic>, now: FreezeAwareInstant) -> Option<Diagnostic> {
        let line = line.filter(|_| self.log_throttle.admit(now.monotonic()))?;
        Some(line.with(&self.counters()))
    }
}
