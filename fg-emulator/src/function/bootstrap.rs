//! [`Bootstrap`]: runs invocations on the function's process, and starts it again after it has exited.

use std::future::poll_fn;
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use fg_util::error::chain;
use fg_util::select::{Either, select};
use hyper::body::Bytes;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::http_server;
use super::process::{FunctionKind, FunctionProcess};
use super::response::RuntimeResponse;
use crate::inner::Inner;
use crate::platform::{BOOT_TIMEOUT, GRACE_PERIOD};
use crate::process::ProcessExit;
use crate::{Error, Event, PortLease, describe_exit};

/// How long to wait for the output of a process that has exited. A process that it has started can keep the streams open.
const OUTPUT_TIMEOUT: Duration = Duration::from_secs(1);

/// A function that is a process.
pub(crate) struct Bootstrap {
    shared: Arc<Shared>,
    /// The task that waits for exits. A `JoinSet`, because it aborts its tasks on drop.
    supervisor: JoinSet<()>,
}

/// The data that the supervisor shares with invocations.
struct Shared {
    path: Box<Path>,
    kind: FunctionKind,
    inner: Arc<Inner>,
    /// `None` after the process has exited, until the next invocation.
    process: Mutex<Option<FunctionProcess>>,
    /// How the last process exited.
    last_exit: Mutex<Option<ProcessExit>>,
    /// Whether the process was killed because an invocation timed out.
    timed_out: AtomicBool,
    /// The lease of an HTTP function's port, so that tests can run in parallel.
    _port: Option<PortLease>,
}

impl Bootstrap {
    /// Starts the executable, and waits until it is initialized.
    pub(crate) async fn start(
        path: &Path,
        kind: FunctionKind,
        inner: &Arc<Inner>,
    ) -> Result<Self, Error> {
        let port = match kind {
            FunctionKind::CustomRuntime => None,
            FunctionKind::Http => {
                Some(PortLease::acquire_port(http_server::HTTP_FUNCTION_PORT).await?)
            }
        };
        let shared = Arc::new(Shared {
            path: path.into(),
            kind,
            inner: Arc::clone(inner),
            process: Mutex::default(),
            last_exit: Mutex::default(),
            timed_out: AtomicBool::new(false),
            _port: port,
        });
        shared.start_process().await?;
        let mut supervisor = JoinSet::new();
        supervisor.spawn(Arc::clone(&shared).supervise());
        Ok(Self { shared, supervisor })
    }

    /// Queues an event for the function, and waits for its response.
    ///
    /// If the process has exited, the supervisor starts it again. If the invocation times out, the process is killed (I),
    /// because it may be blocked, and may otherwise respond to a later invocation only after that has timed out as well.
    pub(crate) async fn run(&self, id: &str, payload: Bytes) -> RuntimeResponse {
        let inner = &self.shared.inner;
        let timeout = inner.settings.timeout;
        inner.update(|state| state.runtime.enqueue(id, payload));
        let _cancel = inner.update_on_drop(|state| state.runtime.cancel(id));
        loop {
            let deadline = inner.state().runtime.deadline(id, timeout);
            let progress = inner.wait_until(|state| {
                let runtime = &mut state.runtime;
                match runtime.take_response(id) {
                    Some(response) => Some(Some(response)),
                    None => (runtime.deadline(id, timeout) != deadline).then_some(None),
                }
            });
            let response = match deadline {
                None => progress.await,
                Some(deadline) => match tokio::time::timeout_at(deadline, progress).await {
                    Ok(response) => response,
                    Err(_) => {
                        self.shared.kill_after_timeout();
                        Some(RuntimeResponse::timeout(timeout))
                    }
                },
            };
            if let Some(response) = response {
                return response;
            }
        }
    }

    pub(crate) fn freeze(&self) {
        if let Some(running) = &*self.shared.process() {
            running.process.freeze();
        }
    }

    pub(crate) fn thaw(&self) {
        if let Some(running) = &*self.shared.process() {
            running.process.thaw();
        }
    }

    /// Stops the process, and returns how it exited. Returns how it exited before if it has not been started again.
    pub(crate) async fn stop(
        mut self,
        grace_period: Duration,
    ) -> Result<Option<ProcessExit>, Error> {
        self.supervisor.shutdown().await;
        match self.shared.take_exit(grace_period).await? {
            Some(exit) => Ok(Some(exit)),
            None => Ok(self.shared.last_exit().take()),
        }
    }
}

