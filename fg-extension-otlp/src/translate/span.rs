use std::time::{Duration, SystemTime};

use fg_extension::{FunctionUrn, PlatformEvent, PlatformRecord, Timestamp};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use serde_json::{Map, Value};

use super::ids::TraceId;
use super::value::{attribute, attributes, nanos};

/// What was told of a phase so far.
pub(super) struct OpenSpan {
    pub(super) trace: TraceId,
    pub(super) phase: Phase,
    /// The trace ID as the platform wrote it.
    pub(super) id: Option<String>,
    pub(super) urn: Option<FunctionUrn>,
    /// Whether this is the first invocation after an init.
    pub(super) is_cold: bool,
    /// The invocation that an init or a restore is a child of.
    pub(super) parent: Option<TraceId>,
    /// Which of the invocations that started this one is.
    pub(super) number: Option<u64>,
    /// Whether another invocation started after the report.
    pub(super) is_overtaken: bool,
    /// When a later invocation had ended, while this one still ran.
    pub(super) outrun_at: Option<SystemTime>,
    pub(super) seen: Vec<Stage>,
    reported_at: Option<SystemTime>,
    max_memory_mb: Option<f64>,
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

/// How long the events of an invocation are waited for that others have overtaken.
const PATIENCE: Duration = Duration::from_secs(1);

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

/// What a span has of the function.
pub(super) struct Subject<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) version: Option<&'a str>,
    pub(super) urn: Option<&'a FunctionUrn>,
}

impl OpenSpan {
    pub(super) fn new(trace: TraceId, phase: Phase) -> Self {
        Self {
            trace,
            phase,
            id: None,
            urn: None,
            is_cold: false,
            parent: None,
            number: None,
            is_overtaken: false,
            outrun_at: None,
            seen: Vec::new(),
            reported_at: None,
            max_memory_mb: None,
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

    pub(super) fn learn(&mut self, stage: Stage, record: &PlatformRecord, now: SystemTime) {
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
            Stage::Report => {
                self.report_start = time;
                self.reported_at = Some(now);
            }
        }
        if let Some(end) = record.end_time.as_ref().and_then(Timestamp::time) {
            self.end = Some(end);
        }
        if let Some(metrics) = &record.metrics {
            let duration = metrics.duration_ms().and_then(from_millis);
            self.duration = duration.or(self.duration);
            self.max_memory_mb = metrics.max_memory_used_mb().or(self.max_memory_mb);
            for (name, value) in metrics.iter() {
                let name = format!("functiongraph.metrics.{name}");
                self.other.insert(name, value.clone());
            }
        }
        for (name, value) in record.other.iter().filter(|(name, _)| !name.is_empty()) {
            let name = format!("functiongraph.{name}");
            self.other.insert(name, value.clone());
        }
        if self.failure.is_none() && is_failure(record) {
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

    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    pub(super) fn max_memory_mb(&self) -> Option<f64> {
        self.max_memory_mb
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
            Phase::Invocation => Some(self.is_cold),
        };
        attributes.extend(cold_start.map(|cold| attribute("faas.coldstart", cold)));
        let is_invocation = self.phase == Phase::Invocation;
        let texts = [
            // What triggers a function, no event tells.
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

        // Without an invocation, it is in a trace of its own.
        let parent = self.parent.map(TraceId::span).unwrap_or_default();
        let trace = self.parent.unwrap_or(self.trace);
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
            trace_id: trace.bytes(),
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

    pub(super) fn has(&self, stage: Stage) -> bool {
        self.seen.contains(&stage)
    }

    /// An invocation that no event told of has no times: it is no span.
    pub(super) fn is_told(&self) -> bool {
        !self.seen.is_empty()
    }

    /// Whether it is an invocation that has started and not ended, as far as is known.
    pub(super) fn is_running(&self) -> bool {
        self.is_live() && self.has(Stage::Start) && !self.is_over()
    }

    /// Whether it is an invocation that is not given up.
    pub(super) fn is_live(&self) -> bool {
        self.phase == Phase::Invocation && self.outrun_at.is_none()
    }

    /// Whether its end was told.
    pub(super) fn is_over(&self) -> bool {
        self.has(Stage::RuntimeDone) || self.has(Stage::Report)
    }

    pub(super) fn started_by(&self, time: SystemTime) -> bool {
        self.start.is_some_and(|start| start <= time)
    }

    /// Whether nothing is worth being waited for any more.
    pub(super) fn is_complete(&self, now: SystemTime) -> bool {
        let has_waited = |since: SystemTime| {
            let waited = now.duration_since(since).unwrap_or_default();
            waited > PATIENCE
        };
        let Some(reported_at) = self.reported_at else {
            return self.outrun_at.is_some_and(has_waited);
        };
        match self.phase {
            // Its invocation is yet to come.
            Phase::Init | Phase::Restore => self.parent.is_some(),
            // Only `runtimeDone` is sure to have a status.
            Phase::Invocation => {
                self.has(Stage::RuntimeDone) || self.is_overtaken || has_waited(reported_at)
            }
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
}

/// The trace ID that an event has.
pub(super) fn id(record: &PlatformRecord) -> Option<&str> {
    record.trace_id.as_deref().filter(|id| !id.is_empty())
}

/// Nothing if it is negative, no number or beyond all durations.
/// Returns whether an event has a status that is not `success`: the page has no list of the others (?).
pub(super) fn is_failure(record: &PlatformRecord) -> bool {
    let has_status = record
        .status
        .as_ref()
        .is_some_and(|status| !status.is_empty());
    has_status && !record.is_success()
}

fn from_millis(millis: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(millis / 1e3).ok()
}
