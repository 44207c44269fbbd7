//! [`Forwarder`], the public API: connects the translator to the exporter.

use std::net::TcpListener;
use std::sync::{Arc, Mutex, Once, OnceLock};
use std::time::SystemTime;

use fg_extension::{Error, Invocation, Registration, TelemetryCounters, TelemetryEvent};

use crate::config::Config;
use crate::diagnostic::Diagnostic;
use crate::export::{Exporter, Snapshot, SnapshotRequest};
use crate::overdue::OverdueSpans;
use crate::own_metrics::own_metrics;
use crate::receiver::{self, Pipe, Receiver};
use crate::translate::{FunctionInfo, SCHEMA_URL, Translated, Translator, lock};
use crate::turn::Turn;

/// A forwarder that translates telemetry into OTLP and sends it to a collector.
///
/// Each method is named after the method of [`Extension`](fg_extension::Extension) or
/// [`TelemetryHandler`](fg_extension::TelemetryHandler) that should call it.
///
/// The [crate-level documentation](crate) has an example.
#[derive(Debug)]
pub struct Forwarder(
    /// `None` if `OTEL_SDK_DISABLED` is `true`.
    Option<Pipeline>,
);

/// The parts of a forwarder that is not disabled.
struct Pipeline {
    translator: Arc<Mutex<Translator>>,
    /// The counters of the subscription, once `telemetry` has been called.
    counters: Arc<OnceLock<TelemetryCounters>>,
    exporter: Arc<Exporter>,
    /// Completed when the metrics were requested for the first time.
    first_metrics: Once,
    /// `None` if the receiver is off, or its address is in use.
    receiver: Option<Receiver>,
    overdue: OverdueSpans,
}

impl Forwarder {
    /// Creates a forwarder with the settings from the environment.
    ///
    /// This does not connect to the collector, which may be down.
    ///
    /// # Errors
    ///
    /// Returns an error if a setting whose name starts with `FG_OTLP_` or a `${secret:…}` in a header is invalid, or if there
    /// is no Tokio runtime. Any other invalid `OTEL_` setting is only logged, because it may be meant for an SDK inside the
    /// function.
    pub fn init(registration: &Registration) -> Result<Self, Error> {
        let Some(mut config) = Config::read(fg_extension::setting)? else {
            return Ok(Self(None));
        };
        let listener = bind_receiver(&mut config);
        // These variables describe the function (D). They are optional, so an invalid one is ignored.
        let variable = |name| std::env::var(name).ok();
        let function = FunctionInfo {
            name: registration.function_name.clone(),
            version: registration.function_version.clone(),
            project_id: variable("RUNTIME_PROJECT_ID"),
            memory_mb: variable("RUNTIME_MEMORY").and_then(|memory| memory.trim().parse().ok()),
        };
        let translator = Translator::new(
            function,
            config.resource.clone(),
            uuid::Uuid::new_v4().to_string(),
            SystemTime::now(),
        );
        let translator = Arc::new(Mutex::new(translator.with_sdk(config.sdk.clone())));
        let counters = Arc::new(OnceLock::new());
        let snapshot = {
            let (translator, counters) = (Arc::clone(&translator), Arc::clone(&counters));
            let has_own_metrics = config.own_metrics;
            move |request: SnapshotRequest| {
                let own = match has_own_metrics {
                    true => own_metrics(counters.get(), &request.counters),
                    false => Vec::new(),
                };
                let mut translator = lock(&translator);
                let collect = |previous| translator.metrics(previous, &own, SystemTime::now());
                let metrics = request.metrics.map(collect);
                Snapshot {
                    resource: translator.resource(),
                    scope: Translator::scope(),
                    schema_url: SCHEMA_URL,
                    metrics: metrics.unwrap_or_default(),
                }
            }
        };
        let exporter = Arc::new(Exporter::start(&config, snapshot)?);
        // Only an invocation contains the region and the account of the function, which are part of the resource.
        exporter.hold_until_invocation();
        let mut pipeline = Pipeline::start(translator, counters, exporter)?;
        pipeline.receiver = match listener {
            Some(listener) => Some(Receiver::start(listener, pipeline.pipe(config.buffer))?),
            None => None,
        };
        Ok(Self(Some(pipeline)))
    }

