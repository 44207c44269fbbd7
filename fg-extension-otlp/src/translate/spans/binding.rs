//! Binds the function's own telemetry to invocations.

use std::time::SystemTime;

use super::build::SpanContext;
use super::builder::{Fit, SpanBuilder};
use super::function_trace::{FunctionTrace, Join};
use super::phase::Phase;
use super::run::SpanKey;
use super::tracker::{SpanTracker, exactly_one};
use crate::translate::ids::TraceId;
use crate::translate::sampler::TraceSource;

impl SpanTracker {
    /// Returns the invocation with this ID: the newest run that had started by `time`, or else the newest one.
    pub(crate) fn invocation(&self, id: TraceId, time: Option<SystemTime>) -> Option<SpanKey> {
        let emitted = self.emitted.runs(id, Phase::Invocation).iter();
        let emitted = emitted.map(|span| {
            (
                span.run.number,
                time.is_some_and(|time| span.started_by(time)),
            )
        });
        let open = self
            .open
            .iter()
            .filter(|span| span.trace == id && span.phase == Phase::Invocation)
            .map(|span| {
                (
                    span.run.number,
                    time.is_some_and(|time| span.started_by(time)),
                )
            });
        let runs: Vec<_> = emitted.chain(open).collect();
        let started = runs.iter().rev().find(|(_, started)| *started);
        let (run, _) = started.or(runs.last())?;
        Some(SpanKey {
            run: *run,
            ..SpanKey::first(id, Phase::Invocation)
        })
    }

    /// Returns the only invocation whose function was running at a time.
    pub(crate) fn invocation_at(&self, time: SystemTime) -> Option<SpanKey> {
        self.best_at(time, |_| true)
    }

    /// Returns the invocation of a trace of the function. If several invocations are part of the trace, returns the
    /// only one that was running at `time`.
    pub(crate) fn invocation_of_trace(
        &self,
        trace_id: &[u8; 16],
        time: Option<SystemTime>,
    ) -> Option<SpanKey> {
        if let Some(key) = self.invocation(TraceId::from_array(*trace_id), time) {
            return Some(key);
        }
        let known = self.traces.of(trace_id);
        if let (Some(time), [_, _, ..]) = (time, known) {
            return self.best_at(time, |key| known.contains(key));
        }
        exactly_one(known.iter().copied())
    }

    /// Returns whether any invocation is part of a trace of the function or linked to it.
    pub(crate) fn knows_trace(&self, trace_id: &[u8; 16]) -> bool {
        !self.traces.of(trace_id).is_empty()
    }

    /// Returns whether this invocation is part of a trace of the function or linked to it.
    pub(crate) fn is_joined(&self, trace_id: &[u8; 16], key: SpanKey) -> bool {
        self.traces.of(trace_id).contains(&key)
    }

    /// Returns the ID of an invocation as the platform wrote it.
    pub(crate) fn request_id(&self, key: SpanKey) -> Option<&str> {
        match self.open_span(key) {
            Some(span) => span.id.as_deref(),
            None => self.emitted.get(key)?.id.as_deref(),
        }
    }

    /// Returns the IDs of the span of an invocation, in the trace that it has joined.
    pub(crate) fn context(&self, key: SpanKey) -> SpanContext {
        match (self.open_span(key), self.emitted.get(key)) {
            (Some(span), _) => SpanContext {
                trace_id: span.trace_id().to_vec(),
                span_id: key.span_id(),
            },
            (None, Some(emitted)) => emitted.context(key),
            (None, None) => SpanContext {
                trace_id: key.trace.bytes(),
                span_id: key.span_id(),
            },
        }
    }

    /// Returns the trace of the span of an invocation, and where its ID is from.
    pub(crate) fn trace(&self, key: SpanKey) -> ([u8; 16], TraceSource) {
        match (self.open_span(key), self.emitted.get(key)) {
            (Some(span), _) => (span.trace_id(), span.trace_source()),
            (None, Some(emitted)) => (emitted.trace_id, emitted.trace_source),
            (None, None) => (key.trace.array(), TraceSource::Invocation),
        }
    }

    /// Joins an invocation with a trace of the function: its span becomes part of the trace or, if it is part of
    /// another one, is linked to it. Does nothing if the span was emitted.
    pub(crate) fn join(&mut self, key: SpanKey, trace: FunctionTrace) -> Join {
        self.traces.insert(trace.trace_id, key);
        let position = self.position(key);
        if let Some(span) = position.and_then(|position| self.open.get_mut(position)) {
            return span.join(trace);
        }
        match self.emitted.get(key) {
            Some(span) if span.is_in(&trace.trace_id) => Join::Joined,
            _ => Join::TooLate,
        }
    }

    /// Remembers a trace whose invocation is unknown, in case that its events are late. `start` is when a span of the
    /// trace started.
    pub(crate) fn remember_trace(&mut self, trace: FunctionTrace, start: SystemTime) {
        self.unbound.insert(trace, start);
    }

    /// Joins the traces whose invocation is known now.
    pub(super) fn bind_traces(&mut self) {
        let mut unbound = std::mem::take(&mut self.unbound);
        for (key, trace) in unbound.bind(|start| self.invocation_at(start)) {
            self.join(key, trace);
        }
        self.unbound = unbound;
    }

    fn open_span(&self, key: SpanKey) -> Option<&SpanBuilder> {
        self.open.get(self.position(key)?)
    }

    /// Returns the only invocation among those of `filter` whose run a time fits best.
    fn best_at(&self, time: SystemTime, filter: impl Fn(&SpanKey) -> bool) -> Option<SpanKey> {
        let running = self
            .invocations_at(time)
            .filter(|(_, key)| filter(key))
            .collect::<Vec<_>>();
        let best = running.iter().map(|(fit, _)| *fit).min()?;
        // An invocation whose start is not known began after the others had ended, unless they run concurrently.
        let competes = |fit: Fit| fit == best || (self.is_concurrent && fit == Fit::Assumed);
        exactly_one(running.iter().filter(|(fit, _)| competes(*fit))).map(|(_, key)| *key)
    }

    fn invocations_at(&self, time: SystemTime) -> impl Iterator<Item = (Fit, SpanKey)> {
        let open = self.open.iter();
        let open = open.filter(|span| span.phase == Phase::Invocation);
        open.filter_map(move |span| Some((span.fit(time)?, span.key())))
            .chain(self.emitted.invocations_at(time))
    }
}
