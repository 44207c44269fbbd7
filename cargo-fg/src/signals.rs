//! The shutdown signals of commands that have child processes and temporary directories to clean up.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// The exit status after a second Ctrl-C, which is that of a shell whose command was interrupted.
const KILLED: i32 = 130;

/// How long a shutdown may take before it is reported.
const REPORT_DELAY: Duration = Duration::from_millis(300);

/// Whether a signal has arrived. Signals belong to the process, so all listeners share this state.
static ARRIVED: Mutex<Option<watch::Receiver<bool>>> = Mutex::new(None);

type Hook = Box<dyn Fn() + Send>;

/// What is called before the process kills itself, each with its ID.
static BEFORE_KILL: Mutex<Vec<(u64, Hook)>> = Mutex::new(Vec::new());

/// The ID of the next hook.
static NEXT_HOOK: AtomicU64 = AtomicU64::new(0);

/// A function that is called before a second Ctrl-C kills the process. Dropping this removes it.
#[derive(Debug)]
#[must_use = "dropping it removes the function"]
pub(crate) struct KillHook(u64);

/// A listener for Ctrl-C, Ctrl-\, SIGTERM, and SIGHUP (a closed terminal).
pub(crate) struct ShutdownSignals(watch::Receiver<bool>);

impl ShutdownSignals {
    /// Starts to listen for the signals; from then on the first of them no longer terminates the process.
    ///
    /// A second Ctrl-C or Ctrl-\ kills the process, whatever it is doing.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let mut arrived = lock(&ARRIVED);
        if let Some(arrived) = &*arrived {
            return Ok(Self(arrived.clone()));
        }
        let receiver = start().context("cannot listen for signals")?;
        *arrived = Some(receiver.clone());
        Ok(Self(receiver))
    }

    /// Runs the task, and cancels it when a signal arrives.
    ///
    /// # Errors
    ///
    /// Returns the error of the task, or `interrupted` if a signal canceled it.
    pub(crate) async fn run_or_cancel<T>(
        &mut self,
        task: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        tokio::select! {
            () = self.recv() => bail!("interrupted"),
            outcome = task => outcome,
        }
    }

    /// Returns whether a signal has arrived.
    pub(crate) fn have_arrived(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until a signal has arrived. Returns at once if that was before the call.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: no signal is lost.
    pub(crate) async fn recv(&mut self) {
        // The thread owns the sender as long as the process runs.
        let _ = self.0.wait_for(|arrived| *arrived).await;
    }
}

/// Adds a function that is called before a second Ctrl-C kills the process, since destructors do not run then.
pub(crate) fn before_kill(hook: impl Fn() + Send + 'static) -> KillHook {
    let id = NEXT_HOOK.fetch_add(1, Ordering::Relaxed);
    lock(&BEFORE_KILL).push((id, Box::new(hook)));
    KillHook(id)
}

impl Drop for KillHook {
    fn drop(&mut self) {
        lock(&BEFORE_KILL).retain(|(id, _)| *id != self.0);
    }
}

/// Starts the thread that waits for signals. It is a thread of its own, so that a second Ctrl-C kills the process even if
/// the runtime of the command is blocked.
fn start() -> anyhow::Result<watch::Receiver<bool>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let entered = runtime.enter();
    let keyboard = [SignalKind::interrupt(), SignalKind::quit()].map(signal);
    let others = [SignalKind::terminate(), SignalKind::hangup()].map(signal);
    drop(entered);
    let mut keyboard: Vec<_> = keyboard.into_iter().collect::<Result<_, _>>()?;
    let mut others: Vec<_> = others.into_iter().collect::<Result<_, _>>()?;
    let (sender, receiver) = watch::channel(false);
    let listen = async move {
        tokio::select! {
            () = any(&mut keyboard) => {}
            () = any(&mut others) => {}
        }
        sender.send_replace(true);
        if tokio::time::timeout(REPORT_DELAY, any(&mut keyboard))
            .await
            .is_err()
        {
            report_shutdown();
            any(&mut keyboard).await;
        }
        for (_, hook) in &*lock(&BEFORE_KILL) {
            hook();
        }
        std::process::exit(KILLED);
    };
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || runtime.block_on(listen))?;
    Ok(receiver)
}

/// Prints how to kill the process. This does not wait for stderr, which may be blocked: a second Ctrl-C must still kill.
fn report_shutdown() {
    let print = || {
        let message = "shutting down; press Ctrl-C again to kill";
        // If stderr is closed, nobody waits for the message.
        let _ = writeln!(std::io::stderr(), "{message}");
    };
    // Without a thread, the message is missing, but the shutdown is not affected.
    let _ = std::thread::Builder::new()
        .name("shutdown-notice".to_owned())
        .spawn(print);
}

/// Waits until one of the signals arrives.
async fn any(signals: &mut [Signal]) {
    std::future::poll_fn(|cx| {
        let mut signals = signals.iter_mut();
        if signals.any(|signal| signal.poll_recv(cx).is_ready()) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
