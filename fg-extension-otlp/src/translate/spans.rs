use std::collections::VecDeque;
use std::time::SystemTime;

use fg_extension::{Invocation, PlatformRecord, Timestamp};

use super::ids::TraceId;
use super::span::{OpenSpan, Phase, Stage, id, is_failure};
use super::value::nanos;

/// How many spans are remembered before they are emitted, and how many afterwards.
pub(super) const REMEMBERED: usize = 1024;

/// The spans that are not complete yet, and which ones were, so that events may come in any order, and twice.
#[derive(Default)]
pub(super) struct Spans {
    /// The oldest is first.
    open: VecDeque<OpenSpan>,
    emitted: VecDeque<Emitted>,
    /// How many invocations have started.
    started: u64,
    /// Whether an init waits for the invocation that it was made for.
    is_cold: bool,
    /// Whether an invocation was seen to end while a later one ran.
    is_concurrent: bool,
}

/// What is remembered of a span.
struct Emitted {
    trace: TraceId,
    phase: Phase,
    seen: Vec<Stage>,
    has_failed: bool,
}

/// What an event tells of a span that is emitted already.
pub(super) struct Late {
    /// That it failed, which was not known.
    pub(super) is_failure: bool,
    /// That it ended, which was not known.
    pub(super) is_end: bool,
}

impl Spans {
    pub(super) fn invoked(&mut self, invocation: &Invocation) {
        let id = invocation.trace_id.trim();
        let (trace, phase) = (TraceId::of(id), Phase::Invocation);
        if id.is_empty() || self.is_emitted(trace, phase) {
            return;
        }
        if self.open.len() >= REMEMBERED && self.position(trace, phase).is_none() {
            // There may be no telemetry at all: an invocation that no event told of can be forgotten.
            let Some(untold) = self.open.iter().position(|span| !span.is_told()) else {
                return;
            };
            self.open.remove(untold);
        }
        let span = self.get_or_insert(trace, phase);
        span.id = Some(id.to_owned());
        span.urn = Some(invocation.invoked_function_urn.clone());
    }

    /// The trace that an event belongs to; nothing if it has neither ID nor time.
    ///
    /// An event without ID belongs to the one span that waits for it, else to one that its time identifies.
    pub(super) fn trace_of(
        &self,
        (phase, stage): (Phase, Stage),
        record: &PlatformRecord,
        instance_id: &str,
    ) -> Option<TraceId> {
        if let Some(id) = id(record) {
            return Some(TraceId::of(id));
        }
        let time = |time: &Option<Timestamp>| time.as_ref().and_then(Timestamp::time);
        let by_time = time(&record.start_time)
            .or_else(|| time(&record.end_time))
            .map(|time| TraceId::of(&format!("{instance_id} {}", nanos(time))));
        if by_time.is_some_and(|trace| self.knows(trace, phase)) {
            return by_time;
        }
        let waiting = self
            .open
            .iter()
            .filter(|span| span.phase == phase && !span.has(stage));
        sole(waiting).map(|span| span.trace).or(by_time)
    }

    pub(super) fn knows(&self, trace: TraceId, phase: Phase) -> bool {
        self.is_emitted(trace, phase) || self.position(trace, phase).is_some()
    }

    pub(super) fn is_emitted(&self, trace: TraceId, phase: Phase) -> bool {
        let mut emitted = self.emitted.iter();
        emitted.any(|span| span.trace == trace && span.phase == phase)
    }

    /// What is new in an event for a span that is emitted.
    pub(super) fn learn_late(
        &mut self,
        trace: TraceId,
        (phase, stage): (Phase, Stage),
        record: &PlatformRecord,
    ) -> Option<Late> {
        let mut emitted = self.emitted.iter_mut();
        let span = emitted.find(|span| span.trace == trace && span.phase == phase)?;
        if span.seen.contains(&stage) {
            return None;
        }
        let is_failure = is_failure(record) && !span.has_failed;
        let is_end = stage != Stage::Start && span.seen.iter().all(|seen| *seen == Stage::Start);
        span.seen.push(stage);
        span.has_failed |= is_failure;
        Some(Late { is_failure, is_end })
    }

