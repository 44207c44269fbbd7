//! The attribute on an impl, whose methods have the trait's own names and refuse all that clippy refuses.

#![no_implicit_prelude]
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, unreachable_pub)]
#![deny(clippy::all, clippy::pedantic)]

use ::renamed::{Invocation, Registration, TelemetryCounters, TelemetryEvent, extension};
use ::std::string::String;
use ::std::vec::Vec;

mod std {}

/// Not the prelude's.
pub(crate) struct Result;

/// Nothing but a name.
pub(crate) struct Forwarder {
    function: String,
}

#[extension(name = "extensionMethods.sh", port = 8081, crate = ::renamed)]
impl Forwarder {
    /// Of the platform's range.
    const TELEMETRY_PORT: u16 = 8082;

    /// Remembers the function.
    #[init]
    pub(crate) async fn init(registration: &Registration) -> Self {
        let Registration { function_name, .. } = registration;
        let function = ::std::clone::Clone::clone(function_name);
        Self {
            function: function.unwrap_or_default(),
        }
    }

    /// Does nothing.
    #[invoke]
    async fn invoke(&self, _: Invocation) {}

    /// Has parameters that are called as those of the trait.
    #[cfg(not(windows))]
    #[telemetry(port = Forwarder::TELEMETRY_PORT, types(extension, platform, function))]
    async fn telemetry(
        &self,
        events: Vec<TelemetryEvent>,
        counters: &TelemetryCounters,
    ) -> ::std::result::Result<(), String> {
        let _ = (events, counters.received());
        ::std::result::Result::Ok(())
    }

    /// Fails if there was no function.
    #[shutdown]
    async fn shutdown(&self) -> ::std::result::Result<(), &'static str> {
        self.end()
    }

    fn end(&self) -> ::std::result::Result<(), &'static str> {
        let Result = Result;
        if self.function.is_empty() {
            ::std::result::Result::Err("there was no function")
        } else {
            ::std::result::Result::Ok(())
        }
    }
}
