//! Translates telemetry events into spans, log records, and metrics, without I/O.

mod any_value;
mod bounded_json;
mod ids;
mod logs;
mod metrics;
mod resource;
mod snake_case;
mod spans;
#[cfg(test)]
mod tests;
mod timestamps;

use std::time::SystemTime;

use fg_extension::{FunctionUrn, Invocation, PlatformEvent, TelemetryCounters, TelemetryEvent};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;

use self::bounded_json::is_within_limits;
use self::metrics::FaasMetrics;
use self::spans::{Outcome, Phase, SpanBuilder, SpanTracker};
use crate::config::ResourceConfig;

/// Translates events into OTLP.
///
/// Events may arrive in any order, twice, late, or not at all. A span is emitted once, when it is complete. An event
/// that arrives after that is not part of the span. It becomes a log record if its outcome is worse than that of the
/// span.
pub(crate) struct Translator {
    function: FunctionInfo,
    resource: ResourceConfig,
    instance_id: String,
    /// The URN of the latest invocation.
    urn: Option<FunctionUrn>,
    spans: SpanTracker,
    metrics: FaasMetrics,
}

/// The properties of the function that are known before its first invocation.
#[derive(Clone, Debug, Default)]
pub(crate) struct FunctionInfo {
    pub(crate) name: Option<String>,
    pub(crate) version: Option<String>,
    /// `RUNTIME_PROJECT_ID` (D)
    pub(crate) project_id: Option<String>,
    /// `RUNTIME_MEMORY` (D)
    pub(crate) memory_mb: Option<u64>,
}

/// The maximum length of the ID of an invocation, of a URN, and of the name of an event.
const MAX_ID_BYTES: usize = 1024;

/// The result of translating events.
#[derive(Debug, Default)]
pub(crate) struct Translated {
    pub(crate) spans: Vec<Span>,
    pub(crate) log_records: Vec<LogRecord>,
}

impl Translator {
    pub(crate) fn new(
        mut function: FunctionInfo,
        mut resource: ResourceConfig,
        instance_id: String,
        now: SystemTime,
    ) -> Self {
        for text in [
            &mut function.name,
            &mut function.version,
            &mut function.project_id,
            &mut resource.service_name,
        ] {
            // An empty text counts as missing.
            text.take_if(|text| text.is_empty());
        }
        Self {
            function,
            resource,
            instance_id,
            urn: None,
            spans: SpanTracker::default(),
            metrics: FaasMetrics::new(now),
        }
    }

    /// Records an invocation and its URN, which contains the region, the project, and the name of the function.
    ///
    /// Ignores an invocation whose ID or URN is much too long, since open invocations are stored.
    pub(crate) fn record_invocation(&mut self, invocation: &Invocation) {
        let id = &invocation.trace_id;
        if id.len().max(invocation.invoked_function_urn.as_str().len()) > MAX_ID_BYTES {
            return;
        }
        self.urn = Some(invocation.invoked_function_urn.clone());
        self.spans.record_invocation(invocation);
    }

    /// Translates an event, and emits all spans that it completes.
    pub(crate) fn translate(
        &mut self,
        event: &TelemetryEvent,
        now: SystemTime,
        out: &mut Translated,
    ) {
        match event {
            TelemetryEvent::Platform(event) => self.platform_event(event, now, out),
            event => out.log_records.push(self.log_record(event, now)),
        }
        for span in self.spans.close_complete(now) {
            self.emit(span, now, out);
        }
    }

    /// Emits all incomplete spans, at shutdown.
    pub(crate) fn finish(&mut self, now: SystemTime, out: &mut Translated) {
        for span in self.spans.close_all() {
            self.emit(span, now, out);
        }
    }

    /// Returns the resource that the telemetry belongs to.
    pub(crate) fn resource(&self) -> Resource {
        resource::resource(
            &self.function,
            self.urn.as_ref(),
            &self.resource,
            &self.instance_id,
        )
    }

    /// Returns the current values of all metrics, and of additional counters with a name, a unit, and a value.
    ///
    /// All of them are cumulative.
    pub(crate) fn metrics(
        &self,
        telemetry: Option<&TelemetryCounters>,
        own: &[(&'static str, &'static str, u64)],
        now: SystemTime,
    ) -> Vec<Metric> {
        self.metrics.snapshot(telemetry, own, now)
    }

    /// Returns the instrumentation scope: this crate.
    pub(crate) fn scope() -> InstrumentationScope {
        InstrumentationScope {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        }
    }

    fn platform_event(&mut self, event: &PlatformEvent, now: SystemTime, out: &mut Translated) {
        let known = Phase::of(event.kind()).and_then(|phase| {
            let trace = self.spans.resolve_trace(phase, event, &self.instance_id)?;
            Some((phase, trace))
        });
        // A span stores the fields of its events.
        let known = known.filter(|_| is_within_limits(event.json()));
        let Some(((phase, stage), trace)) = known else {
            let log = logs::from_platform_event(event, &self.spans, now);
            out.log_records.push(log);
            return;
        };
        if self.spans.is_emitted(trace, phase) {
            let outcome = Outcome::of(event);
            let late = (phase, stage);
            let Some(late) = self.spans.record_late_event(trace, late, outcome) else {
                return;
            };
            if phase == Phase::Invocation && (late.is_end || late.outcome.is_some()) {
                self.metrics.record_end(outcome);
            }
            if let Some(outcome) = late.outcome {
                let log = logs::from_late_event(event, trace, outcome, &self.spans, now);
                out.log_records.push(log);
            }
            return;
        }
        if phase == Phase::Init && !self.spans.knows(trace, phase) {
            self.metrics.record_cold_start();
        }
        let closed = self.spans.record_event(trace, (phase, stage), event, now);
        for span in closed {
            self.emit(span, now, out);
        }
    }

    fn log_record(&self, event: &TelemetryEvent, now: SystemTime) -> LogRecord {
        let (log, _named_trace) = match event {
            TelemetryEvent::Function(log) => {
                logs::from_log_event("function", log, &self.spans, now)
            }
            TelemetryEvent::Extension(log) => {
                logs::from_log_event("extension", log, &self.spans, now)
            }
            // This includes variants that are added to `TelemetryEvent` later.
            event => logs::from_unknown(event.json(), &self.spans, now),
        };
        log
    }

    fn emit(&mut self, span: SpanBuilder, now: SystemTime, out: &mut Translated) {
        self.metrics.record_span(&span);
        out.spans
            .push(span.build(&self.function, self.urn.as_ref(), now));
    }
}
