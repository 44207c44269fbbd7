//! What the exporter knows and decides, without I/O.

use std::time::Duration;

use super::backoff::delay;
use super::buffer::{Batch, Buffer, Tally};
use super::report::{Complaint, Line, Reporter, Trouble, items};
use super::rhythm::Rhythm;
use super::send::Outcome;
use super::settings::{Flush, Settings};
use super::time::Time;
use super::{Counts, Signal};

pub(super) struct State {
    flush: Flush,
    interval: Duration,
    timeout: Duration,
    pub(super) buffer: Buffer,
    exported: Tally,
    rejected: Tally,
    pub(super) rhythm: Rhythm,
    lanes: [Lane; Signal::ALL.len()],
    /// How many flushes have been asked for.
    asked: u64,
    /// Set by the shutdown: when it gives up.
    closing: Option<Time>,
    reporter: Reporter,
    /// That the buffer is full.
    full: Complaint,
}

/// What is known about the sending of one signal.
struct Lane {
    /// Nothing if the signal is off: then nothing is kept for it, and nobody waits for it.
    endpoint: Option<String>,
    /// The last flush for which everything was tried that had arrived before it.
    answered: u64,
    /// When sending began last.
    began: Time,
    /// Failures in a row after which the same data are tried again.
    failures: u32,
    /// When to try again; nothing while trying.
    retry_at: Option<Time>,
    /// Whether it has kept an invocation waiting in vain, and has not been in time since.
    is_late: bool,
    /// Whether something was sent since sending began last.
    has_sent: bool,
    /// Why the last request failed, if it did.
    failure: Option<String>,
    /// Whether the log says that nothing gets through, and not yet that it does again.
    is_reported: bool,
    complaint: Complaint,
}

/// A flush that somebody waits for.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Asked {
    flush: u64,
    pub(super) wait_for: Vec<Signal>,
}

/// What a lane does next.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// Sends all that arrived before `end`, and then has answered the flush.
    Send { end: u64, answers: u64 },
    /// Waits for something to happen, or for so long.
    Wait(Option<Duration>),
    /// Has nothing to do any more.
    Finish,
}

/// What goes on after a request.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Settled {
    Continue,
    /// The rest is to be tried later.
    BackOff,
}

impl State {
    pub(super) fn new(settings: &Settings, endpoints: [Option<String>; Signal::ALL.len()]) -> Self {
        Self {
            flush: settings.flush,
            interval: settings.flush_interval,
            timeout: settings.flush_timeout,
            buffer: Buffer::new(settings.buffer),
            exported: Tally::default(),
            rejected: Tally::default(),
            rhythm: Rhythm::default(),
            lanes: endpoints.map(|endpoint| Lane {
                endpoint,
                answered: 0,
                began: Time::now(),
                failures: 0,
                retry_at: None,
                is_late: false,
                has_sent: false,
                failure: None,
                is_reported: false,
                complaint: Complaint::default(),
            }),
            asked: 0,
            closing: None,
            reporter: Reporter::default(),
            full: Complaint::default(),
        }
    }

    /// Asks for a flush at the end of an invocation, if that is the time for one.
    ///
    /// Nobody waits for a collector that is known to be down or slow: not from a failure until a try in the background
    /// has been answered, and not after it was too late for somebody until a flush has been done in time again.
    pub(super) fn ask(&mut self) -> Option<Asked> {
        if !self.flushes_at_end() {
            return None;
        }
        self.asked += 1;
        let is_worth_waiting_for = |signal: &Signal| {
            let lane = &self.lanes[signal.index()];
            lane.endpoint.is_some() && lane.failures == 0 && !lane.is_late
        };
        Some(Asked {
            flush: self.asked,
            wait_for: Signal::ALL
                .into_iter()
                .filter(is_worth_waiting_for)
                .collect(),
        })
    }

    pub(super) fn is_answered(&self, asked: &Asked) -> bool {
        let mut wait_for = asked.wait_for.iter();
        wait_for.all(|signal| self.lanes[signal.index()].answered >= asked.flush)
    }

