//! What the exporter knows and decides, without I/O.

use std::time::Duration;

use super::backoff::delay;
use super::buffer::{Batch, Buffer, Tally};
use super::report::{Line, Reporter, items};
use super::rhythm::Rhythm;
use super::send::Outcome;
use super::settings::{Flush, Settings};
use super::time::Time;
use super::{Counts, Signal};

pub(super) struct State {
    flush: Flush,
    interval: Duration,
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
}

/// What is known about the sending of one signal.
struct Lane {
    endpoint: String,
    /// The last flush for which everything was tried that had arrived before it.
    answered: u64,
    /// When sending began last.
    began: Time,
    /// Failures in a row after which the same data are tried again.
    failures: u32,
    /// When to try again; nothing while trying.
    retry_at: Option<Time>,
    /// Whether the request that is under way has already kept an invocation waiting in vain.
    is_late: bool,
    /// Why the last request failed, if it did.
    failure: Option<String>,
    /// Whether the log says that something is wrong, and not yet that it is well again.
    is_reported: bool,
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
    pub(super) fn new(settings: &Settings, endpoints: [String; Signal::ALL.len()]) -> Self {
        Self {
            flush: settings.flush,
            interval: settings.flush_interval,
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
                failure: None,
                is_reported: false,
            }),
            asked: 0,
            closing: None,
            reporter: Reporter::default(),
        }
    }

    /// Asks for a flush at the end of an invocation, if that is the time for one.
    ///
    /// It is not worth while to wait for a collector that is known to be down, which it is from a failure until the
    /// next try is due. While that is under way nobody waits either: it began before whoever asks came, and may take
    /// its time to fail.
    pub(super) fn ask(&mut self, now: Time) -> Option<Asked> {
        if !self.flushes_at_end() {
            return None;
        }
        self.asked += 1;
        let is_worth_waiting_for = |signal: &Signal| {
            let lane = &self.lanes[signal.index()];
            match lane.retry_at {
                Some(at) => at.left(now).is_zero(),
                None => lane.failures == 0 && !lane.is_late,
            }
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

    /// Somebody has waited in vain; the next one shall not wait for the same request.
    pub(super) fn was_late(&mut self, asked: &Asked) {
        for signal in &asked.wait_for {
            let lane = &mut self.lanes[signal.index()];
            lane.is_late = lane.answered < asked.flush;
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
    pub(super) fn answer(&mut self, signal: Signal, flush: u64) {
        self.lanes[signal.index()].answered = flush;
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
        let endpoint = &lane.endpoint;
        let mut settled = Settled::Continue;
        let mut trouble = None;
        lane.is_late = false;
        lane.failure = None;
        match outcome {
            Outcome::Delivered { rejected, message } => {
                if rejected > 0 {
                    let (items, all) = (items(signal, rejected), items(signal, count));
                    trouble = Some(format!("{endpoint} rejected {items} of {all}: {message}"));
                } else if !message.is_empty() {
                    let items = items(signal, count);
                    trouble = Some(format!("{endpoint} took {items} with a warning: {message}"));
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
                trouble = Some(format!("{endpoint} refused {items} for good: {why}"));
                lane.failures = 0;
                lane.failure = Some(why);
                self.rejected.add(signal, count);
                self.buffer.done(batch);
            }
            Outcome::Retry { after, why } => {
                lane.failures = lane.failures.saturating_add(1);
                let delay = delay(lane.failures, after);
                trouble = Some(format!(
                    "cannot send {signal} to {endpoint}, next try in {} ms: {why}",
                    delay.as_millis()
                ));
                lane.retry_at = Some(now + delay);
                lane.failure = Some(why);
                // Whoever asked meanwhile shall not wait for the next try.
                lane.answered = self.asked;
                self.buffer.put_back(batch);
                settled = Settled::BackOff;
            }
        }
        let line = match trouble {
            Some(trouble) => Some(Line::Warning(trouble)),
            None if lane.is_reported => {
                Some(Line::Notice(format!("{signal} reach {endpoint} again")))
            }
            None => None,
        };
        let line = self.reporter.admit(line, now);
        if let Some(line) = &line {
            lane.is_reported = matches!(line, Line::Warning(_));
        }
        (settled, line.map(|line| line.with(&self.counts())))
    }

    /// A line for the log if items had to be dropped since `before`.
    pub(super) fn report_dropped(&mut self, before: Tally, now: Time) -> Option<Line> {
        let full = (self.buffer.dropped() != before).then(|| {
            Line::Warning(format!(
                "the buffer of {} bytes is full, so the oldest items are dropped; FG_OTLP_BUFFER makes it larger",
                self.buffer.bound()
            ))
        });
        let line = self.reporter.admit(full, now)?;
        Some(line.with(&self.counts()))
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
                format!("{what} to {} ({why})", lane.endpoint)
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
