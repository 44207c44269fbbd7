use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What became of the telemetry that was posted, counted in events: a handle, whose clones count the same.
///
/// [`Registration::telemetry`](crate::Registration::telemetry) is the handle of the extension's own subscription.
/// Whatever was received was delivered, is lost, or waits. Each count is read on its own, so that on several threads
/// they may be of different moments.
#[derive(Clone, Default)]
pub struct TelemetryCounters(Arc<Counts>);

#[derive(Default)]
pub(super) struct Counts {
    pub(super) received: AtomicU64,
    pub(super) delivered: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) bytes_queued: AtomicU64,
}

impl TelemetryCounters {
    /// Events whose batch was acknowledged with status 200.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.0.received.load(Ordering::Relaxed)
    }

    /// Events that the handler took.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.0.delivered.load(Ordering::Relaxed)
    }

    /// Events whose batch was refused with status 503, since there was no room for it or the end had come: the sender
    /// still has them.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    /// Events that were acknowledged and not delivered: the handler failed for `FG_TELEMETRY_TIMEOUT`, the oldest
    /// made room for the newest (`FG_TELEMETRY_OVERFLOW`), or the end came first.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// The bytes of JSON that wait for the handler, or for its end.
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
            .field("refused", &self.refused())
            .field("lost", &self.lost())
            .field("bytes_queued", &self.bytes_queued())
            .finish()
    }
}
