//! The open connections, whose number is limited.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::{AbortHandle, JoinSet};

/// The maximum number of connections. Each takes some memory, even if it is idle.
const MAX_CONNECTIONS: usize = 64;

/// The tasks that serve connections. Dropping it aborts them.
#[derive(Debug, Default)]
pub(super) struct Connections {
    tasks: JoinSet<()>,
    /// In the order in which they were opened.
    open: Vec<Connection>,
}

#[derive(Debug)]
struct Connection {
    busy: Busy,
    task: AbortHandle,
}

/// Whether a connection is processing a request. Other connections can be closed without losing data: an SDK retries a
/// request on another connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Busy(Arc<AtomicBool>);

/// Makes a connection busy until it is dropped.
#[derive(Debug)]
pub(super) struct BusyGuard(Busy);

impl Connections {
    /// Starts a task for a connection.
    pub(super) fn spawn<F>(&mut self, serve: impl FnOnce(Busy) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let busy = Busy::default();
        let task = self.tasks.spawn(serve(busy.clone()));
        self.open.push(Connection { busy, task });
    }

    /// Returns whether there are fewer connections than the maximum.
    pub(super) fn have_room(&mut self) -> bool {
        while self.tasks.try_join_next().is_some() {}
        self.open
            .retain(|connection| !connection.task.is_finished());
        self.tasks.len() < MAX_CONNECTIONS
    }

    /// Waits until there are fewer connections than the maximum. Closes an idle one if that is needed.
    pub(super) async fn make_room(&mut self) {
        while !self.have_room() {
            self.close_idle();
            self.tasks.join_next().await;
        }
    }

    /// Closes the oldest connection that is not processing a request.
    pub(super) fn close_idle(&mut self) {
        let mut open = self.open.iter();
        if let Some(index) = open.position(|connection| !connection.busy.get()) {
            self.open.remove(index).task.abort();
        }
    }

    /// Returns whether any connection is open.
    pub(super) fn are_open(&mut self) -> bool {
        self.have_room();
        !self.tasks.is_empty()
    }

    /// Waits until a connection is closed.
    pub(super) async fn wait_for_close(&mut self) {
        self.tasks.join_next().await;
    }

    /// Waits until all connections are closed.
    pub(super) async fn join(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Busy {
    pub(super) fn enter(&self) -> BusyGuard {
        self.0.store(true, Ordering::Relaxed);
        BusyGuard(self.clone())
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for BusyGuard {
    fn drop(&mut self) {
        self.0.0.store(false, Ordering::Relaxed);
    }
}
