//! The data shared by the tasks of a platform: the state, with notification of changes, and the observer.

use std::fs;
use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use fg_util::select::{Either, select};
use tokio::sync::watch;

use crate::fault::FaultInjector;
use crate::function::settings::{MEMORY_MB, PACKAGE, PROJECT_ID, REGION, whole_seconds};
use crate::function::{CodeRoot, FunctionSettings};
use crate::observer::{Callback, Observer};
use crate::process::drain::Streams;
use crate::process::guard::Guard;
use crate::state::{Rejection, State};
use crate::{Error, Event, Fault, Faults, OutputLine, ProcessExit, TelemetryType};

pub(crate) struct Inner {
    pub(crate) address: SocketAddr,
    pub(crate) function_name: &'static str,
    pub(crate) function_version: &'static str,
    pub(crate) function_urn: &'static str,
    pub(crate) settings: FunctionSettings,
    pub(crate) code_root: CodeRoot,
    log_directory: PathBuf,
    pub(crate) faults: FaultInjector,
    pub(crate) guard: Guard,
    pub(crate) observer: Observer,
    pub(crate) streams: Streams,
    state: Mutex<State>,
    /// Signals every change of the state.
    changed: watch::Sender<()>,
}

impl Inner {
    pub(crate) fn new(
        address: SocketAddr,
        directory: &Path,
        settings: FunctionSettings,
        faults: Faults,
        observer: Callback,
    ) -> Result<Self, Error> {
        let context = || Error::context::<std::io::Error>("cannot start the platform");
        let code_root = CodeRoot::create(directory).map_err(context())?;
        let log_directory = directory.join("log");
        fs::create_dir(&log_directory).map_err(context())?;
        Ok(Self {
            address,
            function_name: "helloWorld",
            function_version: "$LATEST",
            function_urn: "sn:cn:yrk:1111:function:0@test@hello:latest",
            settings,
            code_root,
            log_directory,
            faults: FaultInjector::new(faults),
            guard: Guard::start(directory)?,
            observer: Observer::new(observer),
            streams: Streams::default(),
            state: Mutex::new(State::new(SystemTime::now())),
            changed: watch::Sender::new(()),
        })
    }