    /// Adds what an event tells to its span. What there is no room for any more comes back.
    pub(super) fn learn(
        &mut self,
        trace: TraceId,
        (phase, stage): (Phase, Stage),
        record: &PlatformRecord,
        now: SystemTime,
    ) -> Option<OpenSpan> {
        let full = self.open.len() >= REMEMBERED && self.position(trace, phase).is_none();
        let oldest = if full { self.take(0) } else { None };
        let span = self.get_or_insert(trace, phase);
        let (is_new, is_first) = (!span.is_told(), !span.has(stage));
        span.learn(stage, record, now);
        if is_new {
            self.relate(trace, phase);
        }
        if is_first && phase == Phase::Invocation {
            match stage {
                Stage::Start => self.start(trace),
                Stage::RuntimeDone | Stage::Report => self.end(trace, stage, now),
            }
        }
        oldest.filter(OpenSpan::is_told)
    }

    /// The spans that have become complete, which are not remembered as open from now on.
    pub(super) fn close_complete(&mut self, now: SystemTime) -> Vec<OpenSpan> {
        self.close(|span| span.is_complete(now))
    }

    /// All that are open, and told of.
    pub(super) fn close_all(&mut self) -> Vec<OpenSpan> {
        let mut closed = self.close(|_| true);
        closed.retain(OpenSpan::is_told);
        closed
    }

    /// Whether the invocation of that trace is not emitted yet.
    pub(super) fn is_open(&self, trace: TraceId) -> bool {
        self.position(trace, Phase::Invocation).is_some()
    }

    /// The one invocation that runs: that has started and not ended. If several do, it is the one that had started by
    /// that time.
    ///
    /// If none does, then it is the one that is about to run, or that is not reported yet: streams of telemetry may
    /// overtake each other (?).
    pub(super) fn running(&self, time: Option<SystemTime>) -> Option<&OpenSpan> {
        let running = || self.open.iter().filter(|span| span.is_running());
        let all = self.open.iter();
        match (running().count(), time) {
            (0, _) => sole(all.filter(|span| span.is_live())),
            (1, _) => running().next(),
            (_, Some(time)) => sole(running().filter(|span| span.started_by(time))),
            (_, None) => None,
        }
    }

    /// Brings inits and restores together with the invocation that follows them, whatever their trace IDs (?).
    fn relate(&mut self, trace: TraceId, phase: Phase) {
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
        let is_invocation = |span: &&mut OpenSpan| {
            span.trace == trace && span.phase == Phase::Invocation && span.is_told()
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

    /// Another invocation starts: those that were reported wait for nothing any more.
    fn start(&mut self, trace: TraceId) {
        self.started += 1;
        for span in &mut self.open {
            if span.phase != Phase::Invocation {
                continue;
            }
            if span.trace == trace {
                span.number = Some(self.started);
            } else if span.has(Stage::Report) {
                span.is_overtaken = true;
            }
        }
    }

    /// An invocation ends: one that started before it and still runs never ends, it seems, unless invocations are
    /// concurrent.
    fn end(&mut self, trace: TraceId, stage: Stage, now: SystemTime) {
        let position = self.position(trace, Phase::Invocation);
        let Some(span) = position.and_then(|position| self.open.get_mut(position)) else {
            return;
        };
        self.is_concurrent |= span.outrun_at.take().is_some();
        let Some(number) = span.number else {
            return;
        };
        let is_running = |span: &&mut OpenSpan| span.is_running();
        for other in self.open.iter_mut().filter(is_running) {
            if other.number > Some(number) {
                // A report may well come after the next start.
                self.is_concurrent |= stage == Stage::RuntimeDone;
            } else if !self.is_concurrent {
                other.outrun_at = Some(now);
            }
        }
        if self.is_concurrent {
            for span in &mut self.open {
                span.outrun_at = None;
            }
        }
    }

    fn close(&mut self, is_closed: impl Fn(&OpenSpan) -> bool) -> Vec<OpenSpan> {
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

    fn get_or_insert(&mut self, trace: TraceId, phase: Phase) -> &mut OpenSpan {
        let position = self.position(trace, phase).unwrap_or_else(|| {
            self.open.push_back(OpenSpan::new(trace, phase));
            self.open.len() - 1
        });
        &mut self.open[position]
    }

    fn take(&mut self, position: usize) -> Option<OpenSpan> {
        let span = self.open.remove(position)?;
        if span.is_told() {
            if self.emitted.len() >= REMEMBERED {
                self.emitted.pop_front();
            }
            self.emitted.push_back(Emitted {
                trace: span.trace,
                phase: span.phase,
                seen: span.seen.clone(),
                has_failed: span.failure().is_some(),
            });
        }
        Some(span)
    }
}

fn sole<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
    all.next().filter(|_| all.next().is_none())
}