    /// Somebody has waited in vain; the next one shall not.
    pub(super) fn was_late(&mut self, asked: &Asked) {
        for signal in &asked.wait_for {
            let lane = &mut self.lanes[signal.index()];
            lane.is_late |= lane.answered < asked.flush;
        }
    }

    /// The last flush: everything is tried at once, and again until the deadline.
    pub(super) fn close(&mut self, deadline: Time) {
        self.closing = Some(deadline);
        for lane in &mut self.lanes {
            lane.retry_at = None;
        }
    }

    pub(super) fn next(&mut self, signal: Signal, now: Time) -> Step {
        let flushes_at_end = self.flushes_at_end();
        let waits = self.buffer.waits(signal);
        let lane = &mut self.lanes[signal.index()];
        let wait = match (self.closing, lane.retry_at) {
            (Some(_), _) if !waits => return Step::Finish,
            (Some(deadline), Some(at)) if at.left(now) >= deadline.left(now) => {
                return Step::Finish;
            }
            (_, Some(at)) => Some(at.left(now)),
            (Some(_), None) => Some(Duration::ZERO),
            _ if lane.answered < self.asked => Some(Duration::ZERO),
            _ if self.buffer.is_pressing(signal) => Some(Duration::ZERO),
            _ if waits && !flushes_at_end => Some((lane.began + self.interval).left(now)),
            _ => None,
        };
        if wait.is_some_and(|wait| wait.is_zero()) {
            lane.began = now;
            lane.has_sent = false;
            lane.retry_at = None;
            Step::Send {
                end: self.buffer.end(),
                answers: self.asked,
            }
        } else {
            Step::Wait(wait)
        }
    }

    /// Whether data are sent at the end of invocations; else it is each interval.
    fn flushes_at_end(&self) -> bool {
        match self.flush {
            Flush::End => true,
            Flush::Periodic => false,
            Flush::Adaptive => self.rhythm.is_rare(self.interval),
        }
    }

    /// All that arrived before the flush has been tried.
    pub(super) fn answer(&mut self, signal: Signal, flush: u64, now: Time) {
        let lane = &mut self.lanes[signal.index()];
        // A failure may have answered later ones.
        lane.answered = lane.answered.max(flush);
        if lane.has_sent && lane.began.elapsed(now) <= self.timeout {
            lane.is_late = false;
        }
    }

    pub(super) fn push(&mut self, signal: Signal, encoded: Vec<u8>) {
        if self.lanes[signal.index()].endpoint.is_some() {
            self.buffer.push(signal, encoded);
        }
    }

    pub(super) fn metrics_changed(&mut self) {
        if self.lanes[Signal::Metrics.index()].endpoint.is_some() {
            self.buffer.metrics_changed();
        }
    }

