use serde::Serialize;

use crate::Port;

/// What an extension subscribes to, and where it is posted ([`Extension::TELEMETRY`](crate::Extension::TELEMETRY)).
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
    /// A subscription to these types, posted to this port.
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

    /// The port that telemetry is posted to.
    #[must_use]
    pub const fn port(self) -> Port {
        self.port
    }

    /// What is subscribed to; not empty.
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
