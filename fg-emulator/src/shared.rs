//! What the parts of the platform share.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::SystemTime;

use tokio::sync::watch;

use crate::fault::Dice;
use crate::guard::Guard;
use crate::state::{Refusal, State};
use crate::{Error, Event, Fault, Faults, OutputLine, TelemetryType};

pub(crate) struct Shared {
    pub(crate) address: SocketAddr,
    pub(crate) function_name: &'static str,
    pub(crate) function_version: &'static str,
    pub(crate) function_urn: &'static str,
    pub(crate) dice: Dice,
    pub(crate) guard: Guard,
    state: Mutex<State>,
    /// Told of every change of the state.
    changed: watch::Sender<()>,
    observer: Observer,
}

pub(crate) type Observer = Box<dyn Fn(&Event) + Send + Sync>;

impl Shared {
    pub(crate) fn new(
        address: SocketAddr,
        folder: &Path,
        faults: Faults,
        observer: Observer,
    ) -> Result<Self, Error> {
        Ok(Self {
            address,
            function_name: "helloWorld",
            function_version: "$LATEST",
            function_urn: "sn:cn:yrk:1111:function:0@test@hello:latest",
            dice: Dice::new(faults),
            guard: Guard::start(folder)?,
            state: Mutex::new(State::starts(SystemTime::now())),
            changed: watch::Sender::new(()),
            observer,
        })
    }

    /// What every process of the instance finds in its environment.
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
    ) -> Result<(), Refusal> {
        let (script, address) = {
            let mut state = self.state();
            let registered = state.register(name, address);
            if let Err(refusal) = &registered {
                state.refusal = Some(refusal.error_message.clone());
            }
            let registered = registered?;
            state.telemetry.initialised(SystemTime::now());
            registered
        };
        // Observed before what it sets going.
        self.observe(&Event::Registered { script, address });
        self.wake();
        Ok(())
    }

    pub(crate) fn subscribe(&self, body: &[u8]) -> Result<(), Refusal> {
        let subscription = self.state().subscribe(body)?;
        self.observe(&Event::Subscribed(subscription));
        self.wake();
        Ok(())
    }

    pub(crate) fn printed(&self, kind: TelemetryType, line: OutputLine) {
        self.change(|state| state.telemetry.printed(kind, &line.text, SystemTime::now()));
        self.observe(&Event::Output(line));
    }

    /// Whether the fault strikes; if it does, the observer is told what it is.
    pub(crate) fn strikes(&self, fault: Fault, what: &str) -> bool {
        let strikes = self.dice.strikes(fault);
        if strikes {
            self.observe(&Event::FaultInjected {
                fault,
                description: what.to_owned(),
            });
        }
        strikes
    }

    /// An observer that panics, as of an assertion, has said so by then; the platform's tasks go on, since
    /// others wait for them.
    pub(crate) fn observe(&self, event: &Event) {
        let _ = catch_unwind(AssertUnwindSafe(|| (self.observer)(event)));
    }

    /// Changes the state, and tells those who wait for it to.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state());
        self.wake();
        changed
    }

    /// Changes the state when it is dropped, thus also when the future that has it is dropped unfinished.
    pub(crate) fn finally<F: FnOnce(&mut State)>(&self, change: F) -> Finally<'_, F> {
        Finally {
            shared: self,
            change: Some(change),
        }
    }

    /// Told of every change from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Has those look again who wait for a change that is not in the state.
    pub(crate) fn wake(&self) {
        self.changed.send_replace(());
    }

    /// Waits until the state has what is looked for.
    pub(crate) async fn when<T>(&self, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        let mut changed = self.changes();
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

/// Of [`Shared::finally`].
pub(crate) struct Finally<'a, F: FnOnce(&mut State)> {
    shared: &'a Shared,
    change: Option<F>,
}

impl<F: FnOnce(&mut State)> Finally<'_, F> {
    /// All went well.
    pub(crate) fn never(mut self) {
        self.change = None;
    }
}

impl<F: FnOnce(&mut State)> Drop for Finally<'_, F> {
    fn drop(&mut self) {
        if let Some(change) = self.change.take() {
            self.shared.change(change);
        }
    }
}

/// What the future yields, or what the other one does if it is done before.
pub(crate) async fn unless<T, E>(
    future: impl Future<Output = T>,
    end: impl Future<Output = E>,
) -> Result<T, E> {
    let (mut future, mut end) = (pin!(future), pin!(end));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Ok(value)),
        Poll::Pending => end.as_mut().poll(cx).map(Err),
    })
    .await
}