    /// Counts what became of a batch, and makes a line for the log of it if there is something to say.
    ///
    /// The line is written when the lock is free again: it may come back as a log record to export.
    pub(super) fn settle(
        &mut self,
        batch: Batch,
        outcome: Outcome,
        now: Time,
    ) -> (Settled, Option<Line>) {
        let (signal, count) = (batch.signal(), batch.count());
        let lane = &mut self.lanes[signal.index()];
        let endpoint = lane.endpoint.as_deref().unwrap_or_default();
        let mut settled = Settled::Continue;
        let mut trouble = None;
        lane.failure = None;
        lane.has_sent = true;
        match outcome {
            Outcome::Delivered { rejected, message } => {
                if rejected > 0 {
                    let (items, all) = (items(signal, rejected), items(signal, count));
                    let line = format!("{endpoint} rejected {items} of {all}: {message}");
                    trouble = Some((Trouble::Rejected, line));
                } else if !message.is_empty() {
                    let items = items(signal, count);
                    let line = format!("{endpoint} took {items} with a warning: {message}");
                    trouble = Some((Trouble::Warned, line));
                }
                lane.failures = 0;
                // Of metrics, data points are rejected, and not items that were counted.
                let rejected = rejected.min(count);
                self.rejected.add(signal, rejected);
                self.exported.add(signal, count - rejected);
                self.buffer.done(batch);
            }
            Outcome::Refused { why } => {
                let items = items(signal, count);
                let line = format!("{endpoint} refused {items} for good: {why}");
                trouble = Some((Trouble::Refused, line));
                lane.failures = 0;
                lane.failure = Some(why);
                self.rejected.add(signal, count);
                self.buffer.done(batch);
            }
            Outcome::Retry { after, why } => {
                lane.failures = lane.failures.saturating_add(1);
                let delay = delay(lane.failures, after);
                let line = format!(
                    "cannot send {signal} to {endpoint}, next try in {} ms: {why}",
                    delay.as_millis()
                );
                trouble = Some((Trouble::Failed, line));
                lane.retry_at = Some(now + delay);
                lane.failure = Some(why);
                // Whoever asked meanwhile shall not wait for the next try.
                lane.answered = self.asked;
                self.buffer.put_back(batch);
                lane.has_sent = false;
                settled = Settled::BackOff;
            }
        }
        let line = match trouble {
            Some((trouble, line)) => {
                let is_due = lane.complaint.is_due(trouble, now);
                let line = is_due.then_some(Line::Warning(line));
                let line = self.reporter.admit(line, now);
                if line.is_some() {
                    lane.complaint.was_told(trouble, now);
                    lane.is_reported |= matches!(trouble, Trouble::Refused | Trouble::Failed);
                }
                line
            }
            None => {
                lane.complaint.ended(now);
                let again = || Line::Notice(format!("{signal} reach {endpoint} again"));
                let line = lane.is_reported.then(again);
                let line = self.reporter.admit(line, now);
                lane.is_reported &= line.is_none();
                line
            }
        };
        (settled, line.map(|line| line.with(&self.counts())))
    }

    /// A line for the log if items had to be dropped since `before`.
    pub(super) fn report_dropped(&mut self, before: Tally, now: Time) -> Option<Line> {
        let is_due = self.buffer.dropped() != before && self.full.is_due(Trouble::Full, now);
        let full = is_due.then(|| {
            Line::Warning(format!(
                "the buffer of {} bytes is full, so the oldest items are dropped; FG_OTLP_BUFFER makes it larger",
                self.buffer.bound()
            ))
        });
        let line = self.reporter.admit(full, now)?;
        self.full.was_told(Trouble::Full, now);
        Some(line.with(&self.counts()))
    }

    /// Whether half of the buffer is free, or will not be soon: a collector that is down takes nothing.
    pub(super) fn has_room(&self) -> bool {
        let is_down = |signal: Signal| self.lanes[signal.index()].failures > 0;
        self.closing.is_some()
            || self.buffer.bytes() <= self.buffer.bound() / 2
            || is_down(Signal::Traces)
            || is_down(Signal::Logs)
    }

    /// What was dropped or refused so far, if anything was.
    pub(super) fn lost(&self) -> Option<Line> {
        let nothing = Tally::default();
        (self.buffer.dropped() != nothing || self.rejected != nothing)
            .then(|| Line::Error(format!("not everything was exported: {}", self.counts())))
    }

    /// What has not been exported, and why, if there is something.
    pub(super) fn leftover(&self) -> Option<String> {
        let held = self.buffer.held();
        let parts = [
            (held.spans > 0).then(|| (Signal::Traces, items(Signal::Traces, held.spans))),
            (held.log_records > 0).then(|| (Signal::Logs, items(Signal::Logs, held.log_records))),
            self.buffer
                .holds_metrics()
                .then(|| (Signal::Metrics, "the newest metrics".to_owned())),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .flatten()
            .map(|(signal, what)| {
                let lane = &self.lanes[signal.index()];
                let why = lane.failure.as_deref().unwrap_or("no answer in time");
                let endpoint = lane.endpoint.as_deref().unwrap_or_default();
                format!("{what} to {endpoint} ({why})")
            })
            .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            exported: self.exported,
            dropped: self.buffer.dropped(),
            rejected: self.rejected,
            buffered_bytes: self.buffer.bytes(),
        }
    }
}

#[cfg(test)]
mod tests;
