//! The scheduler: decides, without I/O, when to send, flush, retry, and wait, and what to log.

mod results;

use std::time::Duration;

use fg_util::throttle::Throttle;

use super::clock::FreezeAwareInstant;
use super::counters::{ExportCounters, ItemCounts};
use super::flush_policy::FlushPolicy;
use super::hold::Hold;
use super::queue::{Batch, ExportQueue, Item};
use super::request::SnapshotRequest;
use super::signal_state::SignalState;
use crate::config::Config;
use crate::delivery::Delivery;
use crate::diagnostic::Diagnostic;
use crate::signal::Signal;

/// The state of the export, and the decisions that follow from it.
pub(super) struct Scheduler {
    pub(super) queue: ExportQueue,
    pub(super) flush_policy: FlushPolicy,
    /// `Some` while no data is sent because the resource is incomplete.
    pub(super) hold: Option<Hold>,
    flush_timeout: Duration,
    exported: ItemCounts,
    rejected: ItemCounts,
    /// What became of the latest request with our own metrics, until the next one is made.
    own_metrics: Option<Delivery>,
    /// Whether the collector rejected the latest snapshot of our own metrics.
    own_metrics_are_rejected: bool,
    /// Whether the metrics about the forwarder itself have to be sent again at the end of the shutdown, because they count
    /// what the shutdown sends.
    has_final_metrics: bool,
    signals: [SignalState; Signal::ALL.len()],
    /// How many flushes have been requested.
    requested_flush: u64,
    /// `None` before the shutdown.
    shutdown: Option<Shutdown>,
    /// Limits the lines in the log. An extension that subscribes to its own log also exports these lines, so without a
    /// limit each line about a failure could cause the next failure and the next line.
    log_throttle: Throttle,
}

/// How far the shutdown is. The exporter measures its time.
#[derive(Clone, Copy, Debug)]
enum Shutdown {
    /// Failed requests are retried, unless the collector asks for a pause longer than this.
    Retry { longest_pause: Duration },
    /// A request that fails is not retried.
    LastAttempt,
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
    /// Send everything that arrived before `end`, which completes `flush`.
    Send { end: u64, flush: u64 },
    /// Wait for a wake-up, or until the duration has elapsed.
    Wait(Option<Duration>),
    /// Exit: the shutdown is complete.
    Finish,
}

