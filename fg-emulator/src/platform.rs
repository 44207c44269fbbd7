use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime};

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::boot::Leases;
use crate::guard::Guard;
use crate::process::Process;
use crate::state::{Refusal, State};
use crate::{
    Boot, Error, Invoked, Line, Stopped, Stream, Subscription, TelemetryType, http, invoke,
    telemetry,
};

/// How long an extension has to register (?); our own runtime gives up after 10 seconds.
pub(crate) const BOOT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long an extension has between SIGTERM and SIGKILL (I).
const GRACE: Duration = Duration::from_secs(5);

/// A FunctionGraph with one instance of one function, and its extensions.
///
/// The function is the page's example: its name, version and URN are what the documentation shows.
/// Dropping the platform kills what it booted; [`shutdown`](Self::shutdown) ends it in order.
pub struct Platform {
    pub(crate) shared: Arc<Shared>,
    folder: TempDir,
    processes: Mutex<BTreeMap<String, Process>>,
    server: JoinHandle<()>,
    delivery: JoinHandle<()>,
}

/// What happens on the platform, as it happens.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A call was refused: it broke a rule, or is none of the API.
    Refused {
        /// As in `POST`.
        method: String,
        /// As in `/extension/register`.
        path: String,
        /// The answer's status.
        status: u16,
        /// What was wrong.
        error_message: String,
    },
    /// An extension printed a line.
    Output(Line),
    /// An extension subscribed to telemetry.
    Subscribed(Subscription),
    /// The subscriber took a batch of telemetry.
    TelemetryDelivered {
        /// How many.
        events: usize,
        /// The answer's status, from 200 to 299.
        status: u16,
        /// From connecting to the answer's last byte.
        took: Duration,
    },
    /// Telemetry was dropped or given up.
    TelemetryLost {
        /// How many events.
        events: usize,
        /// Why.
        reason: String,
    },
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
}

/// What the parts of the platform share.
pub(crate) struct Shared {
    pub(crate) address: SocketAddr,
    pub(crate) function_name: String,
    pub(crate) function_version: String,
    function_urn: String,
    state: Mutex<State>,
    /// Told of every change of the state.
    changed: watch::Sender<()>,
    observer: Box<dyn Fn(&Event) + Send + Sync>,
    pub(crate) guard: Guard,
}

impl Platform {
    /// Starts one, on a free port.
    ///
    /// # Errors
    ///
    /// If there is no port or no temporary folder to be had.
    pub async fn start() -> Result<Self, Error> {
        Self::start_with(|_| {}).await
    }