    /// Returns the environment variables for every process of the instance.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let mut environment = vec![
            ("EXTENSION_API_ADDR", self.address.to_string()),
            ("RUNTIME_FUNC_NAME", self.function_name.to_owned()),
            ("RUNTIME_FUNC_VERSION", self.function_version.to_owned()),
        ];
        environment.extend(self.settings.environment());
        let directories = [
            ("RUNTIME_CODE_ROOT", self.code_root.path()),
            ("RUNTIME_LOG_DIR", self.log_directory.as_path()),
        ];
        environment.extend(directories.map(|(name, path)| (name, path.display().to_string())));
        let owned = |(name, value): (&str, _)| (name.to_owned(), value);
        environment.into_iter().map(owned).collect()
    }

    /// Returns the headers of a request to an HTTP function (D functiongraph_01_1442; I: the values of all but the first).
    pub(crate) fn http_function_headers(&self, id: &str) -> [(&'static str, String); 8] {
        [
            ("X-CFF-Request-Id", id.to_owned()),
            ("X-CFF-Memory", MEMORY_MB.to_string()),
            ("X-CFF-Timeout", whole_seconds(self.settings.timeout)),
            ("X-CFF-Func-Version", self.function_version.to_owned()),
            ("X-CFF-Func-Name", self.function_name.to_owned()),
            ("X-CFF-Project-Id", PROJECT_ID.to_owned()),
            ("X-CFF-Package", PACKAGE.to_owned()),
            ("X-CFF-Region", REGION.to_owned()),
        ]
    }

    /// Returns the error of a process that exited before it was ready. Its source is what the process printed.
    pub(crate) fn exit_error(&self, message: String, exit: ProcessExit) -> Error {
        let message = match self.faults.seed() {
            Some(seed) => format!("{message} (fault seed {seed})"),
            None => message,
        };
        // Some programs print errors on standard output.
        let output = [exit.stderr(), exit.stdout()];
        let output = output.iter().map(|text| text.trim_end());
        let error = match output.into_iter().find(|text| !text.is_empty()) {
            Some(output) => Error::context(message)(output),
            None => Error::new(message),
        };
        error.with_process_exit(exit)
    }

    pub(crate) fn register(
        &self,
        name: Option<&str>,
        address: Option<&str>,
    ) -> Result<(), Rejection> {
        let (script, registration) = {
            let mut state = self.state();
            let registered = state.register(name, address);
            if let Err(rejection) = &registered {
                state.last_rejection = Some(rejection.error_message.clone());
            }
            let registered = registered?;
            state.telemetry.init_done(SystemTime::now());
            registered
        };
        // The observer sees the event before those who wait for the registration continue.
        self.report(&Event::Registered {
            script,
            address: registration.address,
            started_at: registration.started_at,
            registered_at: registration.at,
        });
        self.notify_waiters();
        Ok(())
    }

    /// Rejects a registration without applying it.
    pub(crate) fn reject_registration(&self, rejection: Rejection) -> Result<(), Rejection> {
        self.state().last_rejection = Some(rejection.error_message.clone());
        Err(rejection)
    }

    pub(crate) fn subscribe(&self, body: &[u8]) -> Result<(), Rejection> {
        let subscription = self.state().subscribe(body)?;
        self.report(&Event::Subscribed(subscription));
        self.notify_waiters();
        Ok(())
    }

    /// Emits a line that a process printed as telemetry, and reports it.
    pub(crate) fn record_output(&self, kind: TelemetryType, line: OutputLine) {
        self.update(|state| {
            let telemetry = &mut state.telemetry;
            telemetry.process_printed(kind, &line.text, SystemTime::now());
            state.printed(&line);
        });
        self.report(&Event::Output(line));
    }

    /// Returns whether to inject the fault now. If so, reports it.
    pub(crate) fn inject(&self, fault: Fault, description: &str) -> bool {
        let injects = self.faults.should_inject(fault);
        if injects {
            self.report(&Event::FaultInjected {
                fault,
                description: description.to_owned(),
            });
        }
        injects
    }

    /// Reports an event to the observer. If the observer panics, the platform's tasks continue, and
    /// [`or_observer_panic`](Self::or_observer_panic) resumes the panic.
    pub(crate) fn report(&self, event: &Event) {
        self.observer.report(event);
        if self.observer.has_panicked() {
            self.notify_waiters();
        }
    }

    /// Awaits a future on behalf of the test. If the observer panics, drops the future and resumes the panic.
    pub(crate) async fn or_observer_panic<T>(&self, future: impl Future<Output = T>) -> T {
        let panicked = self.wait_until(|_| self.observer.has_panicked().then_some(()));
        let output = match select(panicked, future).await {
            Either::First(()) => None,
            Either::Second(output) => Some(output),
        };
        self.observer.resume_panic();
        match output {
            Some(output) => output,
            // Another method that the test is awaiting has already resumed the panic.
            None => resume_unwind(Box::new("the observer panicked")),
        }
    }

    /// Changes the state, and wakes the tasks that wait for a change.
    pub(crate) fn update<T>(&self, update: impl FnOnce(&mut State) -> T) -> T {
        let output = update(&mut self.state());
        self.notify_waiters();
        output
    }

    /// Returns a guard that changes the state on drop, so that a future that is dropped early changes it too.
    pub(crate) fn update_on_drop<F: FnOnce(&mut State)>(&self, update: F) -> UpdateOnDrop<'_, F> {
        UpdateOnDrop {
            inner: self,
            update: Some(update),
        }
    }

    /// Returns a receiver that is notified of every change from now on.
    pub(crate) fn watch(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Wakes the tasks that wait for a change. Needed after a change that is not part of the state.
    pub(crate) fn notify_waiters(&self) {
        self.changed.send_replace(());
    }

    /// Waits until `check` returns `Some`. Calls it again after every change.
    pub(crate) async fn wait_until<T>(&self, mut check: impl FnMut(&mut State) -> Option<T>) -> T {
        let mut changed = self.watch();
        loop {
            let output = check(&mut self.state());
            if let Some(output) = output {
                return output;
            }
            // This cannot fail: `self` owns the sender.
            let _ = changed.changed().await;
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The guard returned by [`Inner::update_on_drop`].
pub(crate) struct UpdateOnDrop<'a, F: FnOnce(&mut State)> {
    inner: &'a Inner,
    update: Option<F>,
}

impl<F: FnOnce(&mut State)> UpdateOnDrop<'_, F> {
    /// Drops the guard without changing the state.
    pub(crate) fn disarm(mut self) {
        self.update = None;
    }
}

impl<F: FnOnce(&mut State)> Drop for UpdateOnDrop<'_, F> {
    fn drop(&mut self) {
        if let Some(update) = self.update.take() {
            self.inner.update(update);
        }
    }
}
