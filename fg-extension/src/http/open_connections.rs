//! The open connections of the process. When descriptors run short, those that wait for a request are closed.

use std::sync::{Mutex, PoisonError, Weak};

use tokio::task::AbortHandle;

use super::connection::ConnectionState;

/// The maximum number of open connections. An instance runs at most 1000 invocations at once (D), and a process often may
/// have 1024 descriptors.
///
/// If it may have fewer, a connection is closed when none is left.
const MAX: usize = 1000;

/// Up to this number of connections, those that are closed are not looked for.
const FEW: usize = 16;

static OPEN: Mutex<OpenConnections> = Mutex::new(OpenConnections {
    connections: Vec::new(),
    cleanup_at: FEW,
});

struct OpenConnections {
    /// In the order in which they were opened. Some may be closed.
    connections: Vec<(Weak<ConnectionState>, AbortHandle)>,
    /// The length at which closed connections are removed.
    cleanup_at: usize,
}

/// Adds a connection. Returns whether there are too many.
pub(super) fn add(state: Weak<ConnectionState>, task: AbortHandle) -> bool {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    open.connections.push((state, task));
    if open.connections.len() < open.cleanup_at {
        return false;
    }
    open.remove_closed();
    // In proportion to the length, so that adding a connection takes constant time on average.
    open.cleanup_at = (2 * open.connections.len()).clamp(FEW, MAX);
    open.connections.len() > MAX
}

/// Closes a connection that waits for a request. Returns `false` if there is none.
pub(super) fn close_one() -> bool {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    open.remove_closed();
    open.close_one()
}

impl OpenConnections {
    fn remove_closed(&mut self) {
        self.connections
            .retain(|(state, _)| state.strong_count() > 0);
    }

    /// Closes the connection whose client loses the least by it, and of several such connections the oldest.
    fn close_one(&mut self) -> bool {
        let ranks = self.connections.iter().enumerate();
        let ranks = ranks.filter_map(|(index, (state, _))| Some((state.upgrade()?.rank()?, index)));
        let Some((_, index)) = ranks.min() else {
            return false;
        };
        let (_, task) = self.connections.remove(index);
        task.abort();
        true
    }
}
