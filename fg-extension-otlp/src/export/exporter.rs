//! The exporter: what the rest of the crate sees of all this.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use fg_extension::Error;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::Signal;
use super::body::{Snapshot, log_record, span};
use super::buffer::Tally;
use super::report::Line;
use super::send::Sender;
use super::settings::{Settings, off};
use super::state::State;
use super::time::Time;
use super::worker::{Shared, run};

/// Also for whoever lets no invocation wait.
const LEAST_LAST_FLUSH: Duration = Duration::from_secs(1);

/// Sends spans, log records and metrics to collectors, each signal on its own.
///
/// Its tasks end with it.
pub(crate) struct Exporter {
    shared: Arc<Shared>,
    workers: Mutex<JoinSet<()>>,
    flush_timeout: Duration,
}

/// What became of the spans and log records so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Counts {
    pub(crate) exported: Tally,
    /// Because the buffer was full.
    pub(crate) dropped: Tally,
    /// By the collector, for good.
    pub(crate) rejected: Tally,
    /// Encoded, and waiting to be sent or to be confirmed.
    pub(crate) buffered_bytes: usize,
}

impl Exporter {
    /// Starts to export; `snapshot` is asked for each request, and told the counts so far. What is wrong with the
    /// settings gets into the log.
    ///
    /// # Errors
    ///
    /// There is no Tokio runtime.
    pub(crate) fn start(
        settings: &Settings,
        snapshot: impl Fn(Counts) -> Snapshot + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let runtime = Handle::try_current()?;
        let mut lines = settings.lines.clone();
        let senders = Signal::ALL.map(|signal| {
            let target = settings.target(signal)?.clone();
            Sender::new(signal, target)
                .map_err(|error| off(&error).add_to(&mut lines))
                .ok()
        });
        lines.into_iter().for_each(Line::write);
        let endpoints = senders
            .each_ref()
            .map(|sender| sender.as_ref().map(Sender::endpoint));
        let shared = Arc::new(Shared::new(State::new(settings, endpoints), snapshot));
        let mut workers = JoinSet::new();
        for (signal, sender) in Signal::ALL.into_iter().zip(senders) {
            if let Some(sender) = sender {
                workers.spawn_on(run(Arc::clone(&shared), signal, sender), &runtime);
            }
        }
        Ok(Self {
            shared,
            workers: Mutex::new(workers),
            flush_timeout: settings.flush_timeout,
        })
    }

    /// Waits until half of the buffer is free: what comes faster than a collector takes it is better refused at the
    /// door than dropped. Nobody waits for a collector that is known to be down.
    pub(crate) async fn room(&self) {
        let mut progress = self.shared.progress();
        while !self.shared.lock().has_room() {
            self.shared.wake();
            // The other end is ours, so it does not go away.
            if progress.changed().await.is_err() {
                return;
            }
        }
    }

    /// Takes in what is new.
    ///
    /// Never waits: the oldest items make room if there is none.
    pub(crate) fn push(&self, spans: Vec<Span>, log_records: Vec<LogRecord>) {
        let spans: Vec<_> = spans.into_iter().map(span).collect();
        let log_records: Vec<_> = log_records.into_iter().map(log_record).collect();
        let line = {
            let mut state = self.shared.lock();
            let dropped = state.buffer.dropped();
            for item in spans {
                state.push(Signal::Traces, item);
            }
            for item in log_records {
                state.push(Signal::Logs, item);
            }
            state.report_dropped(dropped, Time::now())
        };
        if let Some(line) = line {
            line.write();
        }
        self.shared.wake();
    }

    /// There are metrics that are worth a request.
    pub(crate) fn metrics_changed(&self) {
        self.shared.lock().metrics_changed();
        self.shared.wake();
    }

    /// The function is called; how often that is decides when to flush.
    pub(crate) fn invoked(&self, now: SystemTime) {
        self.shared.lock().rhythm.invoked(now);
        // If this is a thaw, something may be due that no timer has told of.
        self.shared.wake();
    }

    /// Flushes before an invocation is answered, if that is the time for it.
    ///
    /// Returns after `FG_OTLP_FLUSH_TIMEOUT` at the latest, while sending goes on; at once while the collectors are
    /// known to be down or slow.
    pub(crate) async fn flush_for_invocation(&self) {
        let Some(asked) = self.shared.lock().ask() else {
            return;
        };
        self.shared.wake();
        let answered = self.shared.answered(&asked);
        let in_time = tokio::time::timeout(self.flush_timeout, answered).await;
        if in_time.is_err() {
            self.shared.lock().was_late(&asked);
        }
    }

    /// Begins a flush for which nobody waits, unless there is one each interval. What is asked for while a request is
    /// under way is one flush after it.
    pub(crate) fn nudge(&self) {
        self.shared.lock().ask();
        self.shared.wake();
    }

    /// The last flush, with as many tries as three times `FG_OTLP_FLUSH_TIMEOUT`, or a second, has room for: no
    /// invocation waits any more. What was lost so far is told here too, where lines were left out.
    ///
    /// # Errors
    ///
    /// Not everything was exported; the error says what was not, and why.
    pub(crate) async fn shutdown(&self) -> Result<(), Error> {
        let timeout = (self.flush_timeout * 3).max(LEAST_LAST_FLUSH);
        self.shared.lock().close(Time::now() + timeout);
        self.shared.wake();
        let mut workers = {
            let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *workers)
        };
        // The end may be cut short.
        let unfinished = Unfinished(&self.shared);
        let finished = async { while workers.join_next().await.is_some() {} };
        let in_time = tokio::time::timeout(timeout, finished).await;
        if in_time.is_err() {
            workers.shutdown().await;
        }
        std::mem::forget(unfinished);
        let (leftover, lost) = {
            let state = self.shared.lock();
            (state.leftover(), state.lost())
        };
        if let Some(lost) = lost {
            lost.write();
        }
        match leftover {
            None => Ok(()),
            Some(leftover) => Err(format!(
                "not exported within {timeout:?}: {leftover}; FG_OTLP_FLUSH_TIMEOUT gives the last flush more time"
            )
            .into()),
        }
    }

    #[cfg(test)]
    pub(super) fn counts(&self) -> Counts {
        self.shared.lock().counts()
    }
}

/// Tells what is lost if the last flush is dropped.
struct Unfinished<'a>(&'a Shared);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let (leftover, lost) = {
            let state = self.0.lock();
            (state.leftover(), state.lost())
        };
        if let Some(leftover) = leftover {
            Line::Error(format!("the end came before all was exported: {leftover}")).write();
        }
        if let Some(lost) = lost {
            lost.write();
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "so far exported: {}", self.exported)?;
        // Mostly there is nothing of these.
        for (what, tally) in [
            ("dropped for want of room", self.dropped),
            ("rejected", self.rejected),
        ] {
            if tally != Tally::default() {
                write!(f, "; {what}: {tally}")?;
            }
        }
        match self.buffered_bytes {
            0 => Ok(()),
            bytes => write!(f, "; waiting: {bytes} bytes"),
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} spans, {} log records", self.spans, self.log_records)
    }
}