impl Drop for Bootstrap {
    fn drop(&mut self) {
        // The supervisor is aborted later, and has a reference as well.
        self.shared.process().take();
    }
}

impl Shared {
    /// Starts the process, and waits until it is initialized.
    async fn start_process(&self) -> Result<(), Error> {
        let Self {
            path, kind, inner, ..
        } = self;
        let timeout = inner.settings.init_timeout.unwrap_or(BOOT_TIMEOUT);
        inner.update(|state| state.runtime.process_started());
        let started_at = Instant::now();
        let process = FunctionProcess::spawn(path, *kind, inner).await?;
        *self.process() = Some(process);
        let ready = inner.wait_until(|state| state.runtime.ready_at());
        let outcome = tokio::time::timeout(timeout, select(ready, self.exited())).await;
        if let Ok(Either::First(ready_at)) = outcome {
            inner.report(&Event::FunctionInitialized {
                started_at: started_at.into_std(),
                duration: ready_at.duration_since(started_at),
            });
            return Ok(());
        }
        let (path, readiness) = (path.display(), kind.readiness());
        let Some(exit) = self.take_exit(GRACE_PERIOD).await? else {
            return Err(Error::new(format!("the function ({path}) was stopped")));
        };
        Err(match outcome {
            Ok(_) => {
                let how = describe_exit(exit.status);
                let message = format!("the function ({path}) {how} before it could {readiness}");
                inner.exit_error(message, exit)
            }
            Err(_) => {
                let hint = kind.hint();
                let message =
                    format!("the function ({path}) did not {readiness} within {timeout:?}; {hint}");
                inner.exit_error(message, exit).with_init_timeout()
            }
        })
    }

    /// Reports each exit of the process, and starts it again when an invocation is queued.
    async fn supervise(self: Arc<Self>) {
        let inner = &self.inner;
        loop {
            self.exited().await;
            // An error means that the system does not report the exit, so there is nothing to report.
            if let Ok(Some(exit)) = self.take_exit(Duration::ZERO).await {
                self.report_exit(exit);
            }
            loop {
                let queued = inner.wait_until(|state| state.runtime.has_queued().then_some(()));
                queued.await;
                let Err(error) = self.start_process().await else {
                    break;
                };
                let response = RuntimeResponse::error("FunctionNotStarted", &chain(&error));
                inner.update(|state| {
                    state.runtime.process_exited(&response);
                    state.runtime.fail_queued(&response);
                });
            }
        }
    }

    fn report_exit(&self, exit: ProcessExit) {
        let timed_out = self.timed_out.swap(false, Ordering::Relaxed);
        self.inner.report(&Event::FunctionExited {
            status: exit.status,
            timed_out,
            exited_at: exit.exited_at,
        });
        let message = format!("the function {}", describe_exit(exit.status));
        *self.last_exit() = Some(exit);
        let response = RuntimeResponse::error("FunctionExited", &message);
        self.inner
            .update(|state| state.runtime.process_exited(&response));
    }

    fn kill_after_timeout(&self) {
        self.timed_out.store(true, Ordering::Relaxed);
        let message = "the function was killed, because another invocation timed out";
        let response = RuntimeResponse::error("FunctionExited", message);
        self.inner
            .update(|state| state.runtime.process_exited(&response));
        if let Some(running) = &mut *self.process() {
            running.connection.abort_all();
            running.process.kill();
        }
    }

    /// Waits until the process has exited and all that it printed has been read.
    async fn exited(&self) {
        poll_fn(|cx| match &mut *self.process() {
            Some(running) => pin!(running.process.wait()).poll(cx).map(drop),
            None => Poll::Ready(()),
        })
        .await;
        let output = poll_fn(|cx| match &mut *self.process() {
            Some(running) => running.process.poll_output_end(cx),
            None => Poll::Ready(()),
        });
        let _ = tokio::time::timeout(OUTPUT_TIMEOUT, output).await;
    }

    async fn take_exit(&self, grace_period: Duration) -> Result<Option<ProcessExit>, Error> {
        let running = self.process().take();
        match running {
            Some(running) => running.process.stop(grace_period).await.map(Some),
            None => Ok(None),
        }
    }

    fn process(&self) -> MutexGuard<'_, Option<FunctionProcess>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last_exit(&self) -> MutexGuard<'_, Option<ProcessExit>> {
        self.last_exit
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
