//! `#[extension]` on an `impl` block that has only a `#[telemetry]` method, because `#[cfg]` removes the others.

#![deny(warnings, missing_docs, unreachable_pub)]
#![deny(clippy::all, clippy::pedantic)]

use renamed::{Error, Registration, TelemetryEvent, extension};

/// Has no `#[init]` method, so it implements `Default`.
#[derive(Default)]
pub(crate) struct Archive;

/// Has another attribute.
#[extension(name = "extensionArchive.sh", port = 8081, crate = renamed)]
#[allow(clippy::unnecessary_wraps)]
impl Archive {
    #[cfg(windows)]
    #[init]
    async fn open(_: &Registration) -> Result<Self, Error> {
        Err("unsupported platform".into())
    }

    #[cfg(windows)]
    #[invoke]
    async fn on_invoke(&self, _: renamed::Invocation) {}

    #[telemetry(port = 8081, types(extension))]
    async fn append(&self, events: Vec<TelemetryEvent>) -> Result<(), Error> {
        Self::count(&events)
    }

    #[cfg(windows)]
    #[shutdown]
    async fn close(&self) {}

    fn count(events: &[TelemetryEvent]) -> Result<(), Error> {
        events.len().to_string();
        let _: Option<&Registration> = None;
        Ok(())
    }
}
