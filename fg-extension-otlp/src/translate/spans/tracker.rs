//! Tracks which spans are open and which have been emitted.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use fg_extension::{Invocation, PlatformEvent};

use super::builder::{SpanBuilder, trace_id};
use super::emitted::EmittedSpans;
use super::function_trace::{TraceIndex, UnboundTraces};
use super::outcome::Outcome;
use super::phase::{Phase, Stage};
use super::run::{SpanKey, find_run};
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
    pub(super) open: VecDeque<SpanBuilder>,
    /// The sum of [`SpanBuilder::memory_bytes`] of the open spans.
    open_bytes: usize,
    pub(super) emitted: EmittedSpans,
    /// The function's own traces.
    pub(super) traces: TraceIndex,
    pub(super) unbound: UnboundTraces,
    /// How many invocations have started.
    started: u64,
    /// Whether the events of an invocation have arrived.
    has_invocation: bool,
    /// Whether there was an init, and the invocation that follows it has not started.
    is_cold: bool,
    /// Whether an invocation without an init was counted as a cold start.
    is_cold_start_counted: bool,
    /// Whether an invocation has ended after a later one, so invocations run concurrently.
    pub(super) is_concurrent: bool,
}

/// What an event adds to a span that was emitted before the event arrived.
pub(crate) struct LateEvent {
    /// The outcome, if it is worse than what was known when the span was emitted.
    pub(crate) outcome: Option<Outcome>,
    /// Whether this is the first event about the end of the span.
    pub(crate) is_end: bool,
    /// Whether the init of the invocation has events of its own.
    pub(crate) has_init: bool,
}

impl SpanTracker {
    /// Records an invocation, whose events may have arrived already or may never arrive.
    pub(crate) fn record_invocation(&mut self, invocation: &Invocation, now: SystemTime) {
        let id = invocation.trace_id.trim();
        let (trace, phase) = (TraceId::of(id), Phase::Invocation);
        if id.is_empty() || self.is_emitted(trace, phase) {
            return;
        }
        let is_open = self.open_runs(trace, phase).next().is_some();
        if self.open.len() >= MAX_SPANS && !is_open {
            // Make room: an invocation without events can be forgotten, since there may be no telemetry at all.
            let Some(without_events) = self.open.iter().position(|span| !span.has_events()) else {
                return;
            };
            self.open.remove(without_events);
        }
        let key = self.newest_open(trace, phase);
        let span = self.get_or_insert(key.unwrap_or(SpanKey::first(trace, phase)));
        span.id = Some(id.to_owned());
        span.urn = Some(invocation.invoked_function_urn.clone());
        span.invoked_at.get_or_insert(now);
        let key = span.key();
        if self.is_concurrent {
            return;
        }
        // The events of earlier invocations may be lost.
        for other in self.open.iter_mut().filter(|span| !span.has_events()) {
            if other.key() != key {
                other.ended_by.get_or_insert(now);
            }
        }
    }

    /// Returns the span that an event belongs to, or `None` if the event has neither an ID nor a time.
    ///
    /// An event without an ID belongs to a known trace that its time identifies, or else to the only span that lacks
    /// such an event, or else to a new trace that its time identifies.
    pub(crate) fn resolve(
        &self,
        (phase, stage): (Phase, Stage),
        event: &PlatformEvent,
        instance_id: &str,
    ) -> Option<SpanKey> {
        if let Some(id) = trace_id(event) {
            let trace = TraceId::of(id);
            let emitted = self.emitted.runs(trace, phase).iter().map(|it| &it.run);
            let mut runs: Vec<_> = emitted.collect();
            runs.extend(self.open_runs(trace, phase).map(|span| &span.run));
            return Some(SpanKey {
                trace,
                phase,
                run: find_run(&runs, stage, event.start_time()),
            });
        }
        let by_time = event
            .start_time()
            .or_else(|| event.end_time())
            .map(|time| TraceId::of(&format!("{instance_id} {}", unix_nanos(time))));
        let by_time = by_time.map(|trace| SpanKey::first(trace, phase));
        if by_time.is_some_and(|key| self.knows(key.trace, phase)) {
            return by_time;
        }
        let waiting = self
            .open
            .iter()
            .filter(|span| span.phase == phase && !span.has(stage));
        exactly_one(waiting).map(SpanBuilder::key).or(by_time)
    }

    /// Returns whether the span is open or was emitted.
    pub(crate) fn knows(&self, trace: TraceId, phase: Phase) -> bool {
        self.is_emitted(trace, phase) || self.open_runs(trace, phase).next().is_some()
    }

    /// Returns whether this run of the span is open or was emitted.
    pub(crate) fn knows_run(&self, key: SpanKey) -> bool {
        self.emitted.get(key).is_some() || self.position(key).is_some()
    }

