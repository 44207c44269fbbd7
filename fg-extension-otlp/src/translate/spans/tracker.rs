//! Which spans are open, and which were emitted.

use std::collections::VecDeque;
use std::time::SystemTime;

use fg_extension::{Invocation, PlatformRecord, Timestamp};

use super::builder::{SpanBuilder, trace_id};
use super::outcome::Outcome;
use super::phase::{Phase, Stage};
use crate::translate::ids::TraceId;
use crate::translate::timestamps::unix_nanos;

/// How many spans are remembered before they are emitted, and how many afterwards.
pub(crate) const MAX_SPANS: usize = 1024;

/// The spans that are not complete yet, and which ones were, so that events may come in any order, and twice.
#[derive(Default)]
pub(crate) struct SpanTracker {
    /// The oldest is first.
    open: VecDeque<SpanBuilder>,
    emitted: VecDeque<EmittedSpan>,
    /// How many invocations have started.
    started: u64,
    /// Whether an init waits for the invocation that it was made for.
    is_cold: bool,
    /// Whether an invocation was seen to end while a later one ran.
    is_concurrent: bool,
}

/// What is remembered of a span.
struct EmittedSpan {
    trace: TraceId,
    phase: Phase,
    stages: Vec<Stage>,
    outcome: Option<Outcome>,
}

/// What an event adds to a span that is emitted already.
pub(crate) struct LateEvent {
    /// An outcome that was not known, other than success.
    pub(crate) outcome: Option<Outcome>,
    /// Whether it is the first event of the span's end.
    pub(crate) is_end: bool,
}

impl SpanTracker {
    pub(crate) fn record_invocation(&mut self, invocation: &Invocation) {
        let id = invocation.trace_id.trim();
        let (trace, phase) = (TraceId::of(id), Phase::Invocation);
        if id.is_empty() || self.is_emitted(trace, phase) {
            return;
        }
        if self.open.len() >= MAX_SPANS && self.position(trace, phase).is_none() {
            // There may be no telemetry at all: an invocation without events can be forgotten.
            let Some(silent) = self.open.iter().position(|span| !span.has_events()) else {
                return;
            };
            self.open.remove(silent);
        }
        let span = self.get_or_insert(trace, phase);
        span.id = Some(id.to_owned());
        span.urn = Some(invocation.invoked_function_urn.clone());
    }

    /// Returns the trace that an event belongs to; `None` if it has neither ID nor time.
    ///
    /// An event without ID belongs to the one span that waits for it, else to one that its time identifies.
    pub(crate) fn resolve_trace(
        &self,
        (phase, stage): (Phase, Stage),
        record: &PlatformRecord,
        instance_id: &str,
    ) -> Option<TraceId> {
        if let Some(id) = trace_id(record) {
            return Some(TraceId::of(id));
        }
        let time = |time: &Option<Timestamp>| time.as_ref().and_then(Timestamp::time);
        let by_time = time(&record.start_time)
            .or_else(|| time(&record.end_time))
            .map(|time| TraceId::of(&format!("{instance_id} {}", unix_nanos(time))));
        if by_time.is_some_and(|trace| self.knows(trace, phase)) {
            return by_time;
        }
        let waiting = self
            .open
            .iter()
            .filter(|span| span.phase == phase && !span.has(stage));
        exactly_one(waiting).map(|span| span.trace).or(by_time)
    }

    pub(crate) fn knows(&self, trace: TraceId, phase: Phase) -> bool {
        self.is_emitted(trace, phase) || self.position(trace, phase).is_some()
    }

    pub(crate) fn is_emitted(&self, trace: TraceId, phase: Phase) -> bool {
        let mut emitted = self.emitted.iter();
        emitted.any(|span| span.trace == trace && span.phase == phase)
    }

    /// Records an event for a span that is emitted; `None` if it was recorded before.
    pub(crate) fn record_late_event(
        &mut self,
        trace: TraceId,
        (phase, stage): (Phase, Stage),
        outcome: Option<Outcome>,
    ) -> Option<LateEvent> {
        let mut emitted = self.emitted.iter_mut();
        let span = emitted.find(|span| span.trace == trace && span.phase == phase)?;
        if span.stages.contains(&stage) {
            return None;
        }
        let is_end = stage != Stage::Start && span.stages.iter().all(|seen| *seen == Stage::Start);
        span.stages.push(stage);
        let known = span.outcome.max(Some(Outcome::Success));
        span.outcome = span.outcome.max(outcome);
        Some(LateEvent {
            outcome: outcome.filter(|outcome| Some(*outcome) > known),
            is_end,
        })
    }

    /// Adds an event to its span. What there is no room for any more comes back.
    pub(crate) fn record_event(
        &mut self,
        trace: TraceId,
        (phase, stage): (Phase, Stage),
        record: &PlatformRecord,
        now: SystemTime,
    ) -> Option<SpanBuilder> {
        let full = self.open.len() >= MAX_SPANS && self.position(trace, phase).is_none();
        let oldest = if full { self.take(0) } else { None };
        let span = self.get_or_insert(trace, phase);
        let (is_new, is_first) = (!span.has_events(), !span.has(stage));
        span.add_event(stage, record, now);
        if is_new {
            self.assign_parents(trace, phase);
        }
        if is_first && phase == Phase::Invocation {
            match stage {
                Stage::Start => self.record_start(trace),
                Stage::RuntimeDone | Stage::Report => self.record_end(trace, stage, now),
            }
        }
        oldest.filter(SpanBuilder::has_events)
    }

