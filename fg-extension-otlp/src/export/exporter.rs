//! [`Exporter`], the interface of this module: queues data, flushes, and shuts down.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use fg_extension::Error;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::client::OtlpClient;
use super::clock::{FreezeAwareInstant, TimeLimit};
use super::hold::Hold;
use super::queue::Item;
use super::received::{ReceivedPart, ReceivedRequest};
use super::request::{Snapshot, SnapshotRequest, encode_log_record, encode_span};
use super::scheduler::Scheduler;
use super::secrets::Secrets;
use super::worker::{ExporterInner, run};
use crate::config::{AttributeLimits, Config, signals_disabled};
use crate::diagnostic::Diagnostic;
use crate::signal::Signal;
use crate::turn::Turn;

/// The minimum timeout of the shutdown, even if `FG_OTLP_FLUSH_TIMEOUT` is zero.
const MIN_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);
/// How long before the end of that time the last attempt starts.
const LAST_ATTEMPT: Duration = Duration::from_millis(250);

/// Sends spans, log records, and metrics to collectors, with an independent task for each signal.
///
/// Dropping the exporter aborts its tasks.
pub(crate) struct Exporter {
    inner: Arc<ExporterInner>,
    workers: Mutex<JoinSet<()>>,
    flush_timeout: Duration,
    span_limits: AttributeLimits,
    log_limits: AttributeLimits,
}

impl Exporter {
    /// Starts the tasks and logs the problems with the settings. `snapshot` is called for each request, with the
    /// current counters.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no Tokio runtime.
    pub(crate) fn start(
        config: &Config,
        snapshot: impl Fn(SnapshotRequest) -> Snapshot + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let runtime = Handle::try_current()?;
        let mut diagnostics = config.diagnostics.clone();
        let secrets = config.secrets.as_ref().map(|secrets| {
            let signals = Signal::ALL.into_iter().filter_map(|it| config.signal(it));
            Secrets::new(secrets, signals.flat_map(|signal| &signal.secret_headers))
        });
        let clients = Signal::ALL.map(|signal| {
            let config = config.signal(signal)?.clone();
            let client = OtlpClient::new(signal, config, &mut diagnostics)
                .map_err(|error| signals_disabled(&error).add_to(&mut diagnostics))
                .ok()?;
            Some(match &secrets {
                Some(secrets) => client.with_secrets(secrets),
                None => client,
            })
        });
        diagnostics.into_iter().for_each(Diagnostic::log);
        let endpoints = clients
            .each_ref()
            .map(|client| client.as_ref().map(OtlpClient::endpoint));
        let scheduler = Scheduler::new(config, endpoints, FreezeAwareInstant::now());
        let inner = Arc::new(ExporterInner::new(scheduler, snapshot));
        let mut workers = JoinSet::new();
        for (signal, client) in Signal::ALL.into_iter().zip(clients) {
            if let Some(client) = client {
                workers.spawn_on(run(Arc::clone(&inner), signal, client), &runtime);
            }
        }
        Ok(Self {
            inner,
            workers: Mutex::new(workers),
            flush_timeout: config.flush_timeout,
            span_limits: config.sdk.span_limits,
            log_limits: config.sdk.log_limits,
        })
    }

    /// Sends nothing before the first invocation is recorded, unless it does not come for long, much data waits, or the
    /// shutdown begins.
    pub(crate) fn hold_until_invocation(&self) {
        self.inner.lock().hold = Some(Hold::new());
    }

    /// Waits until half of the queue is free.
    ///
    /// If telemetry arrives faster than the collector accepts it, this wait makes the telemetry server reject batches,
    /// which the platform can retry. Without it, items would be dropped here. Returns at once while the collector is
    /// known to be down.
    pub(crate) async fn wait_for_capacity(&self) {
        if self.inner.lock().has_capacity() {
            return;
        }
        let mut progress = self.inner.progress();
        while !self.inner.lock().has_capacity() {
            self.inner.wake_workers();
            // Never fails, because `inner` owns the sender.
            if progress.changed().await.is_err() {
                return;
            }
        }
    }

    /// Queues our own spans and log records.
    ///
    /// This never waits: if the queue is full, the oldest items are dropped.
    pub(crate) fn enqueue(&self, mut spans: Vec<Span>, mut log_records: Vec<LogRecord>) {
        for span in &mut spans {
            span.dropped_attributes_count += self.span_limits.apply(&mut span.attributes);
        }
        for log in &mut log_records {
            log.dropped_attributes_count += self.log_limits.apply(&mut log.attributes);
        }
        // Encoded before the lock is taken, one item at a time.
        let spans = spans.into_iter();
        let spans = spans.map(|it| (Signal::Traces, encode_span(it)));
        let logs = log_records.into_iter();
        let logs = logs.map(|it| (Signal::Logs, encode_log_record(it)));
        self.enqueue_items(spans.chain(logs));
    }

    /// Queues received data, like [`enqueue`](Self::enqueue).
    pub(crate) async fn enqueue_received(&self, request: ReceivedRequest) {
        let mut turn = Turn::start();
        for data in request.into_data() {
            let signal = data.signal();
            let (resource, parts) = data.into_parts();
            for part in parts {
                turn.yield_before(0).await;
                let item = Item::received(ReceivedPart::new(resource.clone(), &part));
                self.enqueue_items([(signal, item)].into_iter());
            }
        }
    }

