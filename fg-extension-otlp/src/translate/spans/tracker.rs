//! Tracks which spans are open and which have been emitted.

use std::collections::{HashMap, VecDeque};
use std::time::SystemTime;

use fg_extension::{Invocation, PlatformEvent};

use super::builder::{SpanBuilder, trace_id};
use super::outcome::Outcome;
use super::phase::{Phase, Stage};
use crate::translate::ids::TraceId;
use crate::translate::timestamps::unix_nanos;

/// The maximum number of open spans, and the maximum number of emitted spans that are remembered.
pub(crate) const MAX_SPANS: usize = 1024;

/// The maximum memory of all open spans together, as estimated by [`SpanBuilder::memory_bytes`].
const MAX_OPEN_BYTES: usize = 1 << 20;

/// The open spans, and the spans that were emitted lately, so that events may arrive in any order, and twice.
#[derive(Default)]
pub(crate) struct SpanTracker {
    /// Oldest first.
    open: VecDeque<SpanBuilder>,
    /// The sum of [`SpanBuilder::memory_bytes`] of the open spans.
    open_bytes: usize,
    emitted: HashMap<(TraceId, Phase), EmittedSpan>,
    /// The keys of `emitted`, oldest first.
    emitted_order: VecDeque<(TraceId, Phase)>,
    /// How many invocations have started.
    started: u64,
    /// Whether there was an init, and the invocation that follows it has not started.
    is_cold: bool,
    /// Whether an invocation has ended after a later one, so invocations run concurrently.
    is_concurrent: bool,
}

/// What is remembered of an emitted span.
struct EmittedSpan {
    /// The ID of the invocation as the platform wrote it.
    id: Option<String>,
    stages: Vec<Stage>,
    outcome: Option<Outcome>,
}

/// What an event adds to a span that was emitted before the event arrived.
pub(crate) struct LateEvent {
    /// The outcome, if it is worse than what was known when the span was emitted.
    pub(crate) outcome: Option<Outcome>,
    /// Whether this is the first event about the end of the span.
    pub(crate) is_end: bool,
}

impl SpanTracker {
    /// Records an invocation, whose events may have arrived already or may never arrive.
    pub(crate) fn record_invocation(&mut self, invocation: &Invocation) {
        let id = invocation.trace_id.trim();
        let (trace, phase) = (TraceId::of(id), Phase::Invocation);
        if id.is_empty() || self.is_emitted(trace, phase) {
            return;
        }
        if self.open.len() >= MAX_SPANS && self.position(trace, phase).is_none() {
            // Make room: an invocation without events can be forgotten, since there may be no telemetry at all.
            let Some(without_events) = self.open.iter().position(|span| !span.has_events()) else {
                return;
            };
            self.open.remove(without_events);
        }
        let span = self.get_or_insert(trace, phase);
        span.id = Some(id.to_owned());
        span.urn = Some(invocation.invoked_function_urn.clone());
    }

