//! The forwarder: what an extension makes and calls.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

use fg_extension::{Error, Invocation, Registration, TelemetryCounters, TelemetryEvent};

use crate::config::Config;
use crate::export::{ExportCounters, Exporter, Snapshot};
use crate::translate::{FunctionInfo, Translated, Translator};

/// Turns telemetry into OTLP, and sends it.
///
/// Each method is named after the method of [`Extension`](fg_extension::Extension) or
/// [`TelemetryHandler`](fg_extension::TelemetryHandler) that should call it.
///
/// ```no_run
/// use fg_extension::{Error, Invocation, Registration, TelemetryCounters, TelemetryEvent, extension};
/// use fg_extension_otlp::Forwarder;
///
/// struct OtlpForwarder {
///     forwarder: Forwarder,
/// }
///
/// #[extension(name = "extensionOtlpForwarder.sh", port = 8085)]
/// impl OtlpForwarder {
///     #[init]
///     async fn start(registration: &Registration) -> Result<Self, Error> {
///         Ok(Self {
///             forwarder: Forwarder::init(registration)?,
///         })
///     }
///
///     #[invoke]
///     async fn on_invoke(&self, invocation: Invocation) {
///         self.forwarder.invoke(&invocation).await;
///     }
///
///     #[telemetry(port = 8086, types(platform, function, extension))]
///     async fn on_telemetry(&self, events: Vec<TelemetryEvent>, counters: &TelemetryCounters) {
///         self.forwarder.telemetry(&events, counters).await;
///     }
///
///     #[shutdown]
///     async fn flush(&self) -> Result<(), Error> {
///         self.forwarder.shutdown().await
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Forwarder(
    /// `None` if `OTEL_SDK_DISABLED`.
    Option<Pipeline>,
);

struct Pipeline {
    translator: Arc<Mutex<Translator>>,
    /// Of the subscription, from the first call of `telemetry` on.
    counters: Arc<OnceLock<TelemetryCounters>>,
    exporter: Exporter,
}

impl Forwarder {
    /// Starts a forwarder with the settings of the environment.
    ///
    /// It sends nothing yet, so the collector may be down.
    ///
    /// # Errors
    ///
    /// If a setting whose name begins with `FG_OTLP_` cannot be read, which the error names, or there is no tokio runtime.
    /// A wrong `OTEL_` setting is a line in the log: it may be meant for an SDK inside the function.
    pub fn init(registration: &Registration) -> Result<Self, Error> {
        let Some(config) = Config::read(|name| std::env::var_os(name))? else {
            return Ok(Self(None));
        };
        // These are the function's own (D), so one that cannot be read counts as not set.
        let variable = |name| std::env::var(name).ok();
        let function = FunctionInfo {
            name: registration.function_name.clone(),
            version: registration.function_version.clone(),
            project_id: variable("RUNTIME_PROJECT_ID"),
            memory_mb: variable("RUNTIME_MEMORY").and_then(|memory| memory.trim().parse().ok()),
        };
        let translator = Arc::new(Mutex::new(Translator::new(
            function,
            config.resource.clone(),
            uuid::Uuid::new_v4().to_string(),
            SystemTime::now(),
        )));
        let counters = Arc::new(OnceLock::new());
        let snapshot = {
            let (translator, counters) = (Arc::clone(&translator), Arc::clone(&counters));
            move |export| snapshot(&lock(&translator), counters.get(), export)
        };
        let exporter = Exporter::start(&config, snapshot)?;
        Ok(Self(Some(Pipeline {
            translator,
            counters,
            exporter,
        })))
    }

    /// Records an invocation, and sends what is queued, if it is the time for it (`FG_OTLP_FLUSH`).
    ///
    /// # Cancel safety
    ///
    /// Sending goes on if this is dropped.
    pub async fn invoke(&self, invocation: &Invocation) {
        if let Some(pipeline) = &self.0 {
            lock(&pipeline.translator).record_invocation(invocation);
            pipeline.exporter.record_invocation(SystemTime::now());
            pipeline.exporter.flush_for_invocation().await;
        }
    }

    /// Queues events for export, in the order in which they came; the counters become metrics.
    ///
    /// While the buffer (`FG_OTLP_BUFFER`) is more than half full it waits for the collector, so that what comes too fast
    /// is rejected to the platform instead of dropped here. While the collector is down nobody waits: then the oldest are
    /// dropped, and counted.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped, some of the events may have been queued.
    pub async fn telemetry(&self, events: &[TelemetryEvent], counters: &TelemetryCounters) {
        let Some(pipeline) = &self.0 else {
            return;
        };
        pipeline.counters.get_or_init(|| counters.clone());
        for events in events.chunks(256) {
            pipeline.exporter.wait_for_capacity().await;
            let mut out = Translated::default();
            {
                let (mut translator, now) = (lock(&pipeline.translator), SystemTime::now());
                for event in events {
                    translator.translate(event, now, &mut out);
                }
            }
            pipeline.exporter.enqueue(out.spans, out.log_records);
        }
        // Log lines count towards nothing but our own counters, which wait for other news: a log line of ours about a
        // request that failed shall not cause the next one.
        let is_platform = |event: &TelemetryEvent| matches!(event, TelemetryEvent::Platform(_));
        if events.iter().any(is_platform) {
            pipeline.exporter.metrics_changed();
        }
        // Any event may be the last before a freeze: some log lines come after the report.
        pipeline.exporter.request_flush();
    }

    /// Sends what is left, within three times `FG_OTLP_FLUSH_TIMEOUT`, a second at least; spans whose report has not come
    /// are sent as far as they are known. To be called once.
    ///
    /// # Errors
    ///
    /// If not all of it could be sent; the error says how much was not, and why.
    ///
    /// # Cancel safety
    ///
    /// When this is dropped unfinished nothing more is sent; what is left is lost, and logged.
    pub async fn shutdown(&self) -> Result<(), Error> {
        let Some(pipeline) = &self.0 else {
            return Ok(());
        };
        let mut out = Translated::default();
        lock(&pipeline.translator).finish(SystemTime::now(), &mut out);
        pipeline.exporter.enqueue(out.spans, out.log_records);
        pipeline.exporter.metrics_changed();
        pipeline.exporter.shutdown().await
    }
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipeline").finish_non_exhaustive()
    }
}

/// Returns what goes with a request: who sends it, and the metrics as they are now.
fn snapshot(
    translator: &Translator,
    telemetry: Option<&TelemetryCounters>,
    export: ExportCounters,
) -> Snapshot {
    let ExportCounters {
        exported,
        dropped,
        rejected,
        queued_bytes: _,
    } = export;
    let own = [
        ("fg_extension.otlp.exported.spans", "{span}", exported.spans),
        ("fg_extension.otlp.dropped.spans", "{span}", dropped.spans),
        ("fg_extension.otlp.rejected.spans", "{span}", rejected.spans),
        (
            "fg_extension.otlp.exported.log_records",
            "{log_record}",
            exported.log_records,
        ),
        (
            "fg_extension.otlp.dropped.log_records",
            "{log_record}",
            dropped.log_records,
        ),
        (
            "fg_extension.otlp.rejected.log_records",
            "{log_record}",
            rejected.log_records,
        ),
    ];
    Snapshot {
        resource: translator.resource(),
        scope: Translator::scope(),
        metrics: translator.metrics(telemetry, &own, SystemTime::now()),
    }
}

fn lock(translator: &Mutex<Translator>) -> MutexGuard<'_, Translator> {
    // No event leaves it half changed.
    translator.lock().unwrap_or_else(PoisonError::into_inner)
}
