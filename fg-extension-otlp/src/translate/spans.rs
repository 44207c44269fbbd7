use std::collections::VecDeque;

use fg_extension::{Invocation, PlatformRecord, Timestamp};

use super::ids::TraceId;
use super::span::{OpenSpan, Phase, Stage, id};
use super::value::nanos;

/// How many spans are remembered before they are emitted, and how many afterwards.
pub(super) const REMEMBERED: usize = 1024;

/// The spans that are not complete yet, and which ones were, so that events may come in any order, and twice.
#[derive(Default)]
pub(super) struct Spans {
    /// The oldest is first.
    open: VecDeque<OpenSpan>,
    emitted: VecDeque<(TraceId, Phase)>,
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

    pub(super) fn is_emitted(&self, trace: TraceId, phase: Phase) -> bool {
        self.emitted.contains(&(trace, phase))
    }

    pub(super) fn knows(&self, trace: TraceId, phase: Phase) -> bool {
        self.is_emitted(trace, phase) || self.position(trace, phase).is_some()
    }

    /// Adds what an event tells to its span. What there is no room for any more comes back.
    pub(super) fn learn(
        &mut self,
        trace: TraceId,
        (phase, stage): (Phase, Stage),
        record: &PlatformRecord,
    ) -> Option<OpenSpan> {
        let full = self.open.len() >= REMEMBERED && self.position(trace, phase).is_none();
        let oldest = if full { self.take(0) } else { None };
        self.get_or_insert(trace, phase).learn(stage, record);
        oldest.filter(OpenSpan::is_told)
    }

    /// The span, which is not remembered as open from now on.
    pub(super) fn close(&mut self, trace: TraceId, phase: Phase) -> Option<OpenSpan> {
        self.take(self.position(trace, phase)?)
    }

    /// All that are open, and told of.
    pub(super) fn close_all(&mut self) -> Vec<OpenSpan> {
        std::iter::from_fn(|| self.take(0))
            .filter(OpenSpan::is_told)
            .collect()
    }

    /// The open span of that trace, if any; that of the invocation first.
    pub(super) fn open(&self, trace: TraceId) -> Option<&OpenSpan> {
        let spans = || self.open.iter().filter(|span| span.trace == trace);
        spans()
            .find(|span| span.phase == Phase::Invocation)
            .or_else(|| spans().next())
    }

    /// The one invocation that runs: that has started and whose runtime is not done.
    ///
    /// If none does, then it is the one that is about to run, or that is not reported yet: streams of telemetry may
    /// overtake each other (?).
    pub(super) fn running(&self) -> Option<&OpenSpan> {
        let mut started = self.open.iter().filter(|span| span.is_running()).peekable();
        if started.peek().is_some() {
            return sole(started);
        }
        let trace = self.open.front()?.trace;
        if self.open.iter().any(|span| span.trace != trace) {
            return None;
        }
        self.open(trace)
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
            self.emitted.push_back((span.trace, span.phase));
        }
        Some(span)
    }
}

fn sole<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
    all.next().filter(|_| all.next().is_none())
}
