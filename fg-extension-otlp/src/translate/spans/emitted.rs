//! Remembers the spans that were emitted lately.

use std::collections::{HashMap, VecDeque};
use std::time::SystemTime;

use super::build::SpanContext;
use super::builder::{Fit, SpanBuilder};
use super::outcome::Outcome;
use super::phase::{Phase, Stage};
use super::run::{Run, SpanKey};
use super::tracker::{LateEvent, MAX_SPANS};
use crate::translate::MAX_ID_BYTES;
use crate::translate::ids::TraceId;
use crate::translate::sampler::TraceSource;

/// The spans that were emitted lately, so that events may arrive late, and twice.
#[derive(Default)]
pub(super) struct EmittedSpans {
    /// The runs of each phase, oldest first.
    runs: HashMap<(TraceId, Phase), Vec<EmittedSpan>>,
    /// The spans and their start and end, oldest first.
    order: VecDeque<(SpanKey, (SystemTime, SystemTime))>,
}

/// What is remembered of an emitted span.
pub(super) struct EmittedSpan {
    pub(super) run: Run,
    /// The trace ID as the platform wrote it.
    pub(super) id: Option<Box<str>>,
    /// The trace that the span is part of.
    pub(super) trace_id: [u8; 16],
    pub(super) trace_source: TraceSource,
    start: SystemTime,
    outcome: Option<Outcome>,
    /// Whether its init has events of its own.
    has_init: bool,
}

impl EmittedSpans {
    pub(super) fn insert(&mut self, span: &SpanBuilder, now: SystemTime) {
        if self.order.len() >= MAX_SPANS
            && let Some((oldest, _)) = self.order.pop_front()
            && let Some(runs) = self.runs.get_mut(&(oldest.trace, oldest.phase))
        {
            runs.retain(|emitted| emitted.run.number != oldest.run);
            if runs.is_empty() {
                self.runs.remove(&(oldest.trace, oldest.phase));
            }
        }
        // Only a span that is neither open nor emitted is opened, so the key is new.
        let key = span.key();
        let times = span.times(now);
        self.order.push_back((key, times));
        let id = span.id.as_deref().filter(|id| id.len() <= MAX_ID_BYTES);
        self.runs
            .entry((key.trace, key.phase))
            // Nearly all have one run.
            .or_insert_with(|| Vec::with_capacity(1))
            .push(EmittedSpan {
                run: span.run.clone(),
                id: id.map(Box::from),
                trace_id: span.trace_id(),
                trace_source: span.trace_source(),
                start: times.0,
                outcome: span.outcome(),
                has_init: span.has_init,
            });
    }

    /// Returns the runs of a phase, oldest first.
    pub(super) fn runs(&self, trace: TraceId, phase: Phase) -> &[EmittedSpan] {
        self.runs.get(&(trace, phase)).map_or(&[], Vec::as_slice)
    }

    pub(super) fn get(&self, key: SpanKey) -> Option<&EmittedSpan> {
        let mut runs = self.runs(key.trace, key.phase).iter();
        runs.find(|emitted| emitted.run.number == key.run)
    }

    /// Returns the invocations that were running at a time.
    pub(super) fn invocations_at(&self, time: SystemTime) -> impl Iterator<Item = (Fit, SpanKey)> {
        let invocations = self.order.iter();
        let invocations = invocations.filter(|(key, _)| key.phase == Phase::Invocation);
        invocations.filter_map(move |(key, (start, end))| {
            Some((Fit::between(*start, Some(*end), time)?, *key))
        })
    }

    /// Records an event for a span that was emitted. Returns `None` if the event was recorded before.
    pub(super) fn record_late_event(
        &mut self,
        key: SpanKey,
        stage: Stage,
        time: Option<SystemTime>,
        outcome: Option<Outcome>,
    ) -> Option<LateEvent> {
        let runs = self.runs.get_mut(&(key.trace, key.phase))?;
        let span = runs.iter_mut().find(|span| span.run.number == key.run)?;
        if span.run.has(stage) {
            return None;
        }
        let is_end = stage != Stage::Start && !span.run.has_ended();
        span.run.record(stage, time);
        let known = span.outcome.max(Some(Outcome::Success));
        span.outcome = span.outcome.max(outcome);
        Some(LateEvent {
            outcome: outcome.filter(|outcome| Some(*outcome) > known),
            is_end,
            has_init: span.has_init,
        })
    }
}

impl EmittedSpan {
    pub(super) fn context(&self, key: SpanKey) -> SpanContext {
        SpanContext {
            trace_id: self.trace_id.to_vec(),
            span_id: key.span_id(),
        }
    }

    /// Returns whether the span is part of this trace.
    pub(super) fn is_in(&self, trace_id: &[u8; 16]) -> bool {
        self.trace_id == *trace_id
    }

    pub(super) fn started_by(&self, time: SystemTime) -> bool {
        self.start <= time
    }
}
