//! Counters of received, delivered, rejected and lost telemetry.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of the telemetry that the platform has posted to the extension.
///
/// The runtime passes the counters to each call of
/// [`TelemetryHandler::telemetry`](crate::TelemetryHandler::telemetry). They are a cheap handle: clones share the same
/// counters, so you can keep a clone and read it at any time.
///
/// Each received event is eventually either delivered or lost. The counters are read independently of each other, so on
/// a multi-threaded runtime they may not be consistent.
#[derive(Clone, Default)]
pub struct TelemetryCounters(Arc<Counts>);

#[derive(Default)]
pub(super) struct Counts {
    pub(super) received: AtomicU64,
    pub(super) delivered: AtomicU64,
    pub(super) rejected: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) bytes_queued: AtomicU64,
}

impl TelemetryCounters {
    /// Returns the number of events that were acknowledged with status 200.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.0.received.load(Ordering::Relaxed)
    }

    /// Returns the number of events for which the handler returned `Ok`.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.0.delivered.load(Ordering::Relaxed)
    }

    /// Returns the number of batches that were rejected with status 503, because the buffer was full
    /// (`FG_TELEMETRY_BUFFER`) or the extension was shutting down.
    ///
    /// A batch is usually rejected before it is read, so the number of its events is unknown. The sender can post it
    /// again.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.0.rejected.load(Ordering::Relaxed)
    }

    /// Returns the number of events that were acknowledged but will not be delivered, because the handler failed for
    /// `FG_TELEMETRY_TIMEOUT` or the extension shut down first.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// Returns the number of bytes in the buffer, including the events that the handler is currently called with.
    #[must_use]
    pub fn bytes_queued(&self) -> u64 {
        self.0.bytes_queued.load(Ordering::Relaxed)
    }

    pub(super) fn counts(&self) -> &Counts {
        &self.0
    }
}

impl fmt::Debug for TelemetryCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TelemetryCounters")
            .field("received", &self.received())
            .field("delivered", &self.delivered())
            .field("rejected", &self.rejected())
            .field("lost", &self.lost())
            .field("bytes_queued", &self.bytes_queued())
            .finish()
    }
}
