use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::boot::Leases;
use crate::function::Bootstrap;
use crate::http::{self, Api};
use crate::output::Stream;
use crate::process::Process;
use crate::shared::{Observer, Shared};
use crate::state::Refusal;
use crate::{Boot, Error, Event, Faults, Stopped, TelemetryType, telemetry};

/// How long an extension has to register (?); our own runtime gives up after 10 seconds.
pub(crate) const BOOT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long an extension has between SIGTERM and SIGKILL (I).
const GRACE: Duration = Duration::from_secs(5);
/// A body is 6 MB at most (D, user guide).
pub(crate) const MAX_BODY: usize = 6 * 1024 * 1024;

/// A FunctionGraph with one instance of one function, and its extensions.
///
/// The function is the page's example: its name, version and URN are what the documentation shows.
/// Dropping the platform kills what it booted; [`shutdown`](Self::shutdown) ends it in order. When the program
/// is killed that has it, nothing of the instance stays either.
pub struct Platform {
    pub(crate) shared: Arc<Shared>,
    folder: TempDir,
    processes: Mutex<BTreeMap<String, Process>>,
    pub(crate) function: Mutex<Option<Arc<Bootstrap>>>,
    server: JoinHandle<()>,
    delivery: JoinHandle<()>,
}

/// Starts a [`Platform`] that is not the plain one.
#[derive(Default)]
pub struct Builder {
    observer: Option<Observer>,
    faults: Faults,
}

/// An extension that is up.
#[derive(Debug)]
pub struct Registered {
    /// Its script name.
    pub script: String,
    /// Where it takes events.
    pub address: SocketAddr,
    /// From its start to its registration.
    pub took: Duration,
    /// The number of its process, and of its group; of one that was attached it is not known.
    pub pid: Option<u32>,
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

