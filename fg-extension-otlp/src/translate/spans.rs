use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use fg_extension::{FunctionUrn, Invocation, PlatformEvent, PlatformRecord, Timestamp};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use serde_json::{Map, Value};

use super::ids::TraceId;
use super::value::{attribute, attributes, nanos};

/// How many spans are remembered before they are emitted, and how many afterwards.
pub(super) const REMEMBERED: usize = 1024;

/// What is being told of, which becomes a span.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    Init,
    Restore,
    Invocation,
}

/// The three events of a phase (D 2711).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    Start,
    RuntimeDone,
    Report,
}

/// What a platform event tells of; nothing if its subtype is not known.
pub(super) fn of(event: &PlatformEvent) -> Option<(Phase, Stage)> {
    Some(match event {
        PlatformEvent::InitStart(_) => (Phase::Init, Stage::Start),
        PlatformEvent::InitRuntimeDone(_) => (Phase::Init, Stage::RuntimeDone),
        PlatformEvent::InitReport(_) => (Phase::Init, Stage::Report),
        PlatformEvent::RestoreStart(_) => (Phase::Restore, Stage::Start),
        PlatformEvent::RestoreRuntimeDone(_) => (Phase::Restore, Stage::RuntimeDone),
        PlatformEvent::RestoreReport(_) => (Phase::Restore, Stage::Report),
        PlatformEvent::Start(_) => (Phase::Invocation, Stage::Start),
        PlatformEvent::RuntimeDone(_) => (Phase::Invocation, Stage::RuntimeDone),
        PlatformEvent::Report(_) => (Phase::Invocation, Stage::Report),
        _ => return None,
    })
}

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

/// What was told of a phase so far.
pub(super) struct OpenSpan {
    trace: TraceId,
    phase: Phase,
    /// The trace ID as the platform wrote it.
    id: Option<String>,
    urn: Option<FunctionUrn>,
    seen: Vec<Stage>,
    start: Option<SystemTime>,
    report_start: Option<SystemTime>,
    runtime_done: Option<SystemTime>,
    end: Option<SystemTime>,
    duration: Option<Duration>,
    /// The first status that was not one of success.
    failure: Option<String>,
    /// `errorType` (I), which counts only if there is a failure.
    error_type: Option<String>,
    /// Whatever else the events have.
    other: Map<String, Value>,
}

/// What a span has of the function.
pub(super) struct Subject<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) version: Option<&'a str>,
    pub(super) urn: Option<&'a FunctionUrn>,
    pub(super) cold_start: bool,
}

impl OpenSpan {
    fn new(trace: TraceId, phase: Phase) -> Self {
        Self {
            trace,
            phase,
            id: None,
            urn: None,
            seen: Vec::new(),
            start: None,
            report_start: None,
            runtime_done: None,
            end: None,
            duration: None,
            failure: None,
            error_type: None,
            other: Map::new(),
        }
    }

    fn learn(&mut self, stage: Stage, record: &PlatformRecord) {
        if self.has(stage) {
            return;
        }
        self.seen.push(stage);
        if self.id.is_none() {
            self.id = id(record).map(str::to_owned);
        }
        let time = record.start_time.as_ref().and_then(Timestamp::time);
        match stage {
            Stage::Start => self.start = time,
            Stage::RuntimeDone => self.runtime_done = time,
            Stage::Report => self.report_start = time,
        }
        if let Some(end) = record.end_time.as_ref().and_then(Timestamp::time) {
            self.end = Some(end);
        }
        if let Some(metrics) = &record.metrics {
            let duration = metrics.duration_ms().and_then(from_millis);
            self.duration = duration.or(self.duration);
            for (name, value) in metrics.iter() {
                let name = format!("functiongraph.metrics.{name}");
                self.other.insert(name, value.clone());
            }
        }
        for (name, value) in &record.other {
            let name = format!("functiongraph.{name}");
            self.other.insert(name, value.clone());
        }
        if self.failure.is_none() && record.is_success() == Some(false) {
            self.failure = record.status.clone();
        }
        if self.error_type.is_none() {
            let error_type = record.other.get("errorType").and_then(Value::as_str);
            self.error_type = error_type
                .map(str::trim)
                .filter(|text| !text.is_empty())
                .map(str::to_owned);
        }
    }

    pub(super) fn trace(&self) -> TraceId {
        self.trace
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase
    }

    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// As it was measured; else between the times that the platform told.
    pub(super) fn duration(&self) -> Option<Duration> {
        let told = || {
            let start = self.start.or(self.report_start)?;
            self.end?.duration_since(start).ok()
        };
        self.duration.or_else(told)
    }

    /// The span, of what is known until now.
    pub(super) fn into_span(self, subject: &Subject<'_>, now: SystemTime) -> Span {
        let (start, end) = self.times(now);
        let urn = self.urn.as_ref().or(subject.urn);
        let name = subject.name.or_else(|| urn?.name());
        let version = subject.version.or_else(|| urn?.version());

        let mut attributes: Vec<_> = attributes(&self.other).collect();
        let cold_start = match self.phase {
            Phase::Init => Some(true),
            Phase::Restore => None,
            Phase::Invocation => Some(subject.cold_start),
        };
        attributes.extend(cold_start.map(|cold| attribute("faas.coldstart", cold)));
        let texts = [
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
        let status = self.failure.map(|failure| {
            let error_type = self
                .error_type
                .or_else(|| Some(failure.clone()).filter(|text| !text.is_empty()))
                // The conventions' own word for an error without a class.
                .unwrap_or_else(|| "_OTHER".to_owned());
            attributes.push(attribute("error.type", error_type));
            Status {
                message: failure,
                code: StatusCode::Error.into(),
            }
        });

        // Whatever has no ID of an invocation is in a trace of its own.
        let parent = match self.id {
            Some(_) => self.trace.span(),
            None => Vec::new(),
        };
        let (name, kind, span_id, parent_span_id) = match self.phase {
            Phase::Init => ("init", SpanKind::Internal, self.trace.child("init"), parent),
            Phase::Restore => (
                "restore",
                SpanKind::Internal,
                self.trace.child("restore"),
                parent,
            ),
            Phase::Invocation => (
                name.unwrap_or("function"),
                SpanKind::Server,
                self.trace.span(),
                Vec::new(),
            ),
        };
        Span {
            trace_id: self.trace.bytes(),
            span_id,
            parent_span_id,
            name: name.to_owned(),
            kind: kind.into(),
            start_time_unix_nano: nanos(start),
            end_time_unix_nano: nanos(end),
            attributes,
            status,
            ..Span::default()
        }
    }

    /// The end is never before the start, whatever the clocks say.
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

    fn has(&self, stage: Stage) -> bool {
        self.seen.contains(&stage)
    }

    /// An invocation that no event told of has no times: it is no span.
    fn is_told(&self) -> bool {
        !self.seen.is_empty()
    }

    fn is_running(&self) -> bool {
        self.phase == Phase::Invocation && self.has(Stage::Start) && !self.has(Stage::RuntimeDone)
    }
}

fn id(record: &PlatformRecord) -> Option<&str> {
    record.trace_id.as_deref().filter(|id| !id.is_empty())
}

fn sole<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
    all.next().filter(|_| all.next().is_none())
}

/// Nothing if it is negative, no number or beyond all durations.
fn from_millis(millis: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(millis / 1e3).ok()
}