    /// Returns whether the span of this run was emitted.
    pub(crate) fn is_run_emitted(&self, key: SpanKey) -> bool {
        self.emitted.get(key).is_some()
    }

    fn is_emitted(&self, trace: TraceId, phase: Phase) -> bool {
        !self.emitted.runs(trace, phase).is_empty()
    }

    /// Records an event for a span that was emitted. Returns `None` if the event was recorded before.
    pub(crate) fn record_late_event(
        &mut self,
        key: SpanKey,
        stage: Stage,
        event: &PlatformEvent,
    ) -> Option<LateEvent> {
        let (time, outcome) = (event.start_time(), Outcome::of(event));
        self.emitted.record_late_event(key, stage, time, outcome)
    }

    /// Adds an event to its span. Returns the oldest spans if they had to be closed to make room.
    pub(crate) fn record_event(
        &mut self,
        key: SpanKey,
        stage: Stage,
        event: &PlatformEvent,
        now: SystemTime,
    ) -> Vec<SpanBuilder> {
        let mut closed = Vec::new();
        if self.open.len() >= MAX_SPANS && self.position(key).is_none() {
            closed.extend(self.take(0, now));
        }
        let span = self.get_or_insert(key);
        let (is_new, is_first) = (!span.has_events(), !span.has(stage));
        let bytes = span.memory_bytes;
        span.add_event(stage, event, now);
        self.open_bytes += span.memory_bytes - bytes;
        if is_new {
            self.assign_parents(key);
        }
        if is_first && key.phase == Phase::Invocation {
            match stage {
                Stage::Start => self.record_start(key),
                Stage::RuntimeDone | Stage::Report => self.record_end(key, stage, now),
            }
            self.bind_traces();
        }
        while self.open_bytes > MAX_OPEN_BYTES {
            closed.extend(self.take(0, now));
        }
        closed.retain(SpanBuilder::has_events);
        closed
    }

    /// Records the duration of an invocation that a log line of the platform contains, in case that the report is
    /// missing.
    pub(crate) fn record_finish(&mut self, trace: TraceId, duration: Duration) {
        let mut runs = self.open.iter_mut();
        let is_run = |span: &&mut SpanBuilder| {
            span.trace == trace
                && span.phase == Phase::Invocation
                && span.has_events()
                && span.logged_duration.is_none()
        };
        // The oldest one that lacks it, since lines arrive in order.
        if let Some(span) = runs.find(is_run) {
            span.logged_duration = Some(duration);
        }
    }

    /// Closes and returns the spans that are complete.
    pub(crate) fn close_complete(&mut self, now: SystemTime) -> Vec<SpanBuilder> {
        for span in &mut self.open {
            span.extend_wait(now);
        }
        let mut closed = self.close(now, |span| span.is_complete(now));
        if !closed.is_empty() {
            // An init or a restore is complete after its invocation.
            closed.extend(self.close(now, |span| span.is_complete(now)));
        }
        closed
    }

    /// Closes all spans, and returns those with events.
    pub(crate) fn close_all(&mut self, now: SystemTime) -> Vec<SpanBuilder> {
        let mut closed = self.close(now, |_| true);
        closed.retain(SpanBuilder::has_events);
        closed
    }

    /// Returns when the next span has waited long enough for events that may be missing.
    pub(crate) fn next_deadline(&self) -> Option<SystemTime> {
        // `close_complete` follows every event, so no complete span is open.
        self.open.iter().filter_map(SpanBuilder::deadline).min()
    }

    /// Records an init that has its first event. Returns whether it is a cold start that was not counted.
    pub(crate) fn count_init(&mut self) -> bool {
        !std::mem::take(&mut self.is_cold_start_counted)
    }

    /// Records the span of an invocation that is emitted. Returns whether it is a cold start that was not counted.
    pub(crate) fn count_invocation(&mut self, span: &SpanBuilder) -> bool {
        let is_counted = span.is_cold() && !span.has_init;
        self.is_cold_start_counted |= is_counted;
        is_counted
    }

