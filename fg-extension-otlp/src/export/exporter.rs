//! The exporter: what the rest of the crate sees of all this.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use fg_extension::Error;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::client::OtlpClient;
use super::clock::FreezeAwareInstant;
use super::counters::ExportCounters;
use super::request::{Snapshot, encode_log_record, encode_span};
use super::scheduler::Scheduler;
use super::worker::{ExporterInner, run};
use crate::config::{Config, signals_are_off};
use crate::diagnostic::Diagnostic;
use crate::signal::Signal;

/// Also for whoever lets no invocation wait.
const MIN_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);

/// Sends spans, log records and metrics to collectors, each signal on its own.
///
/// Its tasks end with it.
pub(crate) struct Exporter {
    inner: Arc<ExporterInner>,
    workers: Mutex<JoinSet<()>>,
    flush_timeout: Duration,
}

impl Exporter {
    /// Starts to export; `snapshot` is called for each request, with the counters so far. What is wrong with the
    /// settings gets into the log.
    ///
    /// # Errors
    ///
    /// There is no Tokio runtime.
    pub(crate) fn start(
        config: &Config,
        snapshot: impl Fn(ExportCounters) -> Snapshot + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let runtime = Handle::try_current()?;
        let mut diagnostics = config.diagnostics.clone();
        let clients = Signal::ALL.map(|signal| {
            let config = config.signal(signal)?.clone();
            OtlpClient::new(signal, config)
                .map_err(|error| signals_are_off(&error).add_to(&mut diagnostics))
                .ok()
        });
        diagnostics.into_iter().for_each(Diagnostic::log);
        let endpoints = clients
            .each_ref()
            .map(|client| client.as_ref().map(OtlpClient::endpoint));
        let state = Scheduler::new(config, endpoints, FreezeAwareInstant::now());
        let inner = Arc::new(ExporterInner::new(state, snapshot));
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
        })
    }

    /// Waits until half of the queue is free: what comes faster than a collector accepts it is better rejected by the
    /// telemetry server than dropped here. Nobody waits for a collector that is known to be down.
    pub(crate) async fn wait_for_capacity(&self) {
        let mut progress = self.inner.progress();
        while !self.inner.lock().has_capacity() {
            self.inner.wake_workers();
            // The other end is ours, so it does not go away.
            if progress.changed().await.is_err() {
                return;
            }
        }
    }

    /// Queues what is new.
    ///
    /// Never waits: the oldest items make room if there is none.
    pub(crate) fn enqueue(&self, spans: Vec<Span>, log_records: Vec<LogRecord>) {
        let spans: Vec<_> = spans.into_iter().map(encode_span).collect();
        let log_records: Vec<_> = log_records.into_iter().map(encode_log_record).collect();
        let line = {
            let mut state = self.inner.lock();
            let dropped = state.queue.dropped();
            for item in spans {
                state.enqueue(Signal::Traces, item);
            }
            for item in log_records {
                state.enqueue(Signal::Logs, item);
            }
            state.report_dropped(dropped, FreezeAwareInstant::now())
        };
        if let Some(line) = line {
            line.log();
        }
        self.inner.wake_workers();
    }

    /// There are metrics that are worth a request.
    pub(crate) fn metrics_changed(&self) {
        self.inner.lock().metrics_changed();
        self.inner.wake_workers();
    }

    /// Records an invocation; how often they come decides when to flush.
    pub(crate) fn record_invocation(&self, now: SystemTime) {
        self.inner.lock().flush_policy.record_invocation(now);
        // If this is a thaw, something may be due for which no timer has fired.
        self.inner.wake_workers();
    }

    /// Flushes before an invocation is answered, if that is the time for it.
    ///
    /// Returns after `FG_OTLP_FLUSH_TIMEOUT` at the latest, while sending goes on; at once while the collectors are
    /// known to be down or slow.
    pub(crate) async fn flush_for_invocation(&self) {
        let Some(flush) = self.inner.lock().request_flush() else {
            return;
        };
        self.inner.wake_workers();
        let completed = self.inner.completed(&flush);
        let in_time = tokio::time::timeout(self.flush_timeout, completed).await;
        if in_time.is_err() {
            self.inner.lock().record_timeout(&flush);
        }
    }

    /// Requests a flush for which nobody waits, unless there is one each interval. What is requested while a request is
    /// under way is one flush after it.
    pub(crate) fn request_flush(&self) {
        self.inner.lock().request_flush();
        self.inner.wake_workers();
    }

    /// The last flush, with as many tries as three times `FG_OTLP_FLUSH_TIMEOUT`, or a second, has room for: no
    /// invocation waits any more. What was lost so far is reported here too, where lines were left out.
    ///
    /// # Errors
    ///
    /// Not everything was exported; the error says what was not, and why.
    pub(crate) async fn shutdown(&self) -> Result<(), Error> {
        let timeout = (self.flush_timeout * 3).max(MIN_SHUTDOWN_TIMEOUT);
        self.inner
            .lock()
            .begin_shutdown(FreezeAwareInstant::now() + timeout);
        self.inner.wake_workers();
        let mut workers = {
            let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *workers)
        };
        let unfinished = UnfinishedShutdown(&self.inner);
        let finished = async { while workers.join_next().await.is_some() {} };
        let in_time = tokio::time::timeout(timeout, finished).await;
        if in_time.is_err() {
            workers.shutdown().await;
        }
        std::mem::forget(unfinished);
        let (outstanding, lost) = {
            let state = self.inner.lock();
            (state.describe_outstanding(), state.report_lost())
        };
        if let Some(lost) = lost {
            lost.log();
        }
        match outstanding {
            None => Ok(()),
            Some(outstanding) => Err(format!(
                "not exported within {timeout:?}: {outstanding}; FG_OTLP_FLUSH_TIMEOUT gives the last flush more time"
            )
            .into()),
        }
    }

    #[cfg(test)]
    pub(super) fn counters(&self) -> ExportCounters {
        self.inner.lock().counters()
    }
}

/// Reports what is lost if the shutdown is dropped before it has finished.
struct UnfinishedShutdown<'a>(&'a ExporterInner);

impl Drop for UnfinishedShutdown<'_> {
    fn drop(&mut self) {
        let (outstanding, lost) = {
            let state = self.0.lock();
            (state.describe_outstanding(), state.report_lost())
        };
        if let Some(outstanding) = outstanding {
            let message = format!("the shutdown ended before all was exported: {outstanding}");
            Diagnostic::Error(message).log();
        }
        if let Some(lost) = lost {
            lost.log();
        }
    }
}
