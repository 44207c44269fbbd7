use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use fg_extension::{Error, Invocation, Registration, TelemetryCounters, TelemetryEvent};

use crate::export::{Counts, Exporter, Settings, Snapshot};
use crate::translate::{Function, Output, Translator};

/// Turns telemetry into OTLP, and sends it. What its methods are for, those of an extension are called.
///
/// ```no_run
/// use fg_extension::{Error, Invocation, Registration, TelemetryEvent, extension};
/// use fg_extension_otlp::Forwarder;
///
/// struct OtlpForwarder(Forwarder);
///
/// #[extension(name = "extensionOtlpForwarder.sh", port = 8085)]
/// impl OtlpForwarder {
///     #[init]
///     async fn start(registration: &Registration) -> Result<Self, Error> {
///         Ok(Self(Forwarder::from_env(registration)?))
///     }
///
///     #[invoke]
///     async fn on_invoke(&self, invocation: Invocation) {
///         self.0.invoke(&invocation).await;
///     }
///
///     #[telemetry(port = 8086, types(platform, function, extension))]
///     async fn on_telemetry(&self, events: Vec<TelemetryEvent>) {
///         self.0.telemetry(&events).await;
///     }
///
///     #[shutdown]
///     async fn flush(&self) -> Result<(), Error> {
///         self.0.shutdown().await
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Forwarder(
    /// Nothing if `OTEL_SDK_DISABLED`.
    Option<Inner>,
);

struct Inner {
    translator: Arc<Mutex<Translator>>,
    exporter: Exporter,
}

impl Forwarder {
    /// One with the settings of the environment; nothing is sent yet, so the collector may be down.
    ///
    /// # Errors
    ///
    /// If a setting whose name begins with `FG_OTLP_` cannot be read, which the error names, or this is no tokio runtime.
    /// A wrong `OTEL_` setting is a line in the log: it may be meant for an SDK inside the function.
    pub fn from_env(registration: &Registration) -> Result<Self, Error> {
        let Some(settings) = Settings::read(|name| std::env::var_os(name))? else {
            return Ok(Self(None));
        };
        // These are the function's own (D), so one that cannot be read is as good as none.
        let variable = |name| std::env::var(name).ok();
        let function = Function {
            name: registration.function_name.clone(),
            version: registration.function_version.clone(),
            project_id: variable("RUNTIME_PROJECT_ID"),
            memory_mb: variable("RUNTIME_MEMORY").and_then(|memory| memory.trim().parse().ok()),
        };
        let translator = Arc::new(Mutex::new(Translator::new(
            function,
            crate::translate::Settings {
                service_name: settings.service_name.clone(),
                resource_attributes: settings.resource_attributes.clone(),
            },
            uuid::Uuid::new_v4().to_string(),
            SystemTime::now(),
        )));
        let telemetry = registration.telemetry.clone();
        let snapshot = {
            let translator = Arc::clone(&translator);
            move |counts| snapshot(&lock(&translator), &telemetry, counts)
        };
        let exporter = Exporter::start(&settings, snapshot)?;
        Ok(Self(Some(Inner {
            translator,
            exporter,
        })))
    }

    /// Learns of an invocation, and sends what there is, if it is the time for it (`FG_OTLP_FLUSH`).
    ///
    /// # Cancel safety
    ///
    /// Sending goes on if this is dropped.
    pub async fn invoke(&self, invocation: &Invocation) {
        if let Some(inner) = &self.0 {
            lock(&inner.translator).invoked(invocation);
            inner.exporter.invoked(SystemTime::now());
            inner.exporter.flush_for_invocation().await;
        }
    }

    /// Takes events in, in the order in which they came.
    ///
    /// While the buffer (`FG_OTLP_BUFFER`) is more than half full it waits for the collector, so that what comes too fast
    /// is refused to the platform instead of dropped here. While the collector is down nobody waits: then the oldest are
    /// dropped, and counted.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped, some of the events may have been taken in.
    pub async fn telemetry(&self, events: &[TelemetryEvent]) {
        let Some(inner) = &self.0 else {
            return;
        };
        for events in events.chunks(256) {
            inner.exporter.room().await;
            let mut out = Output::default();
            {
                let (mut translator, now) = (lock(&inner.translator), SystemTime::now());
                for event in events {
                    translator.event(event, now, &mut out);
                }
            }
            inner.exporter.push(out.spans, out.logs);
        }
        // Log lines count towards nothing but our own counters, which wait for other news: a log line of ours about a
        // request that failed shall not cause the next one.
        let is_platform = |event: &TelemetryEvent| matches!(event, TelemetryEvent::Platform(_));
        if events.iter().any(is_platform) {
            inner.exporter.metrics_changed();
        }
        // Nothing tells which events are the last before a freeze: some log lines come after the report.
        inner.exporter.nudge();
    }

    /// Sends what is left, within three times `FG_OTLP_FLUSH_TIMEOUT`, a second at least; spans whose report has not come
    /// are sent as far as they are known. To be called once.
    ///
    /// # Errors
    ///
    /// If not all of it could be sent; the error says how much was not, and why.
    pub async fn shutdown(&self) -> Result<(), Error> {
        let Some(inner) = &self.0 else {
            return Ok(());
        };
        let mut out = Output::default();
        lock(&inner.translator).finish(SystemTime::now(), &mut out);
        inner.exporter.push(out.spans, out.logs);
        inner.exporter.metrics_changed();
        inner.exporter.shutdown().await
    }
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forwarder").finish_non_exhaustive()
    }
}

/// What goes with a request: who sends it, and the metrics as they are now.
fn snapshot(translator: &Translator, telemetry: &TelemetryCounters, counts: Counts) -> Snapshot {
    let Counts {
        exported,
        dropped,
        rejected,
        buffered_bytes: _,
    } = counts;
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
