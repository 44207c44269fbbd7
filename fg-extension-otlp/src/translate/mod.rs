//! Translates telemetry events into spans, log records, and metrics, without I/O.

mod any_value;
mod bounded_json;
mod enrich;
mod ids;
mod logs;
mod metrics;
mod received;
mod resource;
mod sampler;
mod snake_case;
mod spans;
#[cfg(test)]
mod tests;
mod timestamps;

use std::cell::OnceCell;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use fg_extension::{FunctionUrn, Invocation, LogEvent, PlatformEvent, TelemetryEvent};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;

#[cfg(test)]
pub(crate) use self::any_value::attribute;
use self::bounded_json::is_within_limits;
pub(crate) use self::enrich::enrich;
use self::ids::TraceId;
use self::logs::FINISH;
use self::metrics::FaasMetrics;
pub(crate) use self::metrics::Observation;
pub(crate) use self::resource::SCHEMA_URL;
pub(crate) use self::spans::REORDER_WINDOW as MAX_WAIT;
use self::spans::{Outcome, Phase, SpanBuilder, SpanEnvironment, SpanTracker};
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

/// Locks a translator. Ignores poisoning, because a translator is consistent after every event.
pub(crate) fn lock(translator: &Mutex<Translator>) -> MutexGuard<'_, Translator> {
    translator.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The result of translating events.
#[derive(Debug, Default)]
pub(crate) struct Translated {
    pub(crate) spans: Vec<Span>,
    pub(crate) log_records: Vec<LogRecord>,
    /// Whether a span was counted in the metrics, even if it was not sampled.
    pub(crate) has_counted: bool,
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

    /// Records an invocation and its URN, which contains the region, the project, and the name of the function. Emits
    /// the spans that have waited long enough.
    ///
    /// Ignores an invocation whose ID or URN is much too long, since open invocations are stored.
    pub(crate) fn record_invocation(
        &mut self,
        invocation: &Invocation,
        now: SystemTime,
        out: &mut Translated,
    ) {
        self.emit_complete(now, out);
        self.metrics.record_invocation();
        let id = &invocation.trace_id;
        if id.len().max(invocation.invoked_function_urn.as_str().len()) > MAX_ID_BYTES {
            return;
        }
        self.urn = Some(invocation.invoked_function_urn.clone());
        self.spans.record_invocation(invocation, now);
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
        self.emit_complete(now, out);
    }

    /// Emits all spans that are complete, or have waited long enough for events that are missing.
    pub(crate) fn emit_complete(&mut self, now: SystemTime, out: &mut Translated) {
        for span in self.spans.close_complete(now) {
            self.emit(span, now, out);
        }
    }

    /// Returns when to call [`emit_complete`](Self::emit_complete) if no event arrives before then.
    pub(crate) fn next_deadline(&self) -> Option<SystemTime> {
        self.spans.next_deadline()
    }

    /// Emits all incomplete spans, at shutdown.
    pub(crate) fn finish(&mut self, now: SystemTime, out: &mut Translated) {
        for span in self.spans.close_all(now) {
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
        let known = Phase::of(event.kind()).and_then(|(phase, stage)| {
            let key = self
                .spans
                .resolve((phase, stage), event, &self.instance_id)?;
            Some((key, stage))
        });
        // A span stores the fields of its events.
        let known = known.filter(|_| is_within_limits(event.json()));
        let Some((key, stage)) = known else {
            let mut log = logs::from_platform_event(event, &self.spans, now);
            self.bind(&mut log);
            out.log_records.push(log);
            return;
        };
        if self.spans.is_run_emitted(key) {
            let Some(late) = self.spans.record_late_event(key, stage, event) else {
                return;
            };
            if key.phase == Phase::Invocation {
                let metrics = event.metrics();
                let memory = metrics.and_then(|metrics| metrics.max_memory_used_mb());
                self.metrics.record_memory(memory, now);
                let init = metrics.and_then(|metrics| metrics.init_duration_ms());
                let init = init.filter(|_| !late.has_init);
                let init = init.and_then(spans::from_millis);
                self.metrics.record_init_duration(init, now);
            }
            if key.phase == Phase::Invocation && (late.is_end || late.outcome.is_some()) {
                let (outcome, error_type) = (Outcome::of(event), spans::error_type(event));
                self.metrics.record_end(outcome, error_type.as_deref(), now);
            }
            if let Some(outcome) = late.outcome {
                let mut log = logs::from_late_event(event, key.trace, outcome, &self.spans, now);
                let context = self.spans.context(key);
                (log.trace_id, log.span_id) = (context.trace_id, context.span_id);
                out.log_records.push(log);
            }
            return;
        }
        if key.phase == Phase::Init && !self.spans.knows_run(key) && self.spans.count_init() {
            self.metrics.record_cold_start(now);
        }
        for span in self.spans.record_event(key, stage, event, now) {
            self.emit(span, now, out);
        }
    }

    fn log_record(&mut self, event: &TelemetryEvent, now: SystemTime) -> LogRecord {
        let (mut log, named_trace) = match event {
            TelemetryEvent::Function(log) => {
                self.record_finish(log);
                logs::from_log_event("function", log, &self.spans, now)
            }
            TelemetryEvent::Extension(log) => {
                logs::from_log_event("extension", log, &self.spans, now)
            }
            // This includes variants that are added to `TelemetryEvent` later.
            event => logs::from_unknown(event.json(), &self.spans, now),
        };
        // An extension has its own traces.
        let is_function = matches!(event, TelemetryEvent::Function(_));
        if let Some(named) = named_trace.filter(|_| is_function) {
            self.join_trace_of_line(&named, &log);
        }
        self.bind(&mut log);
        log
    }

    /// Records the duration of an invocation, if the line contains it.
    fn record_finish(&mut self, log: &LogEvent) {
        // Most lines need not be decoded twice.
        if log.record_json().is_none_or(|json| !json.contains(FINISH)) {
            return;
        }
        if let Some((id, duration)) = logs::finished_invocation(&log.text()) {
            self.spans.record_finish(TraceId::of(id), duration);
        }
    }

    fn emit(&mut self, span: SpanBuilder, now: SystemTime, out: &mut Translated) {
        if span.phase == Phase::Invocation && self.spans.count_invocation(&span) {
            self.metrics.record_cold_start(now);
        }
        self.metrics.record_span(&span, now);
        out.has_counted = true;
        // The metrics count all invocations.
        let (trace, source) = match span.parent {
            Some(parent) => self.spans.trace(parent),
            None => (span.trace_id(), span.trace_source()),
        };
        if !self.sampler.is_sampled(trace, source) {
            return;
        }
        let environment = SpanEnvironment {
            function: &self.function,
            urn: self.urn.as_ref(),
            trigger: self.resource.trigger,
            parent: span.parent.map(|parent| self.spans.context(parent)),
        };
        out.spans.push(span.build(environment, now));
    }
}
