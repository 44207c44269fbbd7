//! Sends what was translated to a collector: OTLP over HTTP.

mod backoff;
mod body;
mod buffer;
mod connect;
mod exporter;
mod report;
mod rhythm;
mod send;
mod settings;
mod state;
mod text;
mod time;
mod worker;

#[cfg(test)]
mod tests;

use std::fmt;

pub(crate) use body::Snapshot;
pub(crate) use exporter::{Counts, Exporter};
pub(crate) use settings::Settings;

/// One of the three kinds of telemetry that OTLP carries, each to its own endpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Signal {
    Traces,
    Metrics,
    Logs,
}

impl Signal {
    const ALL: [Self; 3] = [Self::Traces, Self::Metrics, Self::Logs];

    /// Its place in [`ALL`](Self::ALL).
    fn index(self) -> usize {
        self as usize
    }

    /// As it is part of the name of a setting.
    fn setting(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Metrics => "METRICS",
            Self::Logs => "LOGS",
        }
    }

    /// Where the signal lives below a collector's address.
    fn path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
        }
    }
}

/// What is sent of the signal.
impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Traces => "spans",
            Self::Metrics => "metrics",
            Self::Logs => "log records",
        })
    }
}