    /// The spans that have become complete, which are not remembered as open from now on.
    pub(crate) fn close_complete(&mut self, now: SystemTime) -> Vec<SpanBuilder> {
        self.close(|span| span.is_complete(now))
    }

    /// Closes all that are open, and returns those with events.
    pub(crate) fn close_all(&mut self) -> Vec<SpanBuilder> {
        let mut closed = self.close(|_| true);
        closed.retain(SpanBuilder::has_events);
        closed
    }

    /// Whether the invocation of that trace is not emitted yet.
    pub(crate) fn is_open(&self, trace: TraceId) -> bool {
        self.position(trace, Phase::Invocation).is_some()
    }

    /// The one invocation that runs: that has started and not ended. If several do, it is the one that had started by
    /// that time.
    ///
    /// If none does, then it is the one that is about to run, or that is not reported yet: streams of telemetry may
    /// overtake each other (?).
    pub(crate) fn running(&self, time: Option<SystemTime>) -> Option<&SpanBuilder> {
        let running = || self.open.iter().filter(|span| span.is_running());
        let all = self.open.iter();
        match (running().count(), time) {
            (0, _) => exactly_one(all.filter(|span| span.is_awaited())),
            (1, _) => running().next(),
            (_, Some(time)) => exactly_one(running().filter(|span| span.started_by(time))),
            (_, None) => None,
        }
    }

    /// Brings inits and restores together with the invocation that follows them, whatever their trace IDs (?).
    fn assign_parents(&mut self, trace: TraceId, phase: Phase) {
        if phase == Phase::Invocation {
            let is_cold = std::mem::take(&mut self.is_cold);
            for span in &mut self.open {
                match span.phase {
                    Phase::Invocation if span.trace == trace => span.is_cold = is_cold,
                    Phase::Invocation => {}
                    Phase::Init | Phase::Restore => {
                        span.parent.get_or_insert(trace);
                    }
                }
            }
            return;
        }
        // Its events may come late.
        let is_invocation = |span: &&mut SpanBuilder| {
            span.trace == trace && span.phase == Phase::Invocation && span.has_events()
        };
        let invocation = self.open.iter_mut().find(is_invocation);
        let is_open = invocation.is_some();
        if phase == Phase::Init {
            match invocation {
                Some(span) => span.is_cold = true,
                None => self.is_cold = true,
            }
        }
        if is_open || self.is_emitted(trace, Phase::Invocation) {
            self.get_or_insert(trace, phase).parent = Some(trace);
        }
    }

    /// Another invocation starts: those that were reported need not wait any longer.
    fn record_start(&mut self, trace: TraceId) {
        self.started += 1;
        for span in &mut self.open {
            if span.phase != Phase::Invocation {
                continue;
            }
            if span.trace == trace {
                span.number = Some(self.started);
            } else if span.has(Stage::Report) {
                span.has_successor = true;
            }
        }
    }

    /// An invocation ends: one that started before it and still runs never ends, it seems, unless invocations are
    /// concurrent.
    fn record_end(&mut self, trace: TraceId, stage: Stage, now: SystemTime) {
        let position = self.position(trace, Phase::Invocation);
        let Some(span) = position.and_then(|position| self.open.get_mut(position)) else {
            return;
        };
        self.is_concurrent |= span.outlived_at.take().is_some();
        let Some(number) = span.number else {
            return;
        };
        let is_running = |span: &&mut SpanBuilder| span.is_running();
        for other in self.open.iter_mut().filter(is_running) {
            if other.number > Some(number) {
                // A report may well come after the next start.
                self.is_concurrent |= stage == Stage::RuntimeDone;
            } else if !self.is_concurrent {
                other.outlived_at = Some(now);
            }
        }
        if self.is_concurrent {
            for span in &mut self.open {
                span.outlived_at = None;
            }
        }
    }

    fn close(&mut self, is_closed: impl Fn(&SpanBuilder) -> bool) -> Vec<SpanBuilder> {
        let mut closed = Vec::new();
        let mut position = 0;
        while let Some(span) = self.open.get(position) {
            match is_closed(span) {
                true => closed.extend(self.take(position)),
                false => position += 1,
            }
        }
        closed
    }

    fn position(&self, trace: TraceId, phase: Phase) -> Option<usize> {
        self.open
            .iter()
            .position(|span| span.trace == trace && span.phase == phase)
    }

    fn get_or_insert(&mut self, trace: TraceId, phase: Phase) -> &mut SpanBuilder {
        let position = self.position(trace, phase).unwrap_or_else(|| {
            self.open.push_back(SpanBuilder::new(trace, phase));
            self.open.len() - 1
        });
        &mut self.open[position]
    }

    fn take(&mut self, position: usize) -> Option<SpanBuilder> {
        let span = self.open.remove(position)?;
        if span.has_events() {
            if self.emitted.len() >= MAX_SPANS {
                self.emitted.pop_front();
            }
            self.emitted.push_back(EmittedSpan {
                trace: span.trace,
                phase: span.phase,
                stages: span.stages.clone(),
                outcome: span.outcome(),
            });
        }
        Some(span)
    }
}

fn exactly_one<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
    all.next().filter(|_| all.next().is_none())
}
