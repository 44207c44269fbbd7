//! The second thread: it measures when the process runs, and sees the shutdown even if a handler blocks the first one.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::sleep;

use super::entry::start_runtime;
use super::signals::Signals;
use super::witness::{Moment, TICK, Ticks};
use super::{Lifecycle, Phase};
use crate::RunError;
use crate::log::writer::spawn;

/// How much longer than its timeout a shutdown may take before the process is ended.
pub(super) const GRACE: Duration = Duration::from_millis(200);

/// Ends the process, whose shutdown did not complete within this time. Only the generated `main` has one.
pub(crate) type EndProcess = fn(Duration) -> !;

/// What the thread needs.
struct Watchdog {
    signals: Signals,
    /// Weak, so that the thread stops when the extension has shut down.
    lifecycle: Weak<Lifecycle>,
    shutdown_timeout: Duration,
    end_process: Option<EndProcess>,
    ticks: Ticks,
}

/// Starts the thread. If that is not possible, the extension runs without it.
///
/// Call it once the extension is registered, so that it does not delay the registration.
pub(crate) fn start(
    lifecycle: &Arc<Lifecycle>,
    shutdown_timeout: Duration,
    end_process: Option<EndProcess>,
) {
    // The signals are received from now on, so that none is missed before the thread runs.
    let started = Signals::listen().and_then(|signals| {
        let watchdog = Watchdog {
            signals,
            lifecycle: Arc::downgrade(lifecycle),
            shutdown_timeout,
            end_process,
            ticks: Ticks::start(),
        };
        spawn("watchdog", Box::new(|| watchdog.run()))
    });
    if let Err(error) = started {
        report_failure(&error);
    }
}

fn report_failure(error: &io::Error) {
    warn!(
        "cannot start the second thread: {error}; a handler that blocks its thread delays the shutdown"
    );
}

impl Watchdog {
    fn run(self) {
        // The thread does not share the runtime of the first one, which a handler may block.
        match start_runtime() {
            // The type is that of the first thread's future, so that the code of the runtime is not duplicated.
            Ok(runtime) => drop(runtime.block_on(Box::pin(self.watch()) as super::entry::Main)),
            Err(error) => report_failure(&error),
        }
    }

    async fn watch(mut self) -> Result<(), RunError> {
        let mut request: Option<Moment> = None;
        loop {
            self.ticks.tick();
            match (self.lifecycle.upgrade(), request) {
                (Some(lifecycle), None)
                    if self.signals.try_recv().await || lifecycle.has_reached(Phase::Draining) =>
                {
                    lifecycle.request_shutdown();
                    request = Some(Moment::now());
                }
                (Some(_), _) => {}
                // The destructors of the author's tasks, which run after the shutdown, may block too.
                (None, Some(_)) if self.end_process.is_some() => {}
                (None, _) => return Ok(()),
            }
            let (timeout, elapsed) = (self.shutdown_timeout, request.map(Moment::elapsed));
            if let (Some(elapsed), Some(end_process)) = (elapsed, self.end_process)
                && elapsed > timeout + GRACE
            {
                end_process(timeout);
            }
            sleep(TICK).await;
        }
    }
}