    /// Records an invocation and, depending on `FG_OTLP_FLUSH`, waits until queued data has been sent, for at most
    /// `FG_OTLP_FLUSH_TIMEOUT`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, data is still sent in the background.
    pub async fn invoke(&self, invocation: &Invocation) {
        if let Some(pipeline) = &self.0 {
            let mut out = Translated::default();
            lock(&pipeline.translator).record_invocation(invocation, SystemTime::now(), &mut out);
            emit(&pipeline.exporter, out);
            pipeline.overdue.update();
            pipeline.exporter.record_invocation(SystemTime::now());
            pipeline.exporter.flush_for_invocation().await;
            // The first request with metrics says that the counters were zero. It does not delay the invocation.
            pipeline.first_metrics.call_once(|| {
                pipeline.exporter.metrics_changed();
                pipeline.exporter.request_flush();
            });
        }
    }

    /// Queues events for export, in order of arrival, and exports the counters as metrics.
    ///
    /// While the buffer (`FG_OTLP_BUFFER`) is more than half full, this waits for the collector. The platform then
    /// retries batches that do not fit, instead of the forwarder dropping their events. While the collector is down,
    /// this does not wait: the oldest data is dropped and counted.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, some of the events may have been queued.
    pub async fn telemetry(&self, events: &[TelemetryEvent], counters: &TelemetryCounters) {
        let Some(pipeline) = &self.0 else {
            return;
        };
        pipeline.counters.get_or_init(|| counters.clone());
        // Only once: if the runtime calls again with the same events because this takes too long, none has been queued yet.
        pipeline.exporter.wait_for_capacity().await;
        let mut turn = Turn::start();
        let mut has_counted = false;
        for event in events {
            turn.yield_before(event.json().len()).await;
            // One event at a time: what is translated takes much more memory than what is queued.
            let mut out = Translated::default();
            lock(&pipeline.translator).translate(event, SystemTime::now(), &mut out);
            has_counted |= out.has_counted;
            pipeline.exporter.enqueue(out.spans, out.log_records);
        }
        // Most logs change only our own counters. They do not cause a request: otherwise our log line about a failed request
        // would cause the next request.
        let is_platform = |event: &TelemetryEvent| matches!(event, TelemetryEvent::Platform(_));
        if has_counted || events.iter().any(is_platform) {
            pipeline.exporter.metrics_changed();
            pipeline.overdue.update();
        }
        // Any event can be the last one before a freeze, since some log lines arrive after the report.
        pipeline.exporter.request_flush();
    }

    /// Sends all queued data, including spans whose `report` has not arrived. Call this once.
    ///
    /// Takes at most three times `FG_OTLP_FLUSH_TIMEOUT`, or one second if that is longer, after the receiver has been
    /// closed, which takes at most 200 ms.
    ///
    /// # Errors
    ///
    /// Returns an error if some data could not be sent, including what was dropped before because the buffer was full.
    /// The message contains how much, and why.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it completes, nothing more is sent. The remaining data is lost, and this is
    /// logged.
    pub async fn shutdown(&self) -> Result<(), Error> {
        let Some(pipeline) = &self.0 else {
            return Ok(());
        };
        if let Some(receiver) = &pipeline.receiver {
            receiver.shutdown().await;
        }
        pipeline.overdue.stop().await;
        let mut out = Translated::default();
        lock(&pipeline.translator).finish(SystemTime::now(), &mut out);
        pipeline.exporter.enqueue(out.spans, out.log_records);
        pipeline.exporter.metrics_changed();
        pipeline.exporter.shutdown().await
    }
}

impl Pipeline {
    /// Starts the task that emits spans whose missing events do not arrive.
    fn start(
        translator: Arc<Mutex<Translator>>,
        counters: Arc<OnceLock<TelemetryCounters>>,
        exporter: Arc<Exporter>,
    ) -> Result<Self, Error> {
        let emit = {
            let exporter = Arc::clone(&exporter);
            move |out| {
                emit(&exporter, out);
                exporter.request_flush();
            }
        };
        let overdue = OverdueSpans::start(Arc::clone(&translator), emit)?;
        Ok(Self {
            translator,
            counters,
            exporter,
            first_metrics: Once::new(),
            overdue,
            receiver: None,
        })
    }

    /// Returns where received data goes.
    fn pipe(&self, buffer: usize) -> Pipe {
        Pipe {
            translator: Arc::clone(&self.translator),
            exporter: Arc::clone(&self.exporter),
            buffer,
        }
    }
}

/// Queues spans that have waited long enough for events, and records that they have changed the metrics.
fn emit(exporter: &Exporter, out: Translated) {
    if out.has_counted {
        exporter.enqueue(out.spans, out.log_records);
        exporter.metrics_changed();
    }
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipeline").finish_non_exhaustive()
    }
}