    /// Starts one that tells an observer what happens. The observer is called from the platform's tasks, and
    /// should return soon.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub async fn start_with(
        observer: impl Fn(&Event) + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let cannot = || Error::because::<std::io::Error>("cannot start the platform");
        let folder = TempDir::with_prefix("fg-emulator-").map_err(cannot())?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(cannot())?;
        let shared = Arc::new(Shared {
            address: listener.local_addr().map_err(cannot())?,
            function_name: "helloWorld".to_owned(),
            function_version: "$LATEST".to_owned(),
            function_urn: "sn:cn:yrk:1111:function:0@test@hello:latest".to_owned(),
            state: Mutex::new(State::starts(SystemTime::now())),
            changed: watch::Sender::new(()),
            observer: Box::new(observer),
            guard: Guard::start()?,
        });
        let server = tokio::spawn(http::serve(listener, Arc::clone(&shared)));
        let delivery = tokio::spawn(telemetry::deliver(Arc::clone(&shared)));
        Ok(Self {
            shared,
            folder,
            processes: Mutex::default(),
            server,
            delivery,
        })
    }

    /// The registration API's address, as `EXTENSION_API_ADDR` has it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.shared.address
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
    /// (the error's source is what it printed), or does not register in 15 seconds.
    pub async fn boot(&self, boot: Boot) -> Result<Registered, Error> {
        let leases = Leases::take(&boot).await?;
        let script = boot.script.clone();
        let refused = |refusal: Refusal| {
            Error::new(format!("cannot boot {script}: {}", refusal.error_message))
        };
        self.shared.state().boot(&script).map_err(refused)?;
        let booted = self.boot_process(&boot, leases).await;
        if booted.is_err() {
            self.shared.state().remove(&script);
        }
        booted
    }

    async fn boot_process(&self, boot: &Boot, leases: Leases) -> Result<Registered, Error> {
        let script = &boot.script;
        let start = Instant::now();
        let mut command = boot.command(self.folder.path())?;
        command
            .envs(self.shared.environment())
            .envs(&boot.environment);
        let kind = TelemetryType::Extension;
        let mut process = Process::start(script, command, kind, leases, &self.shared)?;
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
        Err(match stopped.printed(Stream::Stderr).trim_end() {
            "" => Error::new(what),
            printed => Error::because(what)(printed),
        })
    }

    /// Invokes the function once: posts the event, with a fresh trace id, to every extension at the same
    /// time, and waits for their answers, 30 seconds at most.
    ///
    /// # Errors
    ///
    /// If no extension is registered. What goes wrong with one of them is in its [`Reply`](crate::Reply).
    pub async fn invoke(&self) -> Result<Invoked, Error> {
        let registered = self.shared.state().registered();
        if registered.is_empty() {
            return Err(Error::new(
                "no extension is registered, so there is none to invoke",
            ));
        }
        let trace_id = uuid::Uuid::new_v4().to_string();
        let (start, clock) = (SystemTime::now(), Instant::now());
        self.shared
            .change(|state| state.telemetry.invocation_starts(&trace_id, start));
        let mut calls = JoinSet::new();
        for (script, address) in registered {
            let (trace_id, shared) = (trace_id.clone(), Arc::clone(&self.shared));
            calls.spawn(async move {
                invoke::invoke(script, address, &trace_id, &shared.function_urn).await
            });
        }
        let mut replies = calls.join_all().await;
        let took = clock.elapsed();
        self.shared
            .change(|state| state.telemetry.invocation_ends(&trace_id, start, took));
        replies.sort_by(|a, b| a.script.cmp(&b.script));
        Ok(Invoked { trace_id, replies })
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

    /// Ends the instance: SIGTERM to every extension, five seconds of grace, SIGKILL (I).
    ///
    /// Before that, telemetry that still waits is delivered, for two seconds at most. What the extensions
    /// print from then on has no subscriber any more.
    ///
    /// # Errors
    ///
    /// If the operating system will not tell how a process ended.
    pub async fn shutdown(mut self) -> Result<Shutdown, Error> {
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
        Ok(Shutdown { extensions })
    }

    fn processes(&self) -> MutexGuard<'_, BTreeMap<String, Process>> {
        self.processes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
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

/// How the extensions ended.
#[derive(Debug)]
pub struct Shutdown {
    /// One for each that was up.
    pub extensions: Vec<Stopped>,
}

impl Shutdown {
    /// Whether all of them ended in order.
    #[must_use]
    pub fn clean(&self) -> bool {
        self.extensions.iter().all(Stopped::clean)
    }
}

impl Shared {
    pub(crate) fn register(
        &self,
        name: Option<&str>,
        address: Option<&str>,
    ) -> Result<(), Refusal> {
        self.change(|state| {
            state.register(name, address)?;
            state.telemetry.registered(SystemTime::now());
            Ok(())
        })
    }

    pub(crate) fn subscribe(&self, body: &[u8]) -> Result<(), Refusal> {
        let subscription = self.state().subscribe(body)?;
        // Observed before what it sets going.
        self.observe(&Event::Subscribed(subscription));
        self.changed.send_replace(());
        Ok(())
    }

    /// What every process of the instance finds in its environment.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        [
            ("EXTENSION_API_ADDR", self.address.to_string().as_str()),
            ("RUNTIME_FUNC_NAME", &self.function_name),
            ("RUNTIME_FUNC_VERSION", &self.function_version),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    pub(crate) fn printed(&self, kind: TelemetryType, line: Line) {
        self.change(|state| state.telemetry.printed(kind, &line.text, SystemTime::now()));
        self.observe(&Event::Output(line));
    }

    /// An observer that panics, as of an assertion, has said so by then; the platform's tasks go on, since
    /// others wait for them.
    pub(crate) fn observe(&self, event: &Event) {
        let _ = catch_unwind(AssertUnwindSafe(|| (self.observer)(event)));
    }

    /// Changes the state, and tells those who wait for it to.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state());
        self.changed.send_replace(());
        changed
    }

    /// Waits until the state has what is looked for.
    pub(crate) async fn when<T>(&self, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        let mut changed = self.changed.subscribe();
        loop {
            let found = look(&mut self.state());
            if let Some(found) = found {
                return found;
            }
            // It cannot fail: the sender is ours.
            let _ = changed.changed().await;
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
