//! Logging: the default `tracing` subscriber, the writer of its lines, and the throttle for log lines about telemetry.

#[cfg(feature = "stderr-log")]
mod decimal;
#[cfg(feature = "stderr-log")]
pub(crate) mod subscriber;
pub(crate) mod throttle;
pub(crate) mod writer;
