//! Makes spans, log records and metrics of telemetry events, without I/O.

mod ids;
mod line;
mod logs;
mod metrics;
mod resource;
mod severity;
mod span;
mod spans;
#[cfg(test)]
mod tests;
mod value;

use std::time::SystemTime;

use fg_extension::{FunctionUrn, Invocation, PlatformEvent, TelemetryCounters, TelemetryEvent};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;

use self::metrics::Metrics;
use self::span::{OpenSpan, Phase, Subject};
use self::spans::Spans;

/// Turns events, as they come, into OTLP.
///
/// Events may come in any order, twice, late or not at all. A span is emitted once, when it is complete: what comes
/// after that is not in it, and makes a log record if it is a failure.
pub(crate) struct Translator {
    function: Function,
    settings: Settings,
    instance_id: String,
    /// That of the latest invocation.
    urn: Option<FunctionUrn>,
    spans: Spans,
    metrics: Metrics,
}

/// What the user set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// `OTEL_SERVICE_NAME`
    pub(crate) service_name: Option<String>,
    /// `OTEL_RESOURCE_ATTRIBUTES`
    pub(crate) resource_attributes: Vec<(String, String)>,
}

/// What is known of the function before it is invoked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Function {
    pub(crate) name: Option<String>,
    pub(crate) version: Option<String>,
    /// `RUNTIME_PROJECT_ID` (D)
    pub(crate) project_id: Option<String>,
    /// `RUNTIME_MEMORY` (D)
    pub(crate) memory_mb: Option<u64>,
}

/// What events were turned into.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) spans: Vec<Span>,
    pub(crate) logs: Vec<LogRecord>,
}

impl Translator {
    pub(crate) fn new(
        mut function: Function,
        mut settings: Settings,
        instance_id: String,
        now: SystemTime,
    ) -> Self {
        for text in [
            &mut function.name,
            &mut function.version,
            &mut function.project_id,
            &mut settings.service_name,
        ] {
            // An empty text says nothing.
            text.take_if(|text| text.is_empty());
        }
        Self {
            function,
            settings,
            instance_id,
            urn: None,
            spans: Spans::default(),
            metrics: Metrics::new(now),
        }
    }

    /// Learns the URN of an invocation: region, project and name of the function.
    pub(crate) fn invoked(&mut self, invocation: &Invocation) {
        self.urn = Some(invocation.invoked_function_urn.clone());
        self.spans.invoked(invocation);
    }

    pub(crate) fn event(&mut self, event: &TelemetryEvent, now: SystemTime, out: &mut Output) {
        match event {
            TelemetryEvent::Platform(event) => self.platform_event(event, now, out),
            event => out.logs.push(self.log(event, now)),
        }
        for span in self.spans.close_complete(now) {
            self.emit(span, now, out);
        }
    }

    /// Emits, at the end, the spans that still waited for something, with what is known.
    pub(crate) fn finish(&mut self, now: SystemTime, out: &mut Output) {
        for span in self.spans.close_all() {
            self.emit(span, now, out);
        }
    }

    pub(crate) fn resource(&self) -> Resource {
        resource::resource(
            &self.function,
            self.urn.as_ref(),
            &self.settings,
            &self.instance_id,
        )
    }

    /// All metrics as they are now, cumulative, with further counters of `(name, unit, value)`.
    pub(crate) fn metrics(
        &self,
        telemetry: &TelemetryCounters,
        own: &[(&'static str, &'static str, u64)],
        now: SystemTime,
    ) -> Vec<Metric> {
        self.metrics.snapshot(telemetry, own, now)
    }

    pub(crate) fn scope() -> InstrumentationScope {
        InstrumentationScope {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        }
    }

    fn platform_event(&mut self, event: &PlatformEvent, now: SystemTime, out: &mut Output) {
        let record = event.record();
        let known = span::of(event).and_then(|kind| {
            let trace = self.spans.trace_of(kind, record, &self.instance_id)?;
            Some((kind, trace))
        });
        let Some(((phase, stage), trace)) = known else {
            out.logs.push(logs::of_platform(event, now));
            return;
        };
        if self.spans.is_emitted(trace, phase) {
            let Some(late) = self.spans.learn_late(trace, (phase, stage), record) else {
                return;
            };
            let failure = record.status.as_deref().filter(|_| late.is_failure);
            if phase == Phase::Invocation && (late.is_end || failure.is_some()) {
                self.metrics.ended(failure);
            }
            if failure.is_some() {
                out.logs.push(logs::of_failure(event, trace, now));
            }
            return;
        }
        if phase == Phase::Init && !self.spans.knows(trace, phase) {
            self.metrics.cold_start();
        }
        if let Some(oldest) = self.spans.learn(trace, (phase, stage), record, now) {
            self.emit(oldest, now, out);
        }
    }

    fn log(&self, event: &TelemetryEvent, now: SystemTime) -> LogRecord {
        match event {
            TelemetryEvent::Function(log) => logs::of_log("function", log, &self.spans, now),
            TelemetryEvent::Extension(log) => logs::of_log("extension", log, &self.spans, now),
            TelemetryEvent::Unknown(event) => logs::of_unknown(event, &self.spans, now),
            // A kind that the framework learned after this was written.
            event => {
                let event = serde_json::to_value(event).unwrap_or_default();
                logs::of_unknown(&event, &self.spans, now)
            }
        }
    }

    fn emit(&mut self, span: OpenSpan, now: SystemTime, out: &mut Output) {
        self.metrics.emitted(&span);
        let subject = Subject {
            name: self.function.name.as_deref(),
            version: self.function.version.as_deref(),
            urn: self.urn.as_ref(),
        };
        out.spans.push(span.into_span(&subject, now));
    }
}
