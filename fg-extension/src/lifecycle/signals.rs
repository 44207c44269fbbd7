//! Shutdown signals.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use nix::sys::signal::{SigSet, Signal as Number};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that ask an extension to shut down: SIGTERM, SIGINT and SIGHUP (I; the platform's shutdown event is `?`).
pub(crate) struct Signals([(&'static str, Signal); 3]);

impl Signals {
    /// Installs the signal handlers. From then on, the signals do not kill the process.
    pub(crate) fn listen() -> io::Result<Self> {
        // A signal that arrived between the installation of the handler and that of its action would be lost, so the
        // signals are blocked in between.
        let mut blocked = SigSet::empty();
        blocked.add(Number::SIGTERM);
        blocked.add(Number::SIGINT);
        blocked.add(Number::SIGHUP);
        blocked.thread_block()?;
        let signals = (|| {
            Ok(Self([
                ("SIGTERM", signal(SignalKind::terminate())?),
                ("SIGINT", signal(SignalKind::interrupt())?),
                ("SIGHUP", signal(SignalKind::hangup())?),
            ]))
        })();
        // Also if they were blocked by the parent process.
        blocked.thread_unblock()?;
        signals
    }

    /// Waits for a signal, and returns its name.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: no signal is lost.
    pub(crate) async fn recv(&mut self) -> &'static str {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// Returns whether a signal has arrived.
    pub(crate) async fn try_recv(&mut self) -> bool {
        poll_fn(|cx| Poll::Ready(self.poll(cx).is_ready())).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<&'static str> {
        for (name, signal) in &mut self.0 {
            if signal.poll_recv(cx).is_ready() {
                return Poll::Ready(*name);
            }
        }
        Poll::Pending
    }
}