    /// Returns the trace that an event belongs to, or `None` if the event has neither an ID nor a time.
    ///
    /// An event without an ID belongs to a known trace that its time identifies, or else to the only span that lacks
    /// such an event, or else to a new trace that its time identifies.
    pub(crate) fn resolve_trace(
        &self,
        (phase, stage): (Phase, Stage),
        event: &PlatformEvent,
        instance_id: &str,
    ) -> Option<TraceId> {
        if let Some(id) = trace_id(event) {
            return Some(TraceId::of(id));
        }
        let by_time = event
            .start_time()
            .or_else(|| event.end_time())
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

    /// Returns whether the span is open or was emitted.
    pub(crate) fn knows(&self, trace: TraceId, phase: Phase) -> bool {
        self.is_emitted(trace, phase) || self.position(trace, phase).is_some()
    }

    /// Returns whether the span was emitted.
    pub(crate) fn is_emitted(&self, trace: TraceId, phase: Phase) -> bool {
        self.emitted.contains_key(&(trace, phase))
    }

    /// Records an event for a span that was emitted. Returns `None` if the event was recorded before.
    pub(crate) fn record_late_event(
        &mut self,
        trace: TraceId,
        (phase, stage): (Phase, Stage),
        outcome: Option<Outcome>,
    ) -> Option<LateEvent> {
        let span = self.emitted.get_mut(&(trace, phase))?;
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

    /// Adds an event to its span. Returns the oldest spans if they had to be closed to make room.
    pub(crate) fn record_event(
        &mut self,
        trace: TraceId,
        (phase, stage): (Phase, Stage),
        event: &PlatformEvent,
        now: SystemTime,
    ) -> Vec<SpanBuilder> {
        let mut closed = Vec::new();
        if self.open.len() >= MAX_SPANS && self.position(trace, phase).is_none() {
            closed.extend(self.take(0));
        }
        let span = self.get_or_insert(trace, phase);
        let (is_new, is_first) = (!span.has_events(), !span.has(stage));
        let bytes = span.memory_bytes;
        span.add_event(stage, event, now);
        self.open_bytes += span.memory_bytes - bytes;
        if is_new {
            self.assign_parents(trace, phase);
        }
        if is_first && phase == Phase::Invocation {
            match stage {
                Stage::Start => self.record_start(trace),
                Stage::RuntimeDone | Stage::Report => self.record_end(trace, stage, now),
            }
        }
        while self.open_bytes > MAX_OPEN_BYTES {
            closed.extend(self.take(0));
        }
        closed.retain(SpanBuilder::has_events);
        closed
    }

    /// Closes and returns the spans that are complete.
    pub(crate) fn close_complete(&mut self, now: SystemTime) -> Vec<SpanBuilder> {
        self.close(|span| span.is_complete(now))
    }

    /// Closes all spans, and returns those with events.
    pub(crate) fn close_all(&mut self) -> Vec<SpanBuilder> {
        let mut closed = self.close(|_| true);
        closed.retain(SpanBuilder::has_events);
        closed
    }

    /// Returns whether the invocation with this trace is open.
    pub(crate) fn is_open(&self, trace: TraceId) -> bool {
        self.position(trace, Phase::Invocation).is_some()
    }

    /// Returns the ID of an invocation as the platform wrote it.
    pub(crate) fn request_id(&self, trace: TraceId) -> Option<&str> {
        let phase = Phase::Invocation;
        let open = self
            .position(trace, phase)
            .and_then(|position| self.open.get(position));
        match open {
            Some(span) => span.id.as_deref(),
            None => self.emitted.get(&(trace, phase))?.id.as_deref(),
        }
    }

    /// Returns the running invocation, if there is exactly one. If several are running, returns the only one that had
    /// started by `time`.
    ///
    /// If none is running, returns the only open invocation, which is about to start or lacks its report, because
    /// streams of telemetry may overtake each other (?).
    pub(crate) fn running(&self, time: Option<SystemTime>) -> Option<&SpanBuilder> {
        let running = || self.open.iter().filter(|span| span.is_running());
        let all = self.open.iter();
        match (running().count(), time) {
            (0, _) => exactly_one(all.filter(|span| span.expects_events())),
            (1, _) => running().next(),
            (_, Some(time)) => exactly_one(running().filter(|span| span.started_by(time))),
            (_, None) => None,
        }
    }

    /// Assigns each init and restore to the invocation that follows it, even if their trace IDs differ (?).
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
        // The events of an init or a restore may arrive after those of its invocation.
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

    /// Records that an invocation starts. Earlier invocations with a report need not wait any longer.
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

    /// Records that an invocation ends. Earlier invocations that are still running are assumed to never end, unless
    /// invocations run concurrently.
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
                // A report, unlike `runtimeDone`, may arrive after the next start.
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

    /// Removes a span from the open ones, and remembers it as emitted if it has events.
    fn take(&mut self, position: usize) -> Option<SpanBuilder> {
        let span = self.open.remove(position)?;
        self.open_bytes -= span.memory_bytes;
        if span.has_events() {
            if self.emitted_order.len() >= MAX_SPANS
                && let Some(oldest) = self.emitted_order.pop_front()
            {
                self.emitted.remove(&oldest);
            }
            // Only a span that is neither open nor emitted is opened, so the key is new.
            let key = (span.trace, span.phase);
            self.emitted_order.push_back(key);
            let emitted = EmittedSpan {
                id: span.id.clone(),
                stages: span.stages.clone(),
                outcome: span.outcome(),
            };
            self.emitted.insert(key, emitted);
        }
        Some(span)
    }
}

/// Returns the only item, or `None` if there are none or several.
fn exactly_one<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
    all.next().filter(|_| all.next().is_none())
}
