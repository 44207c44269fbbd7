//! Logging: the default `tracing` subscriber, the writer of its lines, and the throttle for log lines about telemetry.

#[macro_use]
pub(crate) mod macros;

#[cfg(feature = "stderr-log")]
mod decimal;
#[cfg(feature = "stderr-log")]
pub(crate) mod subscriber;
pub(crate) mod throttle;
pub(crate) mod writer;
