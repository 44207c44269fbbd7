//! Log lines: the default subscriber, and the throttle of lines about requests and telemetry.

#[cfg(feature = "stderr-log")]
pub(crate) mod subscriber;
pub(crate) mod throttle;
