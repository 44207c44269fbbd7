//! The shutdown signals of commands that have child processes and temporary directories to clean up.

use anyhow::{Context, bail};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// A listener for Ctrl-C, Ctrl-\, SIGTERM, and SIGHUP (a closed terminal).
pub(crate) struct ShutdownSignals(Vec<Signal>);

impl ShutdownSignals {
    /// Starts to listen for the signals; from then on they no longer terminate the process.
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

    /// Runs the task, and cancels it when a signal arrives.
    ///
    /// # Errors
    ///
    /// Returns the error of the task, or `interrupted` if a signal canceled it.
    pub(crate) async fn run_or_cancel<T>(
        &mut self,
        task: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        tokio::select! {
            () = self.recv() => bail!("interrupted"),
            outcome = task => outcome,
        }
    }

    /// Waits until a signal arrives.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: no signal is lost.
    pub(crate) async fn recv(&mut self) {
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
