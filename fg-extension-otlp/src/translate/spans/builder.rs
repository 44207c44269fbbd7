//! A span that is being built while its events arrive.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use fg_extension::{FunctionUrn, PlatformEvent};
use opentelemetry_proto::tonic::common::v1::AnyValue;

use super::function_trace::{FunctionTrace, Join, MAX_LINKS, SAMPLED};
use super::outcome::{Outcome, error_type};
use super::phase::{Phase, Stage};
use super::run::{Run, SpanKey};
use crate::translate::any_value::any_value;
use crate::translate::bounded_json::{count_values, value};
use crate::translate::ids::TraceId;
use crate::translate::sampler::TraceSource;
use crate::translate::snake_case::snake_case;

/// The data about a phase that has arrived so far.
pub(crate) struct SpanBuilder {
    pub(crate) trace: TraceId,
    pub(crate) phase: Phase,
    pub(crate) run: Run,
    /// The trace ID as the platform wrote it.
    pub(crate) id: Option<String>,
    pub(crate) urn: Option<FunctionUrn>,
    /// When the extension was notified of the invocation.
    pub(crate) invoked_at: Option<SystemTime>,
    /// Whether this is the first invocation after an init, or of the instance.
    pub(crate) is_cold: bool,
    /// Whether the events of an init of this invocation have arrived.
    pub(crate) has_init: bool,
    /// The invocation that an init or a restore is a child of.
    pub(crate) parent: Option<SpanKey>,
    /// Whether the span of that invocation was emitted, so that its trace does not change any more.
    pub(crate) is_parent_emitted: bool,
    /// The number of this invocation, in the order in which invocations started.
    pub(crate) number: Option<u64>,
    /// Whether another invocation started after the report.
    pub(crate) has_successor: bool,
    /// When a later invocation ended while this one was still running.
    pub(crate) outlived_at: Option<SystemTime>,
    /// A time at which this phase had ended, because a later one had started.
    pub(crate) ended_by: Option<SystemTime>,
    /// The duration in a log line of the platform. A report is more exact.
    pub(crate) logged_duration: Option<Duration>,
    /// An estimate of the memory that the events take that were added.
    pub(crate) memory_bytes: usize,
    /// The trace of the function that the span is part of.
    pub(super) joined: Option<FunctionTrace>,
    /// Further traces of the function.
    pub(super) links: Vec<FunctionTrace>,
    pub(super) dropped_links: u32,
    /// Until when the span waits for events, if the process was frozen while it waited.
    extended_to: Option<SystemTime>,
    updated_at: Option<SystemTime>,
    done_at: Option<SystemTime>,
    reported_at: Option<SystemTime>,
    max_memory_mb: Option<f64>,
    init_duration: Option<Duration>,
    end: Option<SystemTime>,
    duration: Option<Duration>,
    outcome: Option<Outcome>,
    /// The first `errorType` of the greatest outcome.
    error_type: Option<String>,
    /// All other fields of the events, as attributes.
    pub(super) other: BTreeMap<String, AnyValue>,
}

/// Whether a span can be emitted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Readiness {
    /// More events are expected.
    Open,
    /// The events that are missing may have been overtaken by others, since this time.
    WaitingSince(SystemTime),
    Complete,
}

/// How a time fits into the run of an invocation, the best first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Fit {
    /// It is between the start and the end, or the end is not known.
    Inside,
    /// It is so soon after the end that it may be before it.
    Rounded,
    /// The start is not known: the extension was notified of the invocation soon after that time.
    Assumed,
}

/// The precision of the platform's times, which are cut to whole milliseconds (I).
const PRECISION: Duration = Duration::from_millis(1);

impl Fit {
    /// Returns how `time` fits between a start and an end.
    pub(crate) fn between(
        start: SystemTime,
        end: Option<SystemTime>,
        time: SystemTime,
    ) -> Option<Self> {
        if start > time {
            return None;
        }
        let late = end.and_then(|end| time.duration_since(end).ok());
        match late.unwrap_or_default() {
            Duration::ZERO => Some(Self::Inside),
            late if late < PRECISION => Some(Self::Rounded),
            _ => None,
        }
    }
}

