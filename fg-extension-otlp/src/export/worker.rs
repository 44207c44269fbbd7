//! The worker task that sends one signal.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use fg_util::error::one_line;
use tokio::sync::{Notify, watch};

use super::client::OtlpClient;
use super::clock::FreezeAwareInstant;
use super::queue::Batch;
use super::request::{Snapshot, SnapshotRequest, encode_request};
use super::response::ExportResult;
use super::scheduler::{Action, AfterRequest, PendingFlush, Scheduler};
use crate::signal::Signal;

/// The state that the exporter and its workers share.
pub(super) struct ExporterInner {
    scheduler: Mutex<Scheduler>,
    snapshot: Box<dyn Fn(SnapshotRequest) -> Snapshot + Send + Sync>,
    wake: [Notify; Signal::ALL.len()],
    /// Notifies the tasks that wait for a flush whenever a worker has made progress.
    progress: watch::Sender<()>,
}

impl ExporterInner {
    pub(super) fn new(
        scheduler: Scheduler,
        snapshot: impl Fn(SnapshotRequest) -> Snapshot + Send + Sync + 'static,
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

    /// Records the result for a batch, and logs what there is to report.
    fn record_result(&self, batch: Batch, result: ExportResult) -> AfterRequest {
        let now = FreezeAwareInstant::now();
        let (is_shutdown, (after, line)) = {
            let mut scheduler = self.lock();
            let result = scheduler.record_result(batch, result, now);
            (scheduler.is_shutting_down(), result)
        };
        if let Some(line) = line {
            line.log();
        }
        self.progress.send_replace(());
        if is_shutdown {
            // The last metrics count what the other signals have sent.
            self.wake_workers();
        }
        after
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

/// Sends one signal until the shutdown is complete. A panic counts as a failed request, and sending goes on.
pub(super) async fn run(inner: Arc<ExporterInner>, signal: Signal, mut client: OtlpClient) {
    // Stored here, so that the items of a request are not lost if it panics.
    let mut in_flight = None;
    let mut panic: Option<String> = None;
    loop {
        let attempt = async {
            if let Some(panic) = panic.take() {
                client.forget_connections();
                let batch = in_flight.take().unwrap_or_else(|| Batch::empty(signal));
                let failure = ExportResult::Retryable {
                    retry_after: None,
                    reason: one_line(&format!("panicked: {panic}")),
                };
                inner.record_result(batch, failure);
            }
            work(&inner, signal, &mut client, &mut in_flight).await;
        };
        match catch(attempt).await {
            Ok(()) => return,
            Err(message) => panic = Some(message),
        }
        // The pause before the retry is up to the scheduler. If that is what panics, other tasks still run.
        tokio::time::sleep(PAUSE_AFTER_PANIC).await;
    }
}

const PAUSE_AFTER_PANIC: Duration = Duration::from_millis(50);

/// Sends one signal whenever the scheduler says so, until the shutdown is complete.
async fn work(
    inner: &ExporterInner,
    signal: Signal,
    client: &mut OtlpClient,
    in_flight: &mut Option<Batch>,
) {
    let wake = &inner.wake[signal.index()];
    loop {
        let action = inner.lock().next_action(signal, FreezeAwareInstant::now());
        match action {
            Action::Send { end, flush } => {
                send(inner, signal, client, end, in_flight).await;
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

/// Sends everything that arrived before `end`, or stops at the first failure that is to be retried. The batch that is
/// being sent is in `in_flight`.
async fn send(
    inner: &ExporterInner,
    signal: Signal,
    client: &mut OtlpClient,
    end: u64,
    in_flight: &mut Option<Batch>,
) {
    loop {
        let Some(batch) = inner.lock().queue.take_batch(signal, end) else {
            return;
        };
        let batch = in_flight.insert(batch);
        let snapshot = inner.lock().snapshot_request(batch);
        let snapshot = (inner.snapshot)(snapshot);
        batch.delta_points = snapshot.delta_points();
        let request = encode_request(signal, snapshot, batch.items());
        let result = match request {
            Some(request) => Some(client.export(request).await),
            None => None,
        };
        let Some(batch) = in_flight.take() else {
            return;
        };
        let Some(result) = result else {
            // Our own metrics have not changed. Received ones may wait, if they are sent in separate requests.
            inner.lock().queue.complete(batch);
            continue;
        };
        if inner.record_result(batch, result) == AfterRequest::BackOff {
            return;
        }
    }
}

/// Waits for the future, and returns its output or the message of its panic.
async fn catch<F: Future>(future: F) -> Result<F::Output, String> {
    let mut future = pin!(future);
    // `AssertUnwindSafe`: the future is not polled again after a panic, and what it borrows is reset.
    poll_fn(
        |cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(payload) => Poll::Ready(Err(message(payload.as_ref()))),
        },
    )
    .await
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_owned()
}
