//! What became of spans and log records, in numbers.

use std::fmt;

use crate::signal::Signal;

/// What became of the spans and log records so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct ExportCounters {
    pub(crate) exported: ItemCounts,
    /// Because the queue was full.
    pub(crate) dropped: ItemCounts,
    /// By the collector, for good.
    pub(crate) rejected: ItemCounts,
    /// Encoded, and waiting to be sent or to be confirmed.
    pub(crate) queued_bytes: usize,
}

/// A number of spans and one of log records.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct ItemCounts {
    pub(crate) spans: u64,
    pub(crate) log_records: u64,
}

impl ItemCounts {
    pub(super) fn add(&mut self, signal: Signal, count: u64) {
        match signal {
            Signal::Traces => self.spans += count,
            Signal::Logs => self.log_records += count,
            Signal::Metrics => {}
        }
    }

    pub(super) fn is_zero(self) -> bool {
        self == Self::default()
    }
}

impl fmt::Display for ExportCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "so far exported: {}", self.exported)?;
        for (label, counts) in [
            ("dropped for want of room", self.dropped),
            ("rejected", self.rejected),
        ] {
            if !counts.is_zero() {
                write!(f, "; {label}: {counts}")?;
            }
        }
        match self.queued_bytes {
            0 => Ok(()),
            bytes => write!(f, "; waiting: {bytes} bytes"),
        }
    }
}

impl fmt::Display for ItemCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} spans, {} log records", self.spans, self.log_records)
    }
}