    /// Starts one that tells an observer what happens, as [`Builder::observer`].
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn start_with(
        observer: impl Fn(&Event) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        Self::builder().observer(observer).start().await
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
    pub fn builder() -> Builder {
        Builder::default()
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

    /// Boots an executable on a free port of the platform's range, and waits for its registration.
    ///
    /// The port goes to it as `FG_EXTENSION_PORT`, so that tests can run side by side. For more, see
    /// [`boot`](Self::boot).
    ///
    /// # Errors
    ///
    /// As [`boot`](Self::boot).
    pub async fn boot_bin(
        &self,
        script: impl Into<String>,
        program: impl Into<PathBuf>,
    ) -> Result<Registered, Error> {
        self.boot(Boot::new(script, program).lease_port()).await
    }

    /// Boots an extension, and waits for its registration.
    ///
    /// # Errors
    ///
    /// If the name is no script name or booted already, the program does not start, ends before it registers
    /// (the error's source is what it printed), or does not register in 15 seconds. [`Error::stopped`] tells how
    /// its process ended.
    pub async fn boot(&self, boot: Boot) -> Result<Registered, Error> {
        let leases = Leases::take(&boot).await?;
        self.note_boot(&boot.script)?;
        let booted = self.boot_process(&boot, leases).await;
        if booted.is_err() {
            self.shared.state().remove(&boot.script);
        }
        booted
    }

    /// Waits, without end, until a process registers under this name that somebody else starts, as a debugger
    /// does. It needs the variables of [`environment`](Self::environment); its output is not seen, and it is
    /// neither frozen nor stopped.
    ///
    /// # Errors
    ///
    /// If the name is no script name, or booted already.
    pub async fn attach(&self, script: impl Into<String>) -> Result<Registered, Error> {
        let (script, start) = (script.into(), Instant::now());
        self.note_boot(&script)?;
        let address = self.shared.when(|state| state.address_of(&script)).await;
        Ok(Registered {
            script,
            address,
            took: start.elapsed(),
            pid: None,
        })
    }

    fn note_boot(&self, script: &str) -> Result<(), Error> {
        let refused = |refusal: Refusal| {
            Error::new(format!("cannot boot {script}: {}", refusal.error_message))
        };
        self.shared.state().boot(script).map_err(refused)
    }

    async fn boot_process(&self, boot: &Boot, leases: Leases) -> Result<Registered, Error> {
        let script = &boot.script;
        let mut command = boot.command(self.folder.path())?;
        command
            .envs(self.shared.environment())
            .envs(&boot.environment);
        let start = Instant::now();
        let kind = TelemetryType::Extension;
        let mut process = Process::start(script, command, kind, leases, &self.shared).await?;
        let outcome = {
            let mut registered = pin!(self.shared.when(|state| state.address_of(script)));
            let mut ended = pin!(process.wait());
            // The registration first: an extension may register and end at once.
            let either = poll_fn(|cx| match registered.as_mut().poll(cx) {
                Poll::Ready(address) => Poll::Ready(Some(address)),
                Poll::Pending => ended.as_mut().poll(cx).map(|_| None),
            });
            tokio::time::timeout(BOOT_TIMEOUT, either).await
        };
        if let Ok(Some(address)) = outcome {
            let registered = Registered {
                script: script.clone(),
                address,
                took: start.elapsed(),
                pid: process.id(),
            };
            self.processes().insert(script.clone(), process);
            return Ok(registered);
        }
        let stopped = process.stop(GRACE).await?;
        let what = match outcome {
            Ok(_) => format!(
                "{script} ended with {} before it registered",
                stopped.status
            ),
            Err(_) => format!("{script} did not register in {BOOT_TIMEOUT:?}"),
        };
        Err(self.failed(what, stopped))
    }

    fn failed(&self, what: String, stopped: Stopped) -> Error {
        let what = match self.shared.dice.seed() {
            Some(seed) => format!("{what} (faults by seed {seed})"),
            None => what,
        };
        let error = match stopped.printed(Stream::Stderr).trim_end() {
            "" => Error::new(what),
            printed => Error::because(what)(printed),
        };
        error.with_stopped(stopped)
    }

    /// Boots the function: a custom runtime's `bootstrap`, which is executed in its own folder, and waits until it
    /// asks for an event. Without one the function is synthetic.
    ///
    /// It has 30 seconds for an invocation. What it does not answer by then it may still answer, but to nobody.
    ///
    /// # Errors
    ///
    /// If there is a function already, it cannot be executed, or ends (the error's source is what it printed)
    /// or has asked for nothing in 15 seconds.
    pub async fn boot_function(&self, bootstrap: impl Into<PathBuf>) -> Result<(), Error> {
        if self.bootstrap().is_some() {
            return Err(Error::new(
                "there is a function already, and an instance has one",
            ));
        }
        let path = bootstrap.into();
        let bootstrap = Bootstrap::start(&path, &self.shared).await?;
        let ready = self.shared.when(|state| state.runtime.ready());
        let outcome = tokio::time::timeout(BOOT_TIMEOUT, bootstrap.unless_it_ends(ready)).await;
        if let Ok(Some(())) = outcome {
            *self.lock_function() = Some(Arc::new(bootstrap));
            return Ok(());
        }
        let stopped = bootstrap.stop(GRACE).await?;
        let what = match outcome {
            Ok(_) => format!(
                "the function ({}) ended with {} before it asked for an event",
                path.display(),
                stopped.status
            ),
            Err(_) => format!(
                "the function ({}) asked for no event in {BOOT_TIMEOUT:?}: a bootstrap calls GET \
                 http://$RUNTIME_API_ADDR/v1/runtime/invocation/request",
                path.display()
            ),
        };
        Err(self.failed(what, stopped))
    }

    /// Freezes the instance, by SIGSTOP, as a platform does that gives it no CPU between two invocations (D). What
    /// there is of telemetry waits. The next invocation thaws it.
    pub fn freeze(&self) {
        self.shared.change(|state| state.telemetry.freeze(true));
        self.processes().values().for_each(Process::freeze);
        if let Some(function) = self.bootstrap() {
            function.freeze();
        }
    }

    /// Thaws it, by SIGCONT.
    pub fn thaw(&self) {
        self.processes().values().for_each(Process::thaw);
        if let Some(function) = self.bootstrap() {
            function.thaw();
        }
        self.shared.change(|state| state.telemetry.freeze(false));
    }

    /// Waits until one of the extensions ends by itself; its script name.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when this is dropped unfinished.
    pub async fn ended(&self) -> String {
        poll_fn(|cx| {
            for (script, process) in self.processes().iter_mut() {
                if pin!(process.wait()).poll(cx).is_ready() {
                    return Poll::Ready(script.clone());
                }
            }
            Poll::Pending
        })
        .await
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
    pub async fn shutdown(mut self) -> Result<Shutdown, Error> {
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
        Ok(Shutdown {
            extensions,
            function,
        })
    }

    pub(crate) fn bootstrap(&self) -> Option<Arc<Bootstrap>> {
        self.lock_function().clone()
    }

    fn lock_function(&self) -> MutexGuard<'_, Option<Arc<Bootstrap>>> {
        self.function.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn processes(&self) -> MutexGuard<'_, BTreeMap<String, Process>> {
        self.processes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Builder {
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
        let shared = Arc::new(Shared::new(address, self.faults, observer)?);
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

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
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

/// How the processes of the instance ended.
#[derive(Debug)]
pub struct Shutdown {
    /// One for each extension that was up.
    pub extensions: Vec<Stopped>,
    /// The function's, if it was a real one. By which status it ends is its own affair.
    pub function: Option<Stopped>,
}

impl Shutdown {
    /// Whether all extensions ended in order.
    #[must_use]
    pub fn clean(&self) -> bool {
        self.extensions.iter().all(Stopped::clean)
    }
}
