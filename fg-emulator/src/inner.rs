//! What the tasks of a platform share: the state, with notification of its changes, and the observer.

use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use fg_util::select::{Either, select};
use tokio::sync::watch;

use crate::fault::FaultInjector;
use crate::observer::{Callback, Observer};
use crate::process::guard::Guard;
use crate::state::{Rejection, State};
use crate::{Error, Event, Fault, Faults, OutputLine, TelemetryType};

pub(crate) struct Inner {
    pub(crate) address: SocketAddr,
    pub(crate) function_name: &'static str,
    pub(crate) function_version: &'static str,
    pub(crate) function_urn: &'static str,
    pub(crate) faults: FaultInjector,
    pub(crate) guard: Guard,
    pub(crate) observer: Observer,
    state: Mutex<State>,
    /// Notified of every change of the state.
    changed: watch::Sender<()>,
}

impl Inner {
    pub(crate) fn new(
        address: SocketAddr,
        folder: &Path,
        faults: Faults,
        observer: Callback,
    ) -> Result<Self, Error> {
        Ok(Self {
            address,
            function_name: "helloWorld",
            function_version: "$LATEST",
            function_urn: "sn:cn:yrk:1111:function:0@test@hello:latest",
            faults: FaultInjector::new(faults),
            guard: Guard::start(folder)?,
            observer: Observer::new(observer),
            state: Mutex::new(State::new(SystemTime::now())),
            changed: watch::Sender::new(()),
        })
    }

    /// The variables that every process of the instance gets.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        [
            ("EXTENSION_API_ADDR", self.address.to_string().as_str()),
            ("RUNTIME_FUNC_NAME", self.function_name),
            ("RUNTIME_FUNC_VERSION", self.function_version),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }

    pub(crate) fn register(
        &self,
        name: Option<&str>,
        address: Option<&str>,
    ) -> Result<(), Rejection> {
        let (script, address) = {
            let mut state = self.state();
            let registered = state.register(name, address);
            if let Err(rejection) = &registered {
                state.last_rejection = Some(rejection.error_message.clone());
            }
            let registered = registered?;
            state.telemetry.init_done(SystemTime::now());
            registered
        };
        // Reported before whatever waits for the registration goes on.
        self.report(&Event::Registered { script, address });
        self.notify_waiters();
        Ok(())
    }

    pub(crate) fn subscribe(&self, body: &[u8]) -> Result<(), Rejection> {
        let subscription = self.state().subscribe(body)?;
        self.report(&Event::Subscribed(subscription));
        self.notify_waiters();
        Ok(())
    }

    /// Records a line that a process printed.
    pub(crate) fn record_output(&self, kind: TelemetryType, line: OutputLine) {
        self.update(|state| {
            let telemetry = &mut state.telemetry;
            telemetry.process_printed(kind, &line.text, SystemTime::now());
        });
        self.report(&Event::Output(line));
    }

    /// Returns whether the fault is to be injected now; if it is, that is reported.
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

    /// Reports an event to the observer. If that panics, as a failed assertion does, the platform's tasks go on, and
    /// [`or_observer_panic`](Self::or_observer_panic) resumes the panic.
    pub(crate) fn report(&self, event: &Event) {
        self.observer.report(event);
        if self.observer.has_panicked() {
            self.notify_waiters();
        }
    }

    /// Waits for a future of the test; panics as soon as the observer has panicked, and drops the future then.
    pub(crate) async fn or_observer_panic<T>(&self, future: impl Future<Output = T>) -> T {
        let panicked = self.wait_until(|_| self.observer.has_panicked().then_some(()));
        let output = match select(panicked, future).await {
            Either::First(()) => None,
            Either::Second(output) => Some(output),
        };
        self.observer.resume_panic();
        match output {
            Some(output) => output,
            // Another call of the test has resumed the panic.
            None => resume_unwind(Box::new("the observer panicked")),
        }
    }

    /// Changes the state, and notifies those who wait for it to.
    pub(crate) fn update<T>(&self, update: impl FnOnce(&mut State) -> T) -> T {
        let output = update(&mut self.state());
        self.notify_waiters();
        output
    }

    /// Changes the state when the guard is dropped, thus also when the future that has it is dropped unfinished.
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

    /// Makes those look again who wait for a change that is not in the state.
    pub(crate) fn notify_waiters(&self) {
        self.changed.send_replace(());
    }

    /// Waits until `look` returns something; it is called again after every change.
    pub(crate) async fn wait_until<T>(&self, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        let mut changed = self.watch();
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

/// Of [`Inner::update_on_drop`].
pub(crate) struct UpdateOnDrop<'a, F: FnOnce(&mut State)> {
    inner: &'a Inner,
    update: Option<F>,
}

impl<F: FnOnce(&mut State)> UpdateOnDrop<'_, F> {
    /// Leaves the state as it is.
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
