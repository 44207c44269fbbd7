//! A span that is being built while its events arrive.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use fg_extension::{FunctionUrn, PlatformEvent};
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

use super::outcome::{Outcome, error_type};
use super::phase::{Phase, Stage};
use crate::translate::FunctionInfo;
use crate::translate::any_value::{any_value, attribute};
use crate::translate::bounded_json::{count_values, value};
use crate::translate::ids::TraceId;
use crate::translate::timestamps::unix_nanos;

/// The data about a phase that has arrived so far.
pub(crate) struct SpanBuilder {
    pub(crate) trace: TraceId,
    pub(crate) phase: Phase,
    /// The trace ID as the platform wrote it.
    pub(crate) id: Option<String>,
    pub(crate) urn: Option<FunctionUrn>,
    /// Whether this is the first invocation after an init.
    pub(crate) is_cold: bool,
    /// The invocation that an init or a restore is a child of.
    pub(crate) parent: Option<TraceId>,
    /// The number of this invocation, in the order in which invocations started.
    pub(crate) number: Option<u64>,
    /// Whether another invocation started after the report.
    pub(crate) has_successor: bool,
    /// When a later invocation ended while this one was still running.
    pub(crate) outlived_at: Option<SystemTime>,
    pub(crate) stages: Vec<Stage>,
    /// An estimate of the memory that the events take that were added.
    pub(crate) memory_bytes: usize,
    reported_at: Option<SystemTime>,
    max_memory_mb: Option<f64>,
    start: Option<SystemTime>,
    report_start: Option<SystemTime>,
    runtime_done: Option<SystemTime>,
    end: Option<SystemTime>,
    duration: Option<Duration>,
    outcome: Option<Outcome>,
    /// The first status other than `success`.
    status: Option<String>,
    /// The `errorType` of the first failure.
    error_type: Option<String>,
    /// All other fields of the events, as attributes.
    other: BTreeMap<String, AnyValue>,
}

/// How long an invocation waits for events that may have been overtaken by others.
const REORDER_WINDOW: Duration = Duration::from_secs(1);

/// Estimates of the memory that an attribute and each JSON value in it take, besides their text.
const ATTRIBUTE_BYTES: usize = 192;
const VALUE_BYTES: usize = 96;

impl SpanBuilder {
    pub(crate) fn new(trace: TraceId, phase: Phase) -> Self {
        Self {
            trace,
            phase,
            id: None,
            urn: None,
            is_cold: false,
            parent: None,
            number: None,
            has_successor: false,
            outlived_at: None,
            stages: Vec::new(),
            memory_bytes: 0,
            reported_at: None,
            max_memory_mb: None,
            start: None,
            report_start: None,
            runtime_done: None,
            end: None,
            duration: None,
            outcome: None,
            status: None,
            error_type: None,
            other: BTreeMap::new(),
        }
    }

    /// Adds an event, unless an event of the same stage was added before.
    pub(crate) fn add_event(&mut self, stage: Stage, event: &PlatformEvent, now: SystemTime) {
        if self.has(stage) {
            return;
        }
        self.stages.push(stage);
        self.memory_bytes += event.json().len();
        if self.id.is_none() {
            self.id = trace_id(event).map(str::to_owned);
        }
        let time = event.start_time();
        match stage {
            Stage::Start => self.start = time,
            Stage::RuntimeDone => self.runtime_done = time,
            Stage::Report => {
                self.report_start = time;
                self.reported_at = Some(now);
            }
        }
        self.end = event.end_time().or(self.end);
        if let Some(metrics) = event.metrics() {
            let duration = metrics.duration_ms().and_then(from_millis);
            self.duration = duration.or(self.duration);
            self.max_memory_mb = metrics.max_memory_used_mb().or(self.max_memory_mb);
            for (name, json) in metrics.iter() {
                self.add_attribute(["functiongraph.metrics.", &name].concat(), json);
            }
        }
        for (name, json) in event.other().filter(|(name, _)| !name.is_empty()) {
            self.add_attribute(["functiongraph.", &name].concat(), json);
        }
        let outcome = Outcome::of(event);
        self.outcome = self.outcome.max(outcome);
        if outcome > Some(Outcome::Success) && self.status.is_none() {
            self.status = event.status().map(str::to_owned);
            let status = any_value(event.status().into());
            self.other.insert("functiongraph.status".to_owned(), status);
        }
        if outcome == Some(Outcome::Failure) && self.error_type.is_none() {
            self.error_type = error_type(event);
        }
    }

    fn add_attribute(&mut self, name: String, json: &str) {
        self.memory_bytes += ATTRIBUTE_BYTES + VALUE_BYTES * count_values(json);
        self.other.insert(name, any_value(value(json)));
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }

    /// Returns the `errorType` of the first failure.
    pub(crate) fn error_type(&self) -> Option<&str> {
        self.error_type.as_deref()
    }

    pub(crate) fn max_memory_mb(&self) -> Option<f64> {
        self.max_memory_mb
    }

    /// Returns the duration that the platform measured, or else the time from start to end.
    pub(crate) fn duration(&self) -> Option<Duration> {
        let between_times = || {
            let start = self.start.or(self.report_start)?;
            self.end?.duration_since(start).ok()
        };
        self.duration.or_else(between_times)
    }

