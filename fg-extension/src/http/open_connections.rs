//! The open connections of the process. When descriptors run short, those that wait for a request are closed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, Weak};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::task::AbortHandle;

use super::connection::{ConnectionState, RANK_OF_IDLE};

/// The maximum number of connections that wait for a request. Each takes up to 27 KB.
const MAX_WAITING: usize = 400;
/// The maximum number if there are hardly any descriptors.
const MIN: usize = 4;

process_static! {
    /// The number of connections from which on those that wait for a request are closed, so that descriptors are left. A
    /// request that has arrived is always handled, so there may be more.
    fn limit() -> AtomicUsize = AtomicUsize::new(MAX_WAITING);
}

/// The maximum number of open connections on which no request has been served yet, and none is being handled. Each takes
/// some memory.
const MAX_UNSERVED: usize = 224;

/// How many of the newest connections are closed last, since their requests may be about to arrive.
const NEWEST: usize = 64;

/// Up to this number of connections, those that are closed are not looked for.
const FEW: usize = 16;

process_static! {
    fn open() -> Mutex<OpenConnections> = Mutex::new(OpenConnections {
        connections: Vec::new(),
        cleanup_at: FEW,
    });
}

struct OpenConnections {
    /// In the order in which they were opened. Some may be closed.
    connections: Vec<(Weak<ConnectionState>, AbortHandle)>,
    /// The length at which closed connections are removed.
    cleanup_at: usize,
}

/// Allows the process as many descriptors as possible, and reserves some of them for everything but connections.
///
/// The framework itself needs up to 16. Of the others, an eighth is for the author's code, such as its files.
pub(crate) fn raise_limit() {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return;
    };
    let limit = match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    };
    let connections = usize::try_from(limit.saturating_sub(16) / 8 * 7).unwrap_or(usize::MAX);
    self::limit().store(connections.max(MIN), Ordering::Relaxed);
}

/// Adds a connection. Returns whether there may be too many.
pub(super) fn add(state: Weak<ConnectionState>, task: AbortHandle) -> bool {
    let mut open = open().lock().unwrap_or_else(PoisonError::into_inner);
    open.connections.push((state, task));
    // Not each time, since `close_one_of_many` looks at all connections.
    open.connections.len() >= open.cleanup_at
}

/// Closes a connection that waits for a request, if there are too many. The newest are spared: they are likely to be about
/// to send one.
pub(super) fn close_one_of_many() {
    let mut open = open().lock().unwrap_or_else(PoisonError::into_inner);
    open.remove_closed();
    let limit = limit().load(Ordering::Relaxed);
    open.cleanup_at = (2 * open.connections.len()).clamp(FEW, limit.clamp(FEW, MAX_UNSERVED));
    let (mut waiting, mut unserved) = (0, 0);
    let ranks = open.connections.iter();
    for rank in ranks.filter_map(|(state, _)| state.upgrade()?.rank()) {
        waiting += 1;
        unserved += usize::from(rank < RANK_OF_IDLE);
    }
    if waiting > MAX_WAITING || unserved > MAX_UNSERVED || open.connections.len() > limit {
        open.close_one(true);
    }
}

/// Closes a connection that waits for a request, because the descriptors are used up. Returns `false` if all are busy.
pub(super) fn close_any() -> bool {
    let mut open = open().lock().unwrap_or_else(PoisonError::into_inner);
    open.remove_closed();
    open.close_one(false)
}

/// Returns how many invocations may be in flight. The platform posts up to 1000 at once (D). If there are few descriptors, some are left for telemetry.
pub(super) fn max_invocations() -> usize {
    (limit().load(Ordering::Relaxed) / 8 * 7).clamp(MIN, 1024)
}

impl OpenConnections {
    fn remove_closed(&mut self) {
        self.connections
            .retain(|(state, _)| state.strong_count() > 0);
    }

    /// Closes the connection whose client loses the least by it, and of several such connections the oldest.
    fn close_one(&mut self, spare_newest: bool) -> bool {
        let length = self.connections.len();
        let newest = length - NEWEST.min(length / 4);
        let mut end = length;
        if spare_newest {
            end = newest;
        }
        let ranks = self.connections.iter().enumerate().take(end);
        let ranks = ranks.filter_map(|(index, (state, _))| {
            Some((index >= newest, state.upgrade()?.rank()?, index))
        });
        let Some((_, _, index)) = ranks.min() else {
            return false;
        };
        let (_, task) = self.connections.remove(index);
        task.abort();
        true
    }
}
