//! The second thread: it measures when the process runs, and sees the shutdown even if a handler blocks the first one.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use fg_util::select::{run_alongside, select};
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::signals::Signals;
use super::witness::{Moment, TICK, tick};
use super::{Lifecycle, Phase};

/// How much longer than its timeout a shutdown may take before the process is ended.
pub(super) const GRACE: Duration = Duration::from_millis(500);

/// The thread. It is not started before the extension is registered, so that it does not delay the registration. It
/// stops when this is dropped, unless it ends the process.
pub(crate) struct Watchdog {
    /// What the thread needs, until it is started.
    watch: Option<Watch>,
    stop: Option<oneshot::Sender<()>>,
}

struct Watch {
    signals: Signals,
    lifecycle: Arc<Lifecycle>,
    shutdown_timeout: Duration,
    end_process: Option<EndProcess>,
}

/// Ends the process, whose shutdown did not complete within this time. Only the generated `main` has one.
pub(crate) type EndProcess = fn(Duration) -> !;

impl Watchdog {
    /// Listens for the signals, so that none is missed before the thread is started.
    pub(crate) fn new(
        lifecycle: &Arc<Lifecycle>,
        shutdown_timeout: Duration,
        end_process: Option<EndProcess>,
    ) -> io::Result<Self> {
        Ok(Self {
            watch: Some(Watch {
                signals: Signals::listen()?,
                lifecycle: Arc::clone(lifecycle),
                shutdown_timeout,
                end_process,
            }),
            stop: None,
        })
    }

    /// Starts the thread. If that is not possible, the extension runs without it.
    pub(crate) fn start(&mut self) {
        let (sender, stopped) = oneshot::channel();
        self.stop = Some(sender);
        if let Some(Err(error)) = self.watch.take().map(|watch| watch.spawn(stopped)) {
            tracing::warn!(
                "cannot start the second thread: {error}; a handler that blocks its thread delays the shutdown"
            );
        }
    }
}

impl Watch {
    /// Runs the thread until `stopped`.
    fn spawn(self, stopped: oneshot::Receiver<()>) -> io::Result<()> {
        // The thread does not share the runtime of the first one, which a handler may block.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let ends_process = self.end_process.is_some();
        let stopped = async move {
            let _ = stopped.await;
            if ends_process {
                // The destructors of the author's tasks, which run afterwards, may block too. The thread runs until the
                // process exits.
                pending::<()>().await;
            }
        };
        let watch = run_alongside(ticks(), self.watch());
        thread::Builder::new()
            .name("watchdog".to_owned())
            .spawn(move || runtime.block_on(select(stopped, watch)))?;
        Ok(())
    }

    async fn watch(mut self) {
        select(self.signals.recv(), self.lifecycle.reached(Phase::Draining)).await;
        self.lifecycle.request_shutdown();
        if let Some(end_process) = self.end_process {
            let limit = self.shutdown_timeout + GRACE;
            Moment::now().timeout(limit, pending::<()>()).await;
            end_process(self.shutdown_timeout);
        }
        pending().await
    }
}

async fn ticks() {
    loop {
        tick();
        sleep(TICK).await;
    }
}
