//! Distinguishes the runs of an invocation, since the platform may retry it with the same ID (?).

use std::time::{Duration, SystemTime};

use super::phase::{Phase, Stage};
use crate::translate::ids::TraceId;
use crate::translate::timestamps::unix_nanos;

/// Identifies a span: the run of a phase of an invocation.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct SpanKey {
    pub(crate) trace: TraceId,
    pub(crate) phase: Phase,
    /// 0 for the first run, or else the time of the run.
    pub(crate) run: u64,
}

impl SpanKey {
    /// The first run of an invocation, or of its initialization or restore.
    pub(crate) fn first(trace: TraceId, phase: Phase) -> Self {
        Self {
            trace,
            phase,
            run: 0,
        }
    }

    /// Returns the ID of the span. That of the first run of an invocation can be derived by the function.
    pub(crate) fn span_id(self) -> Vec<u8> {
        match (self.phase, self.run) {
            (Phase::Invocation, 0) => self.trace.root_span_id(),
            (phase, 0) => self.trace.child_span_id(phase.name()),
            (phase, run) => self.trace.child_span_id(&format!("{} {run}", phase.name())),
        }
    }

    /// Returns whether these are the IDs that a function derives for the span of the invocation, in any of its runs.
    pub(crate) fn is_root(self, trace_id: &[u8; 16], span_id: &[u8]) -> bool {
        self.trace.array() == *trace_id && self.trace.root_span_id() == span_id
    }
}

/// The stages of a run that have arrived, and the `startTime` of each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    /// See [`SpanKey::run`].
    pub(crate) number: u64,
    /// Whether the event of each stage has arrived.
    stages: [bool; 3],
    pub(crate) start: Option<SystemTime>,
    /// The page has no description of this time (?): when the run started, or when the runtime was done.
    pub(crate) runtime_done: Option<SystemTime>,
    pub(crate) report_start: Option<SystemTime>,
}

/// How much the times of a start and of its report may differ.
const TOLERANCE: Duration = Duration::from_secs(1);

impl Run {
    /// Returns a run without events.
    pub(crate) fn new(number: u64) -> Self {
        Self {
            number,
            ..Self::default()
        }
    }

    pub(crate) fn record(&mut self, stage: Stage, time: Option<SystemTime>) {
        self.stages[stage as usize] = true;
        match stage {
            Stage::Start => self.start = time,
            Stage::RuntimeDone => self.runtime_done = time,
            Stage::Report => self.report_start = time,
        }
    }

    pub(crate) fn has(&self, stage: Stage) -> bool {
        self.stages[stage as usize]
    }

    /// Returns whether any event has arrived.
    pub(crate) fn has_events(&self) -> bool {
        self.stages.contains(&true)
    }

    /// Returns whether an event about the end has arrived.
    pub(crate) fn has_ended(&self) -> bool {
        self.has(Stage::RuntimeDone) || self.has(Stage::Report)
    }

    /// Returns whether an event with this `startTime` certainly belongs to this run.
    fn is_exactly(&self, stage: Stage, time: SystemTime) -> bool {
        let is_same = |known: Option<SystemTime>| known == Some(time);
        let started = self.start.or(self.report_start);
        is_same(self.start)
            || is_same(self.report_start)
            || ((stage == Stage::RuntimeDone || started.is_none()) && is_same(self.runtime_done))
    }

    /// Returns whether an event with this `startTime` may belong to this run, which lacks an event of its stage.
    fn accepts(&self, stage: Stage, time: SystemTime) -> bool {
        if self.has(stage) {
            return false;
        }
        let is_near = |known: SystemTime| {
            let difference = known.duration_since(time);
            difference.unwrap_or_else(|earlier| earlier.duration()) < TOLERANCE
        };
        let started = self.start.or(self.report_start);
        match stage {
            Stage::Start => match self.report_start {
                Some(report_start) => is_near(report_start),
                None => self.runtime_done.is_none_or(|done| done >= time),
            },
            Stage::RuntimeDone => started.is_none_or(|start| start <= time),
            Stage::Report => {
                let ended = self.runtime_done.filter(|done| started < Some(*done));
                started.is_none_or(is_near) && ended.is_none_or(|done| time <= done)
            }
        }
    }
}

/// Returns the number of the run that an event belongs to. `runs` are the known runs of its invocation, oldest first.
///
/// Another `startTime` is another run. Only events that lack the time, or whose time may mean something else, belong
/// to a run that waits for them.
pub(crate) fn find_run(runs: &[&Run], stage: Stage, time: Option<SystemTime>) -> u64 {
    let newest = runs.iter().rev();
    let Some(time) = time else {
        let waiting = newest.clone().find(|run| !run.has(stage));
        return waiting.or(runs.last()).map_or(0, |run| run.number);
    };
    let known = newest.clone().find(|run| run.is_exactly(stage, time));
    let known = known.or_else(|| newest.clone().find(|run| run.accepts(stage, time)));
    match known {
        Some(run) => run.number,
        None if runs.is_empty() => 0,
        None => unix_nanos(time).max(1),
    }
}
