//! The definition of a telemetry subscription.

use serde::Serialize;

use crate::Port;

/// A telemetry subscription: the types to subscribe to, and the port that telemetry is posted to.
///
/// It is the type of [`TelemetryHandler::SUBSCRIPTION`](crate::TelemetryHandler::SUBSCRIPTION).
///
/// ```
/// use fg_extension::{Port, Subscription, TelemetryType};
///
/// const TELEMETRY: Subscription =
///     Subscription::new(Port::new(8082), &[TelemetryType::Platform, TelemetryType::Function]);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Subscription {
    port: Port,
    types: &'static [TelemetryType],
}

impl Subscription {
    /// Creates a subscription to the given types, posted to `port`.
    ///
    /// # Panics
    ///
    /// Panics if `types` is empty or contains a type twice. In a constant, this is a compile error.
    #[track_caller]
    #[must_use]
    pub const fn new(port: Port, types: &'static [TelemetryType]) -> Self {
        assert!(!types.is_empty(), "a subscription needs at least one type");
        let mut i = 0;
        while i < types.len() {
            let mut j = 0;
            while j < i {
                assert!(
                    types[i] as u8 != types[j] as u8,
                    "a subscription must not contain a type twice"
                );
                j += 1;
            }
            i += 1;
        }
        Self { port, types }
    }

    /// Returns the port that telemetry is posted to.
    #[must_use]
    pub const fn port(self) -> Port {
        self.port
    }

    /// Returns the telemetry types. There is at least one, and each occurs once.
    #[must_use]
    pub const fn types(self) -> &'static [TelemetryType] {
        self.types
    }
}

/// A type of telemetry that an extension can subscribe to (D 2712).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TelemetryType {
    /// Events of the platform about the lifecycle of the instance and about each invocation.
    Platform,
    /// Log lines of the function.
    Function,
    /// Log lines of the extensions.
    Extension,
}
