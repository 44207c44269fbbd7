//! The task that sends one signal.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use super::client::OtlpClient;
use super::clock::FreezeAwareInstant;
use super::counters::ExportCounters;
use super::request::{Snapshot, encode_request};
use super::scheduler::{Action, AfterRequest, PendingFlush, Scheduler};
use crate::signal::Signal;

/// What the exporter and its workers share.
pub(super) struct ExporterInner {
    state: Mutex<Scheduler>,
    snapshot: Box<dyn Fn(ExportCounters) -> Snapshot + Send + Sync>,
    wake: [Notify; Signal::ALL.len()],
    /// Wakes whoever waits for a flush whenever a worker has got on.
    progress: watch::Sender<()>,
}

impl ExporterInner {
    pub(super) fn new(
        state: Scheduler,
        snapshot: impl Fn(ExportCounters) -> Snapshot + Send + Sync + 'static,
    ) -> Self {
        Self {
            state: Mutex::new(state),
            snapshot: Box::new(snapshot),
            wake: Default::default(),
            progress: watch::Sender::new(()),
        }
    }

    /// Locks the state, which is never left half changed, so that a panic elsewhere does not matter.
    pub(super) fn lock(&self) -> MutexGuard<'_, Scheduler> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the workers look at the state again.
    pub(super) fn wake_workers(&self) {
        for wake in &self.wake {
            wake.notify_one();
        }
    }

    /// Returns what changes whenever a worker has got on, from now on.
    pub(super) fn progress(&self) -> watch::Receiver<()> {
        self.progress.subscribe()
    }

    /// Waits until the workers have tried everything that arrived before the flush was requested.
    pub(super) async fn completed(&self, flush: &PendingFlush) {
        let mut progress = self.progress.subscribe();
        while !self.lock().is_completed(flush) {
            // The other end is ours, so it does not go away.
            if progress.changed().await.is_err() {
                return;
            }
        }
    }
}

/// Sends one signal whenever it is time, until the shutdown has nothing more for it to do.
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
            // Woken or not, the next action is found out anew.
            Action::Wait(Some(wait)) => drop(tokio::time::timeout(wait, wake.notified()).await),
            Action::Finish => return,
        }
    }
}

/// Sends what arrived before `end`, unless something keeps it from being sent.
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
