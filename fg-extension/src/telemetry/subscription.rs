//! What an extension subscribes to.

use serde::Serialize;

use crate::Port;

/// The telemetry that an extension subscribes to, and the port it is posted to
/// ([`TelemetryHandler::SUBSCRIPTION`](crate::TelemetryHandler::SUBSCRIPTION)).
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
    /// Returns a subscription to these types, posted to this port; for constants.
    ///
    /// # Panics
    ///
    /// If there are no types, or one is there twice; in a `const`, that is an error at compile time.
    #[track_caller]
    #[must_use]
    pub const fn new(port: Port, types: &'static [TelemetryType]) -> Self {
        assert!(!types.is_empty(), "a subscription has one type at least");
        let mut i = 0;
        while i < types.len() {
            let mut j = 0;
            while j < i {
                assert!(
                    types[i] as u8 != types[j] as u8,
                    "a subscription has each type once"
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

    /// Returns the types; one at least, each once.
    #[must_use]
    pub const fn types(self) -> &'static [TelemetryType] {
        self.types
    }
}

/// A stream of telemetry (D 2710).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TelemetryType {
    /// What the platform reports of an instance's lifecycle and of each invocation.
    Platform,
    /// What the function logs.
    Function,
    /// What the extensions log.
    Extension,
}
