//! `#[extension]` on an `impl` block whose methods have the names of the trait methods, with all clippy lints denied.

#![no_implicit_prelude]
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, unreachable_pub)]
#![deny(clippy::all, clippy::pedantic)]

use ::renamed::{Invocation, Registration, TelemetryCounters, TelemetryEvent, extension};
use ::std::string::String;
use ::std::vec::Vec;

mod std {}

/// Shadows the type in the prelude.
pub(crate) struct Result;

/// The extension.
pub(crate) struct Forwarder {
    function: String,
}

#[extension(name = "extensionMethods.sh", port = 8081, crate = ::renamed)]
impl Forwarder {
    /// A port in the range of the platform.
    const TELEMETRY_PORT: u16 = 8082;

    /// Stores the name of the function.
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

    /// Has the parameter names of the trait method.
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

    /// Fails if the name of the function is unknown.
    #[shutdown]
    async fn shutdown(&self) -> ::std::result::Result<(), &'static str> {
        self.check_function()
    }

    fn check_function(&self) -> ::std::result::Result<(), &'static str> {
        let Result = Result;
        if self.function.is_empty() {
            ::std::result::Result::Err("the name of the function is unknown")
        } else {
            ::std::result::Result::Ok(())
        }
    }
}