/// How long a span waits for events that may have been overtaken by others.
pub(crate) const REORDER_WINDOW: Duration = Duration::from_secs(1);

/// How late the end of a wait is noticed at most, unless the process was frozen.
const MAX_DELAY: Duration = Duration::from_millis(500);

/// Estimates of the memory that an attribute and each JSON value in it take, besides their text.
const ATTRIBUTE_BYTES: usize = 192;
const VALUE_BYTES: usize = 96;

impl SpanBuilder {
    pub(crate) fn new(key: SpanKey) -> Self {
        Self {
            trace: key.trace,
            phase: key.phase,
            run: Run::new(key.run),
            id: None,
            urn: None,
            invoked_at: None,
            is_cold: false,
            has_init: false,
            parent: None,
            is_parent_emitted: false,
            number: None,
            has_successor: false,
            outlived_at: None,
            ended_by: None,
            logged_duration: None,
            memory_bytes: 0,
            joined: None,
            links: Vec::new(),
            dropped_links: 0,
            extended_to: None,
            updated_at: None,
            done_at: None,
            reported_at: None,
            max_memory_mb: None,
            init_duration: None,
            end: None,
            duration: None,
            outcome: None,
            error_type: None,
            other: BTreeMap::new(),
        }
    }

    pub(crate) fn key(&self) -> SpanKey {
        SpanKey {
            trace: self.trace,
            phase: self.phase,
            run: self.run.number,
        }
    }

    /// Adds an event, unless an event of the same stage was added before.
    pub(crate) fn add_event(&mut self, stage: Stage, event: &PlatformEvent, now: SystemTime) {
        if self.has(stage) {
            return;
        }
        self.run.record(stage, event.start_time());
        self.memory_bytes += event.json().len();
        if self.id.is_none() {
            self.id = trace_id(event).map(str::to_owned);
        }
        self.updated_at = Some(now);
        match stage {
            Stage::Start => {}
            Stage::RuntimeDone => self.done_at = Some(now),
            Stage::Report => self.reported_at = Some(now),
        }
        self.end = event.end_time().or(self.end);
        if let Some(metrics) = event.metrics() {
            let duration = metrics.duration_ms().and_then(from_millis);
            self.duration = duration.or(self.duration);
            self.max_memory_mb = metrics.max_memory_used_mb().or(self.max_memory_mb);
            let init_duration = metrics.init_duration_ms().and_then(from_millis);
            self.init_duration = init_duration.or(self.init_duration);
            for (name, json) in metrics.iter() {
                self.add_attribute(
                    ["functiongraph.metrics.", &snake_case(&name)].concat(),
                    json,
                );
            }
        }
        for (name, json) in event.other().filter(|(name, _)| !name.is_empty()) {
            self.add_attribute(["functiongraph.", &snake_case(&name)].concat(), json);
        }
        self.add_outcome(event);
    }

    fn add_attribute(&mut self, name: String, json: &str) {
        self.memory_bytes += ATTRIBUTE_BYTES + VALUE_BYTES * count_values(json);
        self.other.insert(name, any_value(value(json)));
    }

