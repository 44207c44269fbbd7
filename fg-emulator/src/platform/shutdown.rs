//! The end of an instance: in order, by itself, or when the platform is dropped.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use fg_util::select::{Either, select};
use tokio::task::JoinSet;

use super::Platform;
use crate::{Error, ProcessExit};

/// How long a process has between SIGTERM and SIGKILL (I).
pub(super) const GRACE_PERIOD: Duration = Duration::from_secs(5);

/// How the processes of the instance exited.
#[derive(Debug)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// One for each extension that was up.
    pub extensions: Vec<ProcessExit>,
    /// The function's, if it was a real one. With which status it exits is its own affair.
    pub function: Option<ProcessExit>,
}

impl ShutdownReport {
    /// Returns whether all extensions shut down cleanly.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.extensions.iter().all(ProcessExit::is_clean)
    }
}

impl Platform {
    /// Waits until one of the extensions exits by itself; returns its script name. If one has exited already, it
    /// returns that at once, each time.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when this is dropped unfinished.
    pub async fn wait_for_exit(&self) -> String {
        self.inner.or_observer_panic(self.any_exit()).await
    }

    async fn any_exit(&self) -> String {
        let mut changed = self.inner.watch();
        loop {
            let exit = poll_fn(|cx| {
                for (script, process) in self.processes().iter_mut() {
                    if pin!(process.wait()).poll(cx).is_ready() {
                        return Poll::Ready(script.clone());
                    }
                }
                Poll::Pending
            });
            // What is booted meanwhile has to be looked at, too.
            if let Either::First(script) = select(exit, changed.changed()).await {
                // A process wakes only the last who has asked for it.
                self.inner.notify_waiters();
                return script;
            }
        }
    }

    /// Shuts the instance down: the function first (D 05_1184), then SIGTERM to every extension, five seconds of grace,
    /// SIGKILL (I).
    ///
    /// Before that, telemetry that still waits is delivered, for two seconds at most. What the extensions
    /// print from then on has no subscriber any more.
    ///
    /// # Errors
    ///
    /// If the operating system does not report how a process exited.
    ///
    /// # Panics
    ///
    /// If the [observer](crate::PlatformBuilder::observer) has panicked; the processes are stopped by then.
    ///
    /// # Cancel safety
    ///
    /// When this is dropped unfinished, what still runs is killed.
    pub async fn shutdown(mut self) -> Result<ShutdownReport, Error> {
        self.thaw();
        let function = self.lock_function().take();
        // Nobody else has it: an invocation borrows the platform.
        let function = match function.and_then(Arc::into_inner) {
            Some(function) => Some(function.stop(GRACE_PERIOD).await?),
            None => None,
        };
        self.inner.drain_telemetry().await;
        self.delivery.abort();
        // Cancelled, or done with the batch that it had: either way it reports no more.
        let _ = (&mut self.delivery).await;
        self.inner.close_telemetry();
        let processes = std::mem::take(&mut *self.processes());
        let mut stops = JoinSet::new();
        for process in processes.into_values() {
            stops.spawn(process.stop(GRACE_PERIOD));
        }
        let mut extensions = stops
            .join_all()
            .await
            .into_iter()
            .collect::<Result<Vec<_>, _>>()?;
        extensions.sort_by(|a, b| a.script.cmp(&b.script));
        self.end_reports();
        Ok(ShutdownReport {
            extensions,
            function,
        })
    }

    /// Ends the reports to the observer, and resumes its panic.
    fn end_reports(&self) {
        self.server.abort();
        self.delivery.abort();
        self.inner.observer.close();
        if !std::thread::panicking() {
            self.inner.observer.resume_panic();
        }
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.end_reports();
    }
}
