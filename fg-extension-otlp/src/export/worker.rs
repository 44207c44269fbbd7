//! The task that sends one signal.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use super::Signal;
use super::body::{Snapshot, request};
use super::exporter::Counts;
use super::send::Sender;
use super::state::{Asked, Settled, State, Step};
use super::time::Time;

/// What the exporter and its workers share.
pub(super) struct Shared {
    state: Mutex<State>,
    pub(super) snapshot: Box<dyn Fn(Counts) -> Snapshot + Send + Sync>,
    wake: [Notify; Signal::ALL.len()],
    /// Tells whoever waits for a flush that a worker has got on.
    progress: watch::Sender<()>,
}

impl Shared {
    pub(super) fn new(
        state: State,
        snapshot: impl Fn(Counts) -> Snapshot + Send + Sync + 'static,
    ) -> Self {
        Self {
            state: Mutex::new(state),
            snapshot: Box::new(snapshot),
            wake: Default::default(),
            progress: watch::Sender::new(()),
        }
    }

    /// The state, which is never left half changed, so that a panic elsewhere does not matter.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the workers look at the state again.
    pub(super) fn wake(&self) {
        for wake in &self.wake {
            wake.notify_one();
        }
    }

    /// Told whenever a worker has got on, from now on.
    pub(super) fn progress(&self) -> watch::Receiver<()> {
        self.progress.subscribe()
    }

    /// Waits until the workers have tried everything that arrived before the flush was asked for.
    pub(super) async fn answered(&self, asked: &Asked) {
        let mut progress = self.progress.subscribe();
        while !self.lock().is_answered(asked) {
            // The other end is ours, so it does not go away.
            if progress.changed().await.is_err() {
                return;
            }
        }
    }
}

/// Sends one signal whenever it is time, until the shutdown has nothing more for it to do.
pub(super) async fn run(shared: Arc<Shared>, signal: Signal, mut sender: Sender) {
    let wake = &shared.wake[signal.index()];
    loop {
        let step = shared.lock().next(signal, Time::now());
        match step {
            Step::Send { end, answers } => {
                send(&shared, signal, &mut sender, end).await;
                shared.lock().answer(signal, answers, Time::now());
                shared.progress.send_replace(());
            }
            Step::Wait(None) => wake.notified().await,
            // Woken or not, the next step is found out anew.
            Step::Wait(Some(wait)) => drop(tokio::time::timeout(wait, wake.notified()).await),
            Step::Finish => return,
        }
    }
}

/// Sends what arrived before `end`, unless something keeps it from being sent.
async fn send(shared: &Shared, signal: Signal, sender: &mut Sender, end: u64) {
    loop {
        let Some(batch) = shared.lock().buffer.take(signal, end) else {
            return;
        };
        let counts = shared.lock().counts();
        let Some(body) = request(signal, (shared.snapshot)(counts), batch.items()) else {
            shared.lock().buffer.done(batch);
            return;
        };
        let outcome = sender.post(body).await;
        let (settled, line) = shared.lock().settle(batch, outcome, Time::now());
        if let Some(line) = line {
            line.write();
        }
        shared.progress.send_replace(());
        if settled == Settled::BackOff {
            return;
        }
    }
}