    /// Returns whether the signal is exported.
    pub(crate) fn is_on(&self, signal: Signal) -> bool {
        self.inner.lock().is_on(signal)
    }

    fn enqueue_items(&self, items: impl Iterator<Item = (Signal, Item)>) {
        let mut is_empty = true;
        for (signal, item) in items {
            is_empty = false;
            let line = {
                let mut scheduler = self.inner.lock();
                let dropped = scheduler.queue.dropped();
                scheduler.enqueue(signal, item);
                (scheduler.queue.dropped() != dropped)
                    .then(|| scheduler.report_dropped(FreezeAwareInstant::now()))
                    .flatten()
            };
            if let Some(line) = line {
                line.log();
            }
        }
        if !is_empty {
            self.inner.wake_workers();
        }
    }

    /// Records that the metrics have changed, so that they are sent with the next flush.
    pub(crate) fn metrics_changed(&self) {
        self.inner.lock().metrics_changed();
        self.inner.wake_workers();
    }

    /// Records an invocation for the flush policy.
    pub(crate) fn record_invocation(&self, now: SystemTime) {
        {
            let mut scheduler = self.inner.lock();
            scheduler.flush_policy.record_invocation(now);
            scheduler.hold = None;
        }
        // If the process was just thawed, something may be due although its timer has not fired.
        self.inner.wake_workers();
    }

    /// Flushes before the response to an invocation, if the flush policy says so.
    ///
    /// Returns after at most `FG_OTLP_FLUSH_TIMEOUT`, and at once while the collectors are known to be down or slow. In
    /// both cases, sending continues in the background.
    pub(crate) async fn flush_for_invocation(&self) {
        let Some(flush) = self.inner.lock().request_flush() else {
            return;
        };
        self.inner.wake_workers();
        let completed = self.inner.completed(&flush);
        let in_time = TimeLimit::new(self.flush_timeout).wait(completed).await;
        if in_time.is_none() {
            self.inner.lock().record_timeout(&flush);
        }
    }

    /// Requests a flush in the background, if the flush policy says so. All flushes that are requested while a request
    /// is in flight are combined into one after it.
    pub(crate) fn request_flush(&self) {
        self.inner.lock().request_flush();
        self.inner.wake_workers();
    }

    /// Flushes for the last time, and retries for three times `FG_OTLP_FLUSH_TIMEOUT` or one second, whichever is
    /// longer. The last attempt starts shortly before the end of that time.
    ///
    /// Also logs how much was dropped or rejected so far, because the throttle may have suppressed earlier lines.
    ///
    /// # Errors
    ///
    /// Returns an error if some data was not exported, including what was dropped before. The message contains how
    /// much, and why.
    pub(crate) async fn shutdown(&self) -> Result<(), Error> {
        let timeout = (self.flush_timeout * 3).max(MIN_SHUTDOWN_TIMEOUT);
        self.inner.lock().begin_shutdown(timeout);
        self.inner.wake_workers();
        let mut workers = {
            let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *workers)
        };
        let unfinished = UnfinishedShutdown(&self.inner);
        if !self.finish(&mut workers, timeout).await {
            workers.shutdown().await;
        }
        std::mem::forget(unfinished);
        let (outstanding, rejected, lost, dropped) = {
            let scheduler = self.inner.lock();
            (
                scheduler.describe_outstanding(),
                scheduler.describe_rejected(),
                scheduler.report_lost(),
                scheduler.counters().dropped,
            )
        };
        if let Some(lost) = lost {
            lost.log();
        }
        let outstanding = outstanding.map(|outstanding| {
            format!(
                "not exported within {timeout:?}: {outstanding}; \
                 increase FG_OTLP_FLUSH_TIMEOUT if the collector needs more time"
            )
        });
        let dropped = (!dropped.is_zero()).then(|| {
            format!("dropped because the buffer was full: {dropped}; increase FG_OTLP_BUFFER")
        });
        let problems = [outstanding, dropped, rejected];
        let problems: Vec<String> = problems.into_iter().flatten().collect();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems.join("; ").into())
        }
    }

    /// Waits until the workers have finished. Returns `false` on timeout.
    async fn finish(&self, workers: &mut JoinSet<()>, timeout: Duration) -> bool {
        let mut finished = pin!(async { while workers.join_next().await.is_some() {} });
        let mut retries = TimeLimit::new(timeout - LAST_ATTEMPT);
        if retries.wait(finished.as_mut()).await.is_some() {
            return true;
        }
        self.inner.lock().begin_last_attempt();
        self.inner.wake_workers();
        TimeLimit::new(LAST_ATTEMPT).wait(finished).await.is_some()
    }

    #[cfg(test)]
    pub(super) fn counters(&self) -> super::counters::ExportCounters {
        self.inner.lock().counters()
    }
}

/// A guard that logs what is lost if the future of the shutdown is dropped before it completes.
struct UnfinishedShutdown<'a>(&'a ExporterInner);

impl Drop for UnfinishedShutdown<'_> {
    fn drop(&mut self) {
        let (outstanding, lost) = {
            let scheduler = self.0.lock();
            (scheduler.describe_outstanding(), scheduler.report_lost())
        };
        if let Some(outstanding) = outstanding {
            let message =
                format!("the shutdown was canceled before all data was exported: {outstanding}");
            Diagnostic::Error(message).log();
        }
        if let Some(lost) = lost {
            lost.log();
        }
    }
}