    /// Builds the span from the data so far. `urn` is the URN of the latest invocation, used if this one has none.
    pub(crate) fn build(
        self,
        function: &FunctionInfo,
        urn: Option<&FunctionUrn>,
        now: SystemTime,
    ) -> Span {
        let (start, end) = self.times(now);
        let urn = self.urn.as_ref().or(urn);
        let name = function.name.as_deref().or_else(|| urn?.name());
        let version = function.version.as_deref().or_else(|| urn?.version());

        let other = self.other.into_iter().map(|(key, value)| KeyValue {
            key,
            value: Some(value),
            ..KeyValue::default()
        });
        let mut attributes: Vec<_> = other.collect();
        let cold_start = match self.phase {
            Phase::Init => Some(true),
            Phase::Restore => None,
            Phase::Invocation => Some(self.is_cold),
        };
        attributes.extend(cold_start.map(|cold| attribute("faas.coldstart", cold)));
        let is_invocation = self.phase == Phase::Invocation;
        let texts = [
            // No event names the trigger.
            ("faas.trigger", is_invocation.then_some("other")),
            ("faas.invocation_id", self.id.as_deref()),
            ("faas.name", name),
            ("faas.version", version),
            ("cloud.resource_id", urn.map(FunctionUrn::as_str)),
        ];
        attributes.extend(
            texts
                .into_iter()
                .filter_map(|(key, text)| Some(attribute(key, text?))),
        );
        let status = self.error_type.map(|error_type| {
            attributes.push(attribute("error.type", error_type));
            Status {
                message: self.status.unwrap_or_default(),
                code: StatusCode::Error.into(),
            }
        });

        // An init or a restore without an invocation is the root of its own trace.
        let parent = self.parent.map(TraceId::root_span_id).unwrap_or_default();
        let trace = self.parent.unwrap_or(self.trace);
        let (name, kind, span_id, parent_span_id) = match self.phase {
            Phase::Init => (
                "init",
                SpanKind::Internal,
                self.trace.child_span_id("init"),
                parent,
            ),
            Phase::Restore => (
                "restore",
                SpanKind::Internal,
                self.trace.child_span_id("restore"),
                parent,
            ),
            Phase::Invocation => (
                name.unwrap_or("function"),
                SpanKind::Server,
                self.trace.root_span_id(),
                Vec::new(),
            ),
        };
        Span {
            trace_id: trace.bytes(),
            span_id,
            parent_span_id,
            name: name.to_owned(),
            kind: kind.into(),
            start_time_unix_nano: unix_nanos(start),
            end_time_unix_nano: unix_nanos(end),
            attributes,
            status,
            ..Span::default()
        }
    }

    /// Returns whether an event of the stage has arrived.
    pub(crate) fn has(&self, stage: Stage) -> bool {
        self.stages.contains(&stage)
    }

    /// Returns whether any event has arrived. A phase without events does not become a span.
    pub(crate) fn has_events(&self) -> bool {
        !self.stages.is_empty()
    }

    /// Returns whether this is an invocation that has started and not ended, as far as known.
    pub(crate) fn is_running(&self) -> bool {
        self.expects_events() && self.has(Stage::Start) && !self.has_ended()
    }

    /// Returns whether this is an invocation whose events may still arrive.
    pub(crate) fn expects_events(&self) -> bool {
        self.phase == Phase::Invocation && self.outlived_at.is_none()
    }

    /// Returns whether an event about the end has arrived.
    pub(crate) fn has_ended(&self) -> bool {
        self.has(Stage::RuntimeDone) || self.has(Stage::Report)
    }

    /// Returns whether the invocation had started by `time`.
    pub(crate) fn started_by(&self, time: SystemTime) -> bool {
        self.start.is_some_and(|start| start <= time)
    }

    /// Returns whether the span can be emitted, because it is complete or has waited long enough.
    pub(crate) fn is_complete(&self, now: SystemTime) -> bool {
        let has_waited = |since: SystemTime| {
            let waited = now.duration_since(since).unwrap_or_default();
            waited > REORDER_WINDOW
        };
        let Some(reported_at) = self.reported_at else {
            return self.outlived_at.is_some_and(has_waited);
        };
        match self.phase {
            // Wait until the invocation is known.
            Phase::Init | Phase::Restore => self.parent.is_some(),
            // Only `runtimeDone` always has a status.
            Phase::Invocation => {
                self.has(Stage::RuntimeDone) || self.has_successor || has_waited(reported_at)
            }
        }
    }

    /// Returns the start and the end. The end is never before the start, even if the events say so.
    fn times(&self, now: SystemTime) -> (SystemTime, SystemTime) {
        let measured = self.duration.unwrap_or_default();
        let start = self
            .start
            .or(self.report_start)
            .or_else(|| self.end?.checked_sub(measured))
            .or(self.runtime_done)
            .unwrap_or(now);
        let end = self
            .end
            .filter(|end| *end >= start)
            .or_else(|| start.checked_add(self.duration?))
            .or(self.runtime_done.filter(|done| *done > start))
            .or(self.end)
            .unwrap_or(now);
        (start, end.max(start))
    }
}

/// Returns the trace ID of an event, unless it is empty.
pub(crate) fn trace_id(event: &PlatformEvent) -> Option<&str> {
    event.trace_id().filter(|id| !id.is_empty())
}

/// Converts milliseconds. Returns `None` if the value is negative, too large, or not a number.
fn from_millis(millis: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(millis / 1e3).ok()
}
