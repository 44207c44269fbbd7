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
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::port::PortLease;
use crate::process::Process;
use crate::state::{Refusal, State};
use crate::{Boot, Error, Invoked, Line, Stopped, Stream, http, invoke};

/// How long an extension has to register (?); our own runtime gives up after 10 seconds.
const BOOT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long an extension has between SIGTERM and SIGKILL (I).
const GRACE: Duration = Duration::from_secs(5);

/// A FunctionGraph with one instance of one function, and its extensions.
///
/// The function is the page's example: its name, version and URN are what the documentation shows.
/// Dropping the platform kills what it booted; [`shutdown`](Self::shutdown) ends it in order.
pub struct Platform {
    shared: Arc<Shared>,
    folder: TempDir,
    processes: Mutex<BTreeMap<String, Process>>,
    server: JoinHandle<()>,
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
    /// Told of every registration.
    changed: watch::Sender<()>,
    observer: Box<dyn Fn(&Event) + Send + Sync>,
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
            state: Mutex::default(),
            changed: watch::Sender::new(()),
            observer: Box::new(observer),
        });
        let server = tokio::spawn(http::serve(listener, Arc::clone(&shared)));
        Ok(Self {
            shared,
            folder,
            processes: Mutex::default(),
            server,
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
        let lease = if boot.lease_port {
            Some(PortLease::take_async().await?)
        } else {
            None
        };
        let script = boot.script.clone();
        let refused = |refusal: Refusal| {
            Error::new(format!("cannot boot {script}: {}", refusal.error_message))
        };
        self.shared.state().boot(&script).map_err(refused)?;
        let booted = self.boot_process(&boot, lease).await;
        if booted.is_err() {
            self.shared.state().remove(&script);
        }
        booted
    }

    async fn boot_process(
        &self,
        boot: &Boot,
        lease: Option<PortLease>,
    ) -> Result<Registered, Error> {
        let script = &boot.script;
        let mut changed = self.shared.changed.subscribe();
        let start = Instant::now();
        let mut process = Process::start(boot, self.folder.path(), lease, &self.shared)?;
        let outcome = {
            let mut registered = pin!(async {
                loop {
                    if let Some(address) = self.shared.address_of(script) {
                        return address;
                    }
                    // It cannot fail: the sender is ours.
                    let _ = changed.changed().await;
                }
            });
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
        let mut calls = JoinSet::new();
        for (script, address) in registered {
            let (trace_id, shared) = (trace_id.clone(), Arc::clone(&self.shared));
            calls.spawn(async move {
                invoke::invoke(script, address, &trace_id, &shared.function_urn).await
            });
        }
        let mut replies = calls.join_all().await;
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
    /// # Errors
    ///
    /// If the operating system will not tell how a process ended.
    pub async fn shutdown(self) -> Result<Shutdown, Error> {
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
        self.state().register(name, address)?;
        self.changed.send_replace(());
        Ok(())
    }

    pub(crate) fn observe(&self, event: &Event) {
        (self.observer)(event);
    }

    fn address_of(&self, script: &str) -> Option<SocketAddr> {
        self.state()
            .registered()
            .into_iter()
            .find(|(name, _)| name == script)
            .map(|(_, address)| address)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