    /// Returns whether the invocation with this trace is open.
    pub(crate) fn is_open(&self, trace: TraceId) -> bool {
        self.open_runs(trace, Phase::Invocation).next().is_some()
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
    fn assign_parents(&mut self, key: SpanKey) {
        if key.phase == Phase::Invocation {
            let has_init = std::mem::take(&mut self.is_cold);
            // The platform starts an instance for an invocation (I).
            let is_first = !std::mem::replace(&mut self.has_invocation, true);
            for span in &mut self.open {
                if span.key() == key {
                    span.is_cold = has_init || is_first;
                    span.has_init = has_init;
                } else if span.phase != Phase::Invocation {
                    span.parent.get_or_insert(key);
                }
            }
            return;
        }
        // The events of an init or a restore may arrive after those of its invocation.
        let is_invocation = |span: &&mut SpanBuilder| {
            span.trace == key.trace && span.phase == Phase::Invocation && span.has_events()
        };
        let invocation = self.open.iter_mut().find(is_invocation);
        let open = invocation.as_ref().map(|span| span.key());
        if key.phase == Phase::Init {
            match invocation {
                Some(span) => (span.is_cold, span.has_init) = (true, true),
                None => self.is_cold = true,
            }
            if let Some(open) = open {
                // Another invocation was only assumed to be the first one.
                let others = self.open.iter_mut().filter(|span| span.key() != open);
                others
                    .filter(|span| !span.has_init)
                    .for_each(|span| span.is_cold = false);
            }
        }
        let emitted = self.emitted.runs(key.trace, Phase::Invocation).first();
        let emitted = emitted.map(|emitted| SpanKey {
            run: emitted.run.number,
            ..SpanKey::first(key.trace, Phase::Invocation)
        });
        if let Some(parent) = open.or(emitted) {
            let span = self.get_or_insert(key);
            span.parent = Some(parent);
            span.is_parent_emitted = open.is_none();
        }
    }

    /// Records that an invocation starts. Earlier invocations with a report need not wait any longer.
    fn record_start(&mut self, key: SpanKey) {
        self.started += 1;
        let mut start = None;
        for span in &mut self.open {
            if span.phase != Phase::Invocation {
                continue;
            }
            if span.key() == key {
                span.number = Some(self.started);
                span.ended_by = None;
                start = span.run.start;
            } else if span.has(Stage::Report) {
                span.has_successor = true;
            }
        }
        for span in &mut self.open {
            if span.parent == Some(key) {
                span.ended_by = start;
            }
        }
    }

    /// Records that an invocation ends. Earlier invocations that are still running are assumed to never end, unless
    /// invocations run concurrently.
    fn record_end(&mut self, key: SpanKey, stage: Stage, now: SystemTime) {
        let position = self.position(key);
        let Some(span) = position.and_then(|position| self.open.get_mut(position)) else {
            return;
        };
        self.is_concurrent |= span.outlived_at.take().is_some();
        span.ended_by = None;
        let Some(number) = span.number else {
            return;
        };
        let start = span.run.start;
        let is_running = |span: &&mut SpanBuilder| span.is_running();
        for other in self.open.iter_mut().filter(is_running) {
            if other.number > Some(number) {
                // A report, unlike `runtimeDone`, may arrive after the next start.
                self.is_concurrent |= stage == Stage::RuntimeDone;
            } else if !self.is_concurrent {
                other.outlived_at = Some(now);
                other.ended_by = start;
            }
        }
        if self.is_concurrent {
            for span in &mut self.open {
                if span.outlived_at.take().is_some() {
                    span.ended_by = None;
                }
            }
        }
    }

    fn close(
        &mut self,
        now: SystemTime,
        is_closed: impl Fn(&SpanBuilder) -> bool,
    ) -> Vec<SpanBuilder> {
        let mut closed = Vec::new();
        let mut position = 0;
        while let Some(span) = self.open.get(position) {
            match is_closed(span) {
                true => closed.extend(self.take(position, now)),
                false => position += 1,
            }
        }
        closed
    }

    fn open_runs(&self, trace: TraceId, phase: Phase) -> impl Iterator<Item = &SpanBuilder> {
        let is_run = move |span: &&SpanBuilder| span.trace == trace && span.phase == phase;
        self.open.iter().filter(is_run)
    }

    fn newest_open(&self, trace: TraceId, phase: Phase) -> Option<SpanKey> {
        self.open_runs(trace, phase).last().map(SpanBuilder::key)
    }

    pub(super) fn position(&self, key: SpanKey) -> Option<usize> {
        self.open.iter().position(|span| span.key() == key)
    }

    fn get_or_insert(&mut self, key: SpanKey) -> &mut SpanBuilder {
        let position = self.position(key).unwrap_or_else(|| {
            self.open.push_back(SpanBuilder::new(key));
            self.open.len() - 1
        });
        &mut self.open[position]
    }

    /// Removes a span from the open ones, and remembers it as emitted if it has events.
    fn take(&mut self, position: usize, now: SystemTime) -> Option<SpanBuilder> {
        let span = self.open.remove(position)?;
        self.open_bytes -= span.memory_bytes;
        if span.has_events() {
            self.emitted.insert(&span, now);
            for child in &mut self.open {
                child.is_parent_emitted |= child.parent == Some(span.key());
            }
        }
        Some(span)
    }
}

/// Returns the only item, or `None` if there are none or several.
pub(super) fn exactly_one<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
    all.next().filter(|_| all.next().is_none())
}
