//! Sends what was translated to a collector: OTLP over HTTP.

mod backoff;
mod body;
mod buffer;
mod connect;
mod rhythm;
mod send;
mod settings;
mod text;
mod time;

/// One of the three kinds of telemetry that OTLP carries, each to its own endpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Signal {
    Traces,
    Metrics,
    Logs,
}

impl Signal {
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
