//! Shuts the instance down, waits for an extension that exits by itself, and cleans up when the platform is dropped.

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
pub(crate) const GRACE_PERIOD: Duration = Duration::from_secs(5);

/// Describes how the processes of the instance exited.
#[derive(Debug)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// The extensions that the platform booted, ordered by script name. [Attached](Platform::attach) extensions are not
    /// included.
    pub extensions: Vec<ProcessExit>,
    /// The last process of the function; `None` if the function was synthetic.
    pub function: Option<ProcessExit>,
}

impl ShutdownReport {
    /// Returns whether all extensions [shut down cleanly](ProcessExit::is_clean). Ignores how the function exited.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.extensions.iter().all(ProcessExit::is_clean)
    }
}

impl Platform {
    /// Waits until one of the booted extensions exits by itself, and returns its script name.
    ///
    /// If one has already exited, returns at once, on every call. [`shutdown`](Self::shutdown) then reports its exit
    /// status and output.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
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
            // A change of the state may be a newly booted extension, which must be polled too.
            if let Either::First(script) = select(exit, changed.changed()).await {
                // A process wakes only the task that polled it last, so wake the other waiters.
                self.inner.notify_waiters();
                return script;
            }
        }
    }

    /// Shuts the instance down, and reports how its processes exited.
    ///
    /// 1. A frozen instance is thawed.
    /// 2. The function is stopped (D 05_1184: it closes before the extensions).
    /// 3. Buffered telemetry is delivered, for two seconds at most. The output of the extensions after this step is not
    ///    delivered as telemetry.
    /// 4. Every extension gets SIGTERM, and after a grace period of five seconds SIGKILL (I).
    ///
    /// # Errors
    ///
    /// Returns an error if the operating system does not report how a process exited.
    ///
    /// # Panics
    ///
    /// Panics if the [observer](crate::PlatformBuilder::observer) has panicked. The processes are stopped first.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it completes, the remaining processes are killed.
    pub async fn shutdown(mut self) -> Result<ShutdownReport, Error> {
        self.thaw();
        let function = self.lock_function().take();
        // This is the only reference: an invocation borrows the platform, so none is in flight.
        let function = match function.and_then(Arc::into_inner) {
            Some(function) => function.stop(GRACE_PERIOD).await?,
            None => None,
        };
        self.inner.drain_telemetry().await;
        self.delivery.abort();
        // After the task has finished, it reports no more events.
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
        self.close_observer();
        Ok(ShutdownReport {
            extensions,
            function,
        })
    }

    /// Stops the tasks that report to the observer, closes it, and resumes its panic.
    fn close_observer(&self) {
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
        self.close_observer();
    }
}