    fn add_outcome(&mut self, event: &PlatformEvent) {
        let outcome = Outcome::of(event);
        let is_worse = outcome > self.outcome;
        self.outcome = self.outcome.max(outcome);
        if outcome > Some(Outcome::Success) {
            let status = any_value(event.status().into());
            // The first status other than `success`.
            self.other
                .entry("functiongraph.status".to_owned())
                .or_insert(status);
        }
        match outcome {
            Some(Outcome::Failure) if is_worse => self.error_type = error_type(event),
            Some(Outcome::Timeout) => self.error_type = Some("timeout".to_owned()),
            _ => {}
        }
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// Returns the `errorType` of a failure, or `timeout`.
    pub(crate) fn error_type(&self) -> Option<&str> {
        self.error_type.as_deref()
    }

    /// Returns where the trace ID of the span of an invocation is from.
    pub(crate) fn trace_source(&self) -> TraceSource {
        match self.joined {
            None => TraceSource::Invocation,
            Some(trace) => TraceSource::Function {
                is_sampled: trace.flags & SAMPLED != 0,
            },
        }
    }

    pub(crate) fn max_memory_mb(&self) -> Option<f64> {
        self.max_memory_mb
    }

    /// Returns the duration of the init that the report of an invocation contains, unless the init has its own events.
    pub(crate) fn init_duration(&self) -> Option<Duration> {
        self.init_duration.filter(|_| !self.has_init)
    }

    /// Returns whether this is the first invocation after an init, as far as the events say.
    pub(crate) fn is_cold(&self) -> bool {
        self.is_cold || self.init_duration.is_some()
    }

    /// Returns the duration that the platform measured, or else the time from start to end.
    pub(crate) fn duration(&self) -> Option<Duration> {
        let between_times = || {
            let start = self.run.start.or(self.run.report_start)?;
            let runtime_done = self.run.runtime_done.filter(|done| *done > start);
            if self.end.or(runtime_done).is_none() && self.logged_duration.is_some() {
                return self.logged_duration;
            }
            let end = self.end.or(runtime_done).or(self.done_at)?;
            end.duration_since(start).ok()
        };
        self.duration.or_else(between_times)
    }

    /// Joins the span with a trace of the function, or links it if it has joined another one.
    pub(super) fn join(&mut self, mut trace: FunctionTrace) -> Join {
        // A parent that the function derived is this invocation.
        let key = self.key();
        let is_own = |parent: &[u8; 8]| {
            key.is_root(&trace.trace_id, parent) || key.span_id() == parent.as_slice()
        };
        trace.parent = trace.parent.filter(|parent| !is_own(parent));
        let is_derived = trace.trace_id == self.trace.array();
        if is_derived && let Some(other) = self.joined.filter(|it| it.trace_id != trace.trace_id) {
            // The function derived its parent from the ID of the invocation, so the span must be in that trace.
            self.joined = Some(trace);
            trace = other;
        }
        let joined = self.joined.get_or_insert(trace);
        if joined.trace_id == trace.trace_id {
            joined.update(&trace);
            return Join::Joined;
        }
        let is_full = self.links.len() >= MAX_LINKS;
        let is_same = |link: &&mut FunctionTrace| link.trace_id == trace.trace_id;
        match self.links.iter_mut().find(is_same) {
            Some(link) => {
                // Roots are joined after other spans of their trace.
                link.span_id = trace.span_id.or(link.span_id);
                link.update(&trace);
            }
            None if is_full => self.dropped_links = self.dropped_links.saturating_add(1),
            None => self.links.push(trace),
        }
        match is_derived {
            true => Join::Joined,
            false => Join::Linked,
        }
    }

    /// Returns the ID of the trace that the span is part of.
    pub(crate) fn trace_id(&self) -> [u8; 16] {
        let joined = self.joined.map(|joined| joined.trace_id);
        joined.unwrap_or_else(|| self.trace.array())
    }

    /// Returns whether an event of the stage has arrived.
    pub(crate) fn has(&self, stage: Stage) -> bool {
        self.run.has(stage)
    }

    /// Returns whether any event has arrived. A phase without events does not become a span.
    pub(crate) fn has_events(&self) -> bool {
        self.run.has_events()
    }

    /// Returns whether this is an invocation that has started and not ended, as far as known.
    pub(crate) fn is_running(&self) -> bool {
        self.expects_events() && self.has(Stage::Start) && !self.has_ended()
    }

    /// Returns whether this is an invocation whose events may still arrive.
    pub(crate) fn expects_events(&self) -> bool {
        let is_over = !self.has_events() && self.ended_by.is_some();
        self.phase == Phase::Invocation && self.outlived_at.is_none() && !is_over
    }

    /// Returns whether an event about the end has arrived.
    pub(crate) fn has_ended(&self) -> bool {
        self.run.has_ended()
    }

    /// Returns whether the invocation had started by `time`.
    pub(crate) fn started_by(&self, time: SystemTime) -> bool {
        self.run.start.is_some_and(|start| start <= time)
    }

    /// Returns how `time` fits into the run of the function, or `None` if it was not running then, as far as known.
    pub(crate) fn fit(&self, time: SystemTime) -> Option<Fit> {
        let known = self.run.start.or(self.run.report_start);
        // Without a start, the events are late, or there is no telemetry.
        let start = known.or_else(|| self.invoked_at?.checked_sub(REORDER_WINDOW))?;
        let has_end = self.has_ended() || self.ended_by.is_some();
        let end = self.end_after(start).filter(|_| has_end);
        let fit = Fit::between(start, end, time)?;
        let is_assumed = known.is_none() && self.invoked_at.is_some_and(|at| time < at);
        Some(if is_assumed { Fit::Assumed } else { fit })
    }

    /// Returns whether the span can be emitted.
    fn readiness(&self) -> Readiness {
        let waiting = |since: Option<SystemTime>| since.map(Readiness::WaitingSince);
        let readiness = match (self.phase, self.reported_at) {
            // The trace of the invocation must be known.
            (Phase::Init | Phase::Restore, _) if !self.is_parent_emitted => None,
            (Phase::Init | Phase::Restore, Some(_)) => Some(Readiness::Complete),
            (Phase::Init | Phase::Restore, None) => waiting(self.updated_at),
            // Only `runtimeDone` always has a status.
            (Phase::Invocation, Some(_)) if self.has(Stage::RuntimeDone) || self.has_successor => {
                Some(Readiness::Complete)
            }
            (Phase::Invocation, Some(reported_at)) => waiting(Some(reported_at)),
            (Phase::Invocation, None) => waiting(self.done_at.or(self.outlived_at)),
        };
        readiness.unwrap_or(Readiness::Open)
    }

    /// Returns when the span has waited long enough, or `None` if it does not wait.
    pub(crate) fn deadline(&self) -> Option<SystemTime> {
        match self.readiness() {
            Readiness::WaitingSince(since) => self
                .extended_to
                .or_else(|| since.checked_add(REORDER_WINDOW)),
            Readiness::Open | Readiness::Complete => None,
        }
    }

    /// Extends the wait once if the process was frozen: the platform may report an invocation only after the freeze (?).
    pub(crate) fn extend_wait(&mut self, now: SystemTime) {
        if let Some(deadline) = self.deadline()
            && self.extended_to.is_none()
            && now
                .duration_since(deadline)
                .is_ok_and(|late| late > MAX_DELAY)
        {
            self.extended_to = now.checked_add(REORDER_WINDOW);
        }
    }

    /// Returns whether the span can be emitted, because it is complete or has waited long enough.
    pub(crate) fn is_complete(&self, now: SystemTime) -> bool {
        let has_waited = || {
            self.deadline().is_none_or(|deadline| {
                // If the clock was set back, it is unknown how long the span has waited.
                let left = deadline.duration_since(now).unwrap_or_default();
                left.is_zero() || left > REORDER_WINDOW
            })
        };
        match self.readiness() {
            Readiness::Open => false,
            Readiness::WaitingSince(_) => has_waited(),
            Readiness::Complete => true,
        }
    }

    /// Returns the start and the end. The end is never before the start, even if the events say so.
    pub(crate) fn times(&self, now: SystemTime) -> (SystemTime, SystemTime) {
        let measured = self.duration.unwrap_or_default();
        let start = self
            .run
            .start
            .or(self.run.report_start)
            .or_else(|| self.end?.checked_sub(measured))
            .or(self.run.runtime_done)
            .unwrap_or(now);
        let end = self.end_after(start).unwrap_or(now);
        (start, end.max(start))
    }

    /// Returns the end: as reported, or else when the runtime was done.
    fn end_after(&self, start: SystemTime) -> Option<SystemTime> {
        self.end
            .filter(|end| *end >= start)
            .or_else(|| start.checked_add(self.duration?))
            .or(self.run.runtime_done.filter(|done| *done > start))
            .or(self.end)
            // `runtimeDone` can arrive after a freeze.
            .or_else(|| start.checked_add(self.logged_duration?))
            .or(self.done_at)
            .or(self.ended_by)
    }
}

/// Returns the trace ID of an event, unless it is empty.
pub(crate) fn trace_id(event: &PlatformEvent) -> Option<&str> {
    event.trace_id().filter(|id| !id.is_empty())
}

/// Converts milliseconds. Returns `None` if the value is negative, too large, or not a number.
pub(crate) fn from_millis(millis: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(millis / 1e3).ok()
}
