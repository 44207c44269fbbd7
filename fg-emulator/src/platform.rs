use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::function::Bootstrap;
use crate::http::{self, Api};
use crate::process::Process;
use crate::shared::{Observer, Shared, unless};
use crate::{Error, Event, Faults, ProcessExit, telemetry};

/// How long an extension has between SIGTERM and SIGKILL (I).
pub(crate) const GRACE: Duration = Duration::from_secs(5);
/// A body is 6 MB at most (D, user guide).
pub(crate) const MAX_BODY: usize = 6 * 1024 * 1024;

/// A FunctionGraph with one instance of one function, and its extensions.
///
/// The function is the page's example: its name, version and URN are what the documentation shows.
/// Dropping the platform kills what it booted; [`shutdown`](Self::shutdown) ends it in order. When the program
/// is killed that has it, nothing of the instance stays either.
pub struct Platform {
    pub(crate) shared: Arc<Shared>,
    pub(crate) folder: TempDir,
    processes: Mutex<BTreeMap<String, Process>>,
    pub(crate) function: Mutex<Option<Arc<Bootstrap>>>,
    server: JoinHandle<()>,
    delivery: JoinHandle<()>,
}

/// Starts a [`Platform`] that is not the plain one.
#[derive(Default)]
pub struct PlatformBuilder {
    observer: Option<Observer>,
    faults: Faults,
}

impl Platform {
    /// Starts one, on a free port.
    ///
    /// # Errors
    ///
    /// If there is no port, no temporary folder, or no `/bin/sh` to be had.
    pub async fn start() -> Result<Self, Error> {
        Self::builder().start().await
    }

    /// One with an observer, or with faults.
    ///
    /// ```no_run
    /// # async fn test() -> Result<(), fg_emulator::Error> {
    /// use fg_emulator::{Faults, Platform};
    ///
    /// let faults = Faults::parse("register-503,event-duplicate=0.5", 42)?;
    /// let platform = Platform::builder()
    ///     .faults(faults)
    ///     .observer(|event| println!("{event:?}"))
    ///     .start()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn builder() -> PlatformBuilder {
        PlatformBuilder::default()
    }

    /// The registration API's address, as `EXTENSION_API_ADDR` has it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// The variables that every process of the instance gets.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        self.shared.environment()
    }

    /// Waits until one of the extensions ends by itself; its script name. Of one that has ended it tells each time.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when this is dropped unfinished.
    pub async fn wait_for_exit(&self) -> String {
        let mut changed = self.shared.changes();
        loop {
            let ended = poll_fn(|cx| {
                for (script, process) in self.processes().iter_mut() {
                    if pin!(process.wait()).poll(cx).is_ready() {
                        return Poll::Ready(script.clone());
                    }
                }
                Poll::Pending
            });
            // What is booted meanwhile has to be looked at, too.
            if let Ok(script) = unless(ended, changed.changed()).await {
                // A process wakes only the last who has asked for it.
                self.shared.wake();
                return script;
            }
        }
    }

    /// Ends the instance: the function first (D 05_1184), then SIGTERM to every extension, five seconds of grace,
    /// SIGKILL (I).
    ///
    /// Before that, telemetry that still waits is delivered, for two seconds at most. What the extensions
    /// print from then on has no subscriber any more.
    ///
    /// # Errors
    ///
    /// If the operating system will not tell how a process ended.
    pub async fn shutdown(mut self) -> Result<ShutdownReport, Error> {
        self.thaw();
        let function = self.lock_function().take();
        // Nobody else has it: an invocation borrows the platform.
        let function = match function.and_then(Arc::into_inner) {
            Some(function) => Some(function.stop(GRACE).await?),
            None => None,
        };
        self.shared.last_telemetry().await;
        self.delivery.abort();
        // Cancelled, or done with the batch that it had: either way it tells of nothing any more.
        let _ = (&mut self.delivery).await;
        self.shared.close_telemetry();
        let processes = std::mem::take(&mut *self.processes());
        let mut stops = JoinSet::new();
        for process in processes.into_values() {
            stops.spawn(process.stop(GRACE));
        }
        let mut extensions = stops
            .join_all()
            .await
            .into_iter()
            .collect::<Result<Vec<_>, _>>()?;
        extensions.sort_by(|a, b| a.script.cmp(&b.script));
        Ok(ShutdownReport {
            extensions,
            function,
        })
    }

    pub(crate) fn bootstrap(&self) -> Option<Arc<Bootstrap>> {
        self.lock_function().clone()
    }

    pub(crate) fn lock_function(&self) -> MutexGuard<'_, Option<Arc<Bootstrap>>> {
        self.function.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn processes(&self) -> MutexGuard<'_, BTreeMap<String, Process>> {
        self.processes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl PlatformBuilder {
    /// Tells an observer what happens. It is called from the platform's tasks, and should return soon.
    #[must_use]
    pub fn observer(mut self, observer: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Injects faults.
    #[must_use]
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// Starts it, on a free port.
    ///
    /// # Errors
    ///
    /// As [`Platform::start`].
    pub async fn start(self) -> Result<Platform, Error> {
        let cannot = || Error::because::<std::io::Error>("cannot start the platform");
        let folder = TempDir::with_prefix("fg-emulator-").map_err(cannot())?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(cannot())?;
        let address = listener.local_addr().map_err(cannot())?;
        let observer = self.observer.unwrap_or_else(|| Box::new(|_| {}));
        let shared = Arc::new(Shared::new(address, folder.path(), self.faults, observer)?);
        let server = tokio::spawn(http::serve(listener, Api::Extension, Arc::clone(&shared)));
        let delivery = tokio::spawn(telemetry::deliver(Arc::clone(&shared)));
        Ok(Platform {
            shared,
            folder,
            processes: Mutex::default(),
            function: Mutex::default(),
            server,
            delivery,
        })
    }
}

impl fmt::Debug for PlatformBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlatformBuilder")
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.server.abort();
        self.delivery.abort();
    }
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Platform")
            .field("address", &self.shared.address)
            .finish_non_exhaustive()
    }
}

/// How the processes of the instance exited.
#[derive(Debug)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// One for each extension that was up.
    pub extensions: Vec<ProcessExit>,
    /// The function's, if it was a real one. By which status it ends is its own affair.
    pub function: Option<ProcessExit>,
}

impl ShutdownReport {
    /// Whether all extensions shut down cleanly.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.extensions.iter().all(ProcessExit::is_clean)
    }
}
