//! What becomes of the telemetry, in numbers.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts what became of the telemetry that was posted, in events: a handle, whose clones count the same.
///
/// Those of the extension's own subscription are passed to
/// [`TelemetryHandler::telemetry`](crate::TelemetryHandler::telemetry).
/// Whatever was received was delivered, is lost, or waits. Each count is read on its own, so that on several threads
/// they may be of different moments.
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
    /// Returns how many events were acknowledged, with status 200.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.0.received.load(Ordering::Relaxed)
    }

    /// Returns how many events the handler accepted.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.0.delivered.load(Ordering::Relaxed)
    }

    /// Returns how many events were rejected with status 503, since there was no room for their batch
    /// (`FG_TELEMETRY_BUFFER`) or the extension was shutting down: the sender still has them.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        self.0.rejected.load(Ordering::Relaxed)
    }

    /// Returns how many events were acknowledged and not delivered: the handler failed for `FG_TELEMETRY_TIMEOUT`, or
    /// the extension shut down first.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// Returns how many bytes of JSON wait for the handler, those that it is called with included.
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