/// What a worker does after a request.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum AfterRequest {
    SendMore,
    /// Stop sending until the retry is due.
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
            hold: None,
            flush_timeout: config.flush_timeout,
            exported: ItemCounts::default(),
            rejected: ItemCounts::default(),
            own_metrics: None,
            own_metrics_are_rejected: false,
            has_final_metrics: config.own_metrics,
            signals: endpoints.map(|endpoint| SignalState::new(endpoint, now)),
            requested_flush: 0,
            shutdown: None,
            log_throttle: Throttle::one_per_second(),
        }
    }

    /// Requests a flush at the end of an invocation, or returns `None` if flushes are periodic.
    ///
    /// The invocation does not wait for signals whose collector is known to be down or slow: after a failure, until a
    /// retry in the background has succeeded, and after a timeout, until a flush has completed in time.
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

    /// Returns whether all signals that the flush waits for have completed it.
    pub(super) fn is_completed(&self, flush: &PendingFlush) -> bool {
        let mut wait_for = flush.wait_for.iter();
        wait_for.all(|signal| self.signals[signal.index()].has_completed(flush.number))
    }

    /// Records that an invocation timed out, so that the next one does not wait for the same signals.
    pub(super) fn record_timeout(&mut self, flush: &PendingFlush) {
        for signal in &flush.wait_for {
            self.signals[signal.index()].record_timeout(flush.number);
        }
    }

    /// Starts the last flush: everything is sent at once, and retried within the time that the shutdown may take.
    pub(super) fn begin_shutdown(&mut self, timeout: Duration) {
        self.shutdown = Some(Shutdown::Retry {
            longest_pause: timeout,
        });
        for signal in &mut self.signals {
            signal.begin_shutdown();
        }
    }

    /// Starts the last attempt: what waits for a retry is sent at once.
    pub(super) fn begin_last_attempt(&mut self) {
        self.shutdown = Some(Shutdown::LastAttempt);
        for signal in &mut self.signals {
            signal.retry_at = None;
        }
    }

    /// Returns what the worker of the signal does next.
    pub(super) fn next_action(&mut self, signal: Signal, now: FreezeAwareInstant) -> Action {
        if signal == Signal::Metrics && self.final_metrics_wait() {
            return Action::Wait(None);
        }
        let has_waiting = self.queue.has_waiting(signal);
        if let Some(wait) = self.hold(now) {
            return Action::Wait(has_waiting.then_some(wait));
        }
        // Telemetry waits for capacity, even if no signal alone has a full batch.
        let is_awaited = has_waiting && !self.has_capacity();
        let state = &mut self.signals[signal.index()];
        let wait = match (self.shutdown, state.retry_at) {
            (Some(_), _) if !has_waiting => return Action::Finish,
            (Some(Shutdown::LastAttempt), Some(_)) => return Action::Finish,
            (Some(Shutdown::Retry { longest_pause }), Some(at))
                if at.remaining(now) >= longest_pause =>
            {
                return Action::Finish;
            }
            (_, Some(at)) => Some(at.remaining(now)),
            (Some(_), None) => Some(Duration::ZERO),
            _ if !state.has_completed(self.requested_flush) => Some(Duration::ZERO),
            _ if self.queue.has_full_batch(signal) => Some(Duration::ZERO),
            _ if is_awaited => Some(Duration::ZERO),
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

    /// Queues the last metrics about the forwarder itself once the shutdown has sent all other data. Returns whether they
    /// wait for it. If some data cannot be sent, the metrics that were sent before are the last ones.
    fn final_metrics_wait(&mut self) -> bool {
        let Some(shutdown) = self.shutdown.filter(|_| self.has_final_metrics) else {
            return false;
        };
        let others = self.queue.outstanding();
        if others.spans == 0 && others.log_records == 0 {
            self.has_final_metrics = false;
            self.metrics_changed();
            return false;
        }
        matches!(shutdown, Shutdown::Retry { .. }) && !self.queue.has_waiting(Signal::Metrics)
    }

    /// Returns how long to hold all data back, or `None` if it may be sent.
    fn hold(&mut self, now: FreezeAwareInstant) -> Option<Duration> {
        let hold = self.hold.as_mut()?;
        let is_full = self.queue.is_half_full()
            || Signal::ALL
                .into_iter()
                .any(|signal| self.queue.has_full_batch(signal));
        let wait = hold
            .wait(now)
            .filter(|_| self.shutdown.is_none() && !is_full);
        if wait.is_none() {
            self.hold = None;
        }
        wait
    }

    /// Records that there was an attempt to send everything that arrived before the flush.
    pub(super) fn complete_flush(&mut self, signal: Signal, flush: u64, now: FreezeAwareInstant) {
        self.signals[signal.index()].complete_flush(flush, self.flush_timeout, now);
    }

    pub(super) fn is_shutting_down(&self) -> bool {
        self.shutdown.is_some()
    }

    /// Returns whether the signal is exported.
    pub(super) fn is_on(&self, signal: Signal) -> bool {
        self.signals[signal.index()].is_on()
    }

    /// Queues an encoded item, unless the signal is disabled.
    pub(super) fn enqueue(&mut self, signal: Signal, item: Item) {
        if self.signals[signal.index()].is_on() {
            self.queue.push(signal, item);
        }
    }

    /// Records that the metrics have changed, unless they are disabled.
    pub(super) fn metrics_changed(&mut self) {
        if self.signals[Signal::Metrics.index()].is_on() {
            self.queue.metrics_changed();
        }
    }

    /// Returns what the request for the batch needs.
    pub(super) fn snapshot_request(&mut self, batch: &Batch) -> SnapshotRequest {
        SnapshotRequest {
            counters: self.counters(),
            metrics: batch.has_own_metrics().then(|| self.own_metrics.take()),
        }
    }

    /// Returns a line for the log about dropped items, unless the throttle suppresses it.
    pub(super) fn report_dropped(&mut self, now: FreezeAwareInstant) -> Option<Diagnostic> {
        self.log_throttle.admit(now.monotonic()).then(|| {
            let line = Diagnostic::Warning(format!(
                "the export buffer of {} bytes is full, so the oldest items are dropped; increase FG_OTLP_BUFFER",
                self.queue.capacity()
            ));
            line.with(&self.counters())
        })
    }

    /// Returns whether half of the queue is free, or whether waiting for that is pointless: during the shutdown, and
    /// while a collector is down.
    pub(super) fn has_capacity(&self) -> bool {
        let is_down = |signal: Signal| self.signals[signal.index()].is_down();
        self.shutdown.is_some()
            || !self.queue.is_half_full()
            || is_down(Signal::Traces)
            || is_down(Signal::Logs)
            || (is_down(Signal::Metrics) && self.queue.outstanding().data_points > 0)
    }

    /// Returns a line about the items that were dropped or rejected so far, if there are any.
    pub(super) fn report_lost(&self) -> Option<Diagnostic> {
        let counters = self.counters();
        let is_complete = counters.dropped.is_zero() && counters.rejected.is_zero();
        (!is_complete).then(|| Diagnostic::Error(format!("some data was lost: {counters}")))
    }

    /// Returns the current counters.
    pub(super) fn counters(&self) -> ExportCounters {
        ExportCounters {
            exported: self.exported,
            dropped: self.queue.dropped(),
            rejected: self.rejected,
            queued_bytes: self.queue.bytes(),
        }
    }

    /// Returns the line with the counters appended, unless the throttle suppresses it. The counters are cumulative, so
    /// they include what suppressed lines would have reported.
    fn admit(&mut self, line: Option<Diagnostic>, now: FreezeAwareInstant) -> Option<Diagnostic> {
        let line = line.filter(|_| self.log_throttle.admit(now.monotonic()))?;
        Some(line.with(&self.counters()))
    }
}
