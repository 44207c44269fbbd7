//! The worker task that sends one signal.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use super::client::OtlpClient;
use super::clock::FreezeAwareInstant;
use super::counters::ExportCounters;
use super::request::{Snapshot, encode_request};
use super::scheduler::{Action, AfterRequest, PendingFlush, Scheduler};
use crate::signal::Signal;

/// The state that the exporter and its workers share.
pub(super) struct ExporterInner {
    scheduler: Mutex<Scheduler>,
    snapshot: Box<dyn Fn(ExportCounters) -> Snapshot + Send + Sync>,
    wake: [Notify; Signal::ALL.len()],
    /// Notifies the tasks that wait for a flush whenever a worker has made progress.
    progress: watch::Sender<()>,
}

impl ExporterInner {
    pub(super) fn new(
        scheduler: Scheduler,
        snapshot: impl Fn(ExportCounters) -> Snapshot + Send + Sync + 'static,
    ) -> Self {
        Self {
            scheduler: Mutex::new(scheduler),
            snapshot: Box::new(snapshot),
            wake: Default::default(),
            progress: watch::Sender::new(()),
        }
    }

    /// Locks the scheduler. Ignores poisoning, because its state is always consistent.
    pub(super) fn lock(&self) -> MutexGuard<'_, Scheduler> {
        self.scheduler
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the workers, so that they ask the scheduler again.
    pub(super) fn wake_workers(&self) {
        for wake in &self.wake {
            wake.notify_one();
        }
    }

    /// Returns a receiver that is notified of all progress of the workers from now on.
    pub(super) fn progress(&self) -> watch::Receiver<()> {
        self.progress.subscribe()
    }

    /// Waits until the workers have tried to send everything that arrived before the flush was requested.
    pub(super) async fn completed(&self, flush: &PendingFlush) {
        let mut progress = self.progress.subscribe();
        while !self.lock().is_completed(flush) {
            // Never fails, because `self` owns the sender.
            if progress.changed().await.is_err() {
                return;
            }
        }
    }
}

/// Sends one signal whenever the scheduler says so, until the shutdown is complete.
pub(super) async fn run(inner: Arc<ExporterInner>, signal: Signal, mut client: OtlpClient) {
    let wake = &inner.wake[signal.index()];
    loop {
        let action = inner.lock().next_action(signal, FreezeAwareInstant::now());
        match action {
            Action::Send { end, flush } => {
                send(&inner, signal, &mut client, end).await;
                inner
                    .lock()
                    .complete_flush(signal, flush, FreezeAwareInstant::now());
                inner.progress.send_replace(());
            }
            Action::Wait(None) => wake.notified().await,
            // On a wake-up and on a timeout, ask the scheduler again.
            Action::Wait(Some(wait)) => drop(tokio::time::timeout(wait, wake.notified()).await),
            Action::Finish => return,
        }
    }
}

/// Sends everything that arrived before `end`, or stops at the first failure that is to be retried.
async fn send(inner: &ExporterInner, signal: Signal, client: &mut OtlpClient, end: u64) {
    loop {
        let Some(batch) = inner.lock().queue.take_batch(signal, end) else {
            return;
        };
        let counters = inner.lock().counters();
        let snapshot = (inner.snapshot)(counters);
        let Some(request) = encode_request(signal, snapshot, batch.items()) else {
            inner.lock().queue.complete(batch);
            return;
        };
        let result = client.export(request).await;
        let now = FreezeAwareInstant::now();
        let (after, line) = inner.lock().record_result(batch, result, now);
        if let Some(line) = line {
            line.log();
        }
        inner.progress.send_replace(());
        if after == AfterRequest::BackOff {
            return;
        }
    }
}
