use tokio::sync::watch;

/// How far the extension's life has come.
pub(crate) struct Life(watch::Sender<Phase>);

#[derive(Clone, Copy, PartialEq, PartialOrd)]
pub(crate) enum Phase {
    Serving,
    /// The end was asked for; what is in flight goes on.
    Ending,
    /// No time is left for what is in flight.
    GivingUp,
}

impl Life {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Phase::Serving))
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
