//! Counters of exported, dropped, and rejected items.

use std::fmt;

use crate::signal::Signal;

/// How many spans, log records, and received data points were exported, dropped, and rejected so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct ExportCounters {
    pub(crate) exported: ItemCounts,
    /// Dropped because the queue was full.
    pub(crate) dropped: ItemCounts,
    /// Rejected permanently by the collector.
    pub(crate) rejected: ItemCounts,
    /// The size of the encoded items that wait to be sent or are in flight.
    pub(crate) queued_bytes: usize,
}

/// A number of spans, of log records, and of data points that were received from the function.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct ItemCounts {
    pub(crate) spans: u64,
    pub(crate) log_records: u64,
    pub(crate) data_points: u64,
}

impl ItemCounts {
    pub(super) fn add(&mut self, signal: Signal, count: u64) {
        match signal {
            Signal::Traces => self.spans += count,
            Signal::Logs => self.log_records += count,
            Signal::Metrics => self.data_points += count,
        }
    }

    pub(super) fn is_zero(self) -> bool {
        self == Self::default()
    }
}

impl fmt::Display for ExportCounters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exported so far: {}", self.exported)?;
        for (label, counts) in [
            ("dropped because the buffer was full", self.dropped),
            ("rejected", self.rejected),
        ] {
            if !counts.is_zero() {
                write!(f, "; {label}: {counts}")?;
            }
        }
        match self.queued_bytes {
            0 => Ok(()),
            bytes => write!(f, "; queued: {bytes} bytes"),
        }
    }
}

impl fmt::Display for ItemCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (spans, logs) = (
            Signal::Traces.count(self.spans),
            Signal::Logs.count(self.log_records),
        );
        write!(f, "{spans}, {logs}")?;
        match self.data_points {
            0 => Ok(()),
            count => write!(f, ", {}", Signal::Metrics.count(count)),
        }
    }
}