/// Binds the address of the receiver, and disables the signals that would be sent to it.
///
/// If the address is in use, such as by a collector on a developer's machine or by another extension, this only logs a
/// warning.
fn bind_receiver(config: &mut Config) -> Option<TcpListener> {
    let address = config.receiver?;
    match receiver::bind(address) {
        Ok(listener) => {
            config.disable_own_endpoints(address);
            Some(listener)
        }
        Err(error) => {
            let message = format!(
                "cannot receive the function's own telemetry at {address}: {error}; \
                 set FG_OTLP_RECEIVER to another address or to `off`"
            );
            config.diagnostics.push(Diagnostic::Warning(message));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use opentelemetry_proto::tonic::metrics::v1::Metric;
    use tokio::task::yield_now;

    use super::*;
    use crate::export::tests::collector::Collector;

    fn forwarder(config: &Config) -> Forwarder {
        let translator = Translator::new(
            FunctionInfo::default(),
            config.resource.clone(),
            "instance".to_owned(),
            SystemTime::now(),
        );
        let translator = translator.with_sdk(config.sdk.clone());
        let snapshot = |request: SnapshotRequest| Snapshot {
            metrics: request
                .metrics
                .map(|_| Metric::default())
                .into_iter()
                .collect(),
            ..Snapshot::default()
        };
        let exporter = Exporter::start(config, snapshot).unwrap();
        let pipeline = Pipeline::start(
            Arc::new(Mutex::new(translator)),
            Arc::default(),
            Arc::new(exporter),
        );
        Forwarder(Some(pipeline.unwrap()))
    }

    #[tokio::test]
    async fn other_tasks_run_while_a_large_batch_is_translated() {
        let config = Config::from_variables(|name| match name {
            "FG_OTLP_BUFFER" => Some("1GiB"),
            "OTEL_EXPORTER_OTLP_ENDPOINT" => Some("http://127.0.0.1:1"),
            _ => None,
        });
        let forwarder = forwarder(&config.unwrap().unwrap());
        let log = r#"{"type": "function", "record": "a"}"#;
        let events = vec![serde_json::from_str::<TelemetryEvent>(log).unwrap(); 50_000];
        let turns = Cell::new(0);
        let other = async {
            loop {
                turns.set(turns.get() + 1);
                yield_now().await;
            }
        };
        let counters = TelemetryCounters::default();
        tokio::select! {
            biased;
            () = forwarder.telemetry(&events, &counters) => {}
            () = other => {}
        }
        assert!(turns.get() > 2, "{}", turns.get());
    }

    #[tokio::test]
    async fn invocation_without_a_report_is_sent_without_another_event() {
        let mut collector = Collector::start().await;
        let endpoint = format!("http://{}", collector.address);
        let config = Config::from_variables(|name| match name {
            "FG_OTLP_ENDPOINT" => Some(endpoint.as_str()),
            _ => None,
        });
        let forwarder = forwarder(&config.unwrap().unwrap());
        let event = |name| {
            let event = format!(r#"{{"name": "platform.{name}", "traceId": "1"}}"#);
            serde_json::from_str::<TelemetryEvent>(&event).unwrap()
        };
        let events = ["start", "runtimeDone"].map(event);
        let counters = TelemetryCounters::default();
        forwarder.telemetry(&events, &counters).await;
        let spans = loop {
            let request = collector.received().await;
            if request.path == "/v1/traces" {
                break request.names();
            }
        };
        assert_eq!(spans, ["function"]);
        forwarder.shutdown().await.unwrap();
    }

    #[tokio::test]
    async fn invocation_that_is_not_sampled_is_counted_without_another_event() {
        let mut collector = Collector::start().await;
        let endpoint = format!("http://{}", collector.address);
        let config = Config::from_variables(|name| match name {
            "FG_OTLP_ENDPOINT" => Some(endpoint.as_str()),
            "OTEL_TRACES_SAMPLER" => Some("always_off"),
            _ => None,
        });
        let forwarder = forwarder(&config.unwrap().unwrap());
        let done = r#"{"name": "platform.runtimeDone", "traceId": "1"}"#;
        let events = [serde_json::from_str::<TelemetryEvent>(done).unwrap()];
        let counters = TelemetryCounters::default();
        forwarder.telemetry(&events, &counters).await;
        // After the event, and when its span has waited long enough for a report.
        for _ in 0..2 {
            let request = tokio::time::timeout(Duration::from_secs(20), collector.received());
            assert_eq!(request.await.unwrap().path, "/v1/metrics");
        }
        forwarder.shutdown().await.unwrap();
    }
}
