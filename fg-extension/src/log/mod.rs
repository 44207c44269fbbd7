//! Logging: the default `tracing` subscriber, and the throttle for log lines about telemetry.

#[cfg(feature = "stderr-log")]
pub(crate) mod subscriber;
pub(crate) mod throttle;
