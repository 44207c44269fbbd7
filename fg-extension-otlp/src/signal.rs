//! The three signals of OTLP: traces, metrics, and logs.

use std::fmt;

/// One of the three kinds of telemetry that OTLP carries. Each has its own endpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Signal {
    Traces,
    Metrics,
    Logs,
}

impl Signal {
    pub(crate) const ALL: [Self; 3] = [Self::Traces, Self::Metrics, Self::Logs];

    /// Returns the index in [`ALL`](Self::ALL).
    pub(crate) fn index(self) -> usize {
        self as usize
    }

    /// Returns the part of an environment variable's name that names this signal.
    pub(crate) fn env_name(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Metrics => "METRICS",
            Self::Logs => "LOGS",
        }
    }

    /// Returns the path of this signal, relative to a collector's base URL.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
        }
    }

    /// Formats a number of items for a log line, such as `2 spans`.
    pub(crate) fn count(self, count: u64) -> String {
        match (self, count) {
            (Self::Traces, 1) => "1 span".to_owned(),
            (Self::Logs, 1) => "1 log record".to_owned(),
            (Self::Metrics, 0) => "metrics".to_owned(),
            (Self::Metrics, 1) => "1 data point".to_owned(),
            (Self::Metrics, _) => format!("{count} data points"),
            (signal, _) => format!("{count} {signal}"),
        }
    }
}

/// Names the items of the signal.
impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Traces => "spans",
            Self::Metrics => "metrics",
            Self::Logs => "log records",
        })
    }
}
