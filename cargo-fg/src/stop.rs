//! What ends a command that has processes and temporary folders to tidy up.

use anyhow::{Context, bail};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Ctrl-C, Ctrl-\, SIGTERM, or a closed terminal.
pub(crate) struct Stop(Vec<Signal>);

impl Stop {
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let kinds = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
            SignalKind::quit(),
        ];
        let signals = kinds.into_iter().map(signal).collect::<Result<_, _>>();
        Ok(Self(signals.context("cannot listen for signals")?))
    }

    /// What the task comes to, unless it is to end before.
    pub(crate) async fn or<T>(
        mut self,
        task: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        tokio::select! {
            () = self.requested() => bail!("interrupted"),
            outcome = task => outcome,
        }
    }

    /// # Cancel safety
    ///
    /// Nothing is lost when this is dropped unfinished.
    pub(crate) async fn requested(&mut self) {
        std::future::poll_fn(|cx| {
            let mut signals = self.0.iter_mut();
            if signals.any(|signal| signal.poll_recv(cx).is_ready()) {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
    }
}
