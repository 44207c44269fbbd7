//! The extension's lifecycle: its phases, the signals that end it, the shutdown, and the generated `main`.

pub(crate) mod drain;
pub(crate) mod entry;
pub(crate) mod signals;

use tokio::sync::watch;

/// How far the extension's lifecycle has come.
pub(crate) struct Lifecycle(watch::Sender<Phase>);

#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub(crate) enum Phase {
    Running,
    /// The end was asked for; what is in flight goes on.
    Draining,
    /// No time is left for what is in flight.
    Aborting,
}

impl Lifecycle {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Phase::Running))
    }

    /// It never goes back.
    pub(crate) fn advance(&self, to: Phase) {
        self.0.send_if_modified(|phase| {
            let advances = *phase < to;
            if advances {
                *phase = to;
            }
            advances
        });
    }

    pub(crate) fn has_reached(&self, phase: Phase) -> bool {
        *self.0.borrow() >= phase
    }

    /// Waits until it has.
    pub(crate) async fn reached(&self, awaited: Phase) {
        // It cannot fail: the sender is `self`'s.
        let _ = self.0.subscribe().wait_for(|phase| *phase >= awaited).await;
    }
}
