//! Translates telemetry events into spans, log records, and metrics, without I/O.

mod any_value;
mod bounded_json;
mod enrich;
mod ids;
mod logs;
mod metrics;
mod resource;
mod sampler;
mod spans;
#[cfg(test)]
mod tests;
mod timestamps;

use std::cell::OnceCell;
use std::time::SystemTime;

use fg_extension::{FunctionUrn, Invocation, PlatformEvent, TelemetryEvent};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;

#[cfg(test)]
pub(crate) use self::any_value::attribute;
use self::bounded_json::is_within_limits;
pub(crate) use self::enrich::enrich;
use self::metrics::FaasMetrics;
pub(crate) use self::metrics::Observation;
pub(crate) use self::resource::SCHEMA_URL;
use self::sampler::TraceSource;
use self::spans::{Outcome, Phase, SpanBuilder, SpanTracker};
use crate::config::{ResourceConfig, SamplerConfig, SdkConfig};
use crate::delivery::Delivery;

/// Translates events into OTLP.
///
/// Events may arrive in any order, twice, late, or not at all. A span is emitted once, when it is complete. An event
/// that arrives after that is not part of the span. It becomes a log record if its outcome is worse than that of the
/// span.
pub(crate) struct Translator {
    function: FunctionInfo,
    resource: ResourceConfig,
    /// The resource in all requests, once one was sent.
    sent_resource: OnceCell<Resource>,
    instance_id: String,
    /// The URN of the latest invocation.
    urn: Option<FunctionUrn>,
    sampler: SamplerConfig,
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
        let trigger = resource.trigger;
        Self {
            function,
            resource,
            sent_resource: OnceCell::new(),
            instance_id,
            urn: None,
            sampler: SamplerConfig::default(),
            spans: SpanTracker::default(),
            metrics: FaasMetrics::new(trigger, now),
        }
    }

    /// Applies the settings of an SDK that the forwarder honors.
    pub(crate) fn with_sdk(self, sdk: SdkConfig) -> Self {
        let metrics = self.metrics.with_temporality(sdk.temporality);
        Self {
            metrics,
            sampler: sdk.sampler,
            ..self
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
    ///
    /// It is the same from the first call on, even if more becomes known: a backend keeps the telemetry of each resource
    /// apart.
    pub(crate) fn resource(&self) -> Resource {
        let resource = self.sent_resource.get_or_init(|| {
            resource::resource(
                &self.function,
                self.urn.as_ref(),
                &self.resource,
                &self.instance_id,
            )
        });
        resource.clone()
    }

    /// Returns the metrics for a request, or none if there is nothing to send; see [`FaasMetrics::collect`].
    pub(crate) fn metrics(
        &mut self,
        previous: Option<Delivery>,
        own: &[Observation],
        now: SystemTime,
    ) -> Vec<Metric> {
        self.metrics.collect(previous, own, now)
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
            out.log_records.push(logs::from_platform_event(event, now));
            return;
        };
        if self.spans.is_emitted(trace, phase) {
            let outcome = Outcome::of(event);
            let late = (phase, stage);
            let Some(late) = self.spans.record_late_event(trace, late, outcome) else {
                return;
            };
            if phase == Phase::Invocation && (late.is_end || late.outcome.is_some()) {
                let error_type = spans::error_type(event);
                self.metrics.record_end(outcome, error_type.as_deref(), now);
            }
            if let Some(outcome) = late.outcome {
                let log = logs::from_late_event(event, trace, outcome, now);
                out.log_records.push(log);
            }
            return;
        }
        if phase == Phase::Init && !self.spans.knows(trace, phase) {
            self.metrics.record_cold_start(now);
        }
        let closed = self.spans.record_event(trace, (phase, stage), event, now);
        for span in closed {
            self.emit(span, now, out);
        }
    }

    fn log_record(&self, event: &TelemetryEvent, now: SystemTime) -> LogRecord {
        match event {
            TelemetryEvent::Function(log) => {
                logs::from_log_event("function", log, &self.spans, now)
            }
            TelemetryEvent::Extension(log) => {
                logs::from_log_event("extension", log, &self.spans, now)
            }
            // This includes variants that are added to `TelemetryEvent` later.
            event => logs::from_unknown(event.json(), &self.spans, now),
        }
    }

    fn emit(&mut self, span: SpanBuilder, now: SystemTime, out: &mut Translated) {
        self.metrics.record_span(&span, now);
        // The metrics count all invocations.
        let trace = span.parent.unwrap_or(span.trace);
        if self
            .sampler
            .is_sampled(trace.array(), TraceSource::Invocation)
        {
            out.spans
                .push(span.build(&self.function, self.urn.as_ref(), now));
        }
    }
}
