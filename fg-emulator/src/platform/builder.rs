//! What a platform starts with.

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::net::TcpListener;

use super::Platform;
use crate::http::{self, Api};
use crate::inner::Inner;
use crate::observer::Callback;
use crate::{Error, Event, Faults, telemetry};

/// Starts a [`Platform`] with an observer, or with faults.
#[derive(Default)]
pub struct PlatformBuilder {
    observer: Option<Callback>,
    faults: Faults,
}

impl PlatformBuilder {
    /// Reports what happens to an observer. It is called from the platform's tasks, and should return soon.
    ///
    /// An observer may assert. If it panics, the method of the platform that the test waits for panics with the same
    /// message, or the next one does; [`shutdown`](Platform::shutdown) panics once it has stopped the processes. If the
    /// test calls no method any more, dropping the platform panics.
    ///
    /// ```should_panic
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fg_emulator::Error> {
    /// use fg_emulator::{ExtensionCommand, Event, Platform};
    ///
    /// let platform = Platform::builder()
    ///     .observer(|event| {
    ///         if let Event::Output(line) = event {
    ///             assert!(!line.text.contains("error"), "{}", line.text);
    ///         }
    ///     })
    ///     .start()
    ///     .await?;
    /// let extension = ExtensionCommand::new("extensionNightWatch.sh", "echo").arg("error: no stars");
    /// platform.boot(extension).await?; // panics: error: no stars
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn observer(mut self, observer: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Injects these faults; none by default.
    #[must_use]
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// Starts the platform, on a free port.
    ///
    /// # Errors
    ///
    /// As [`Platform::start`].
    ///
    /// # Panics
    ///
    /// As [`Platform::start`].
    ///
    /// # Cancel safety
    ///
    /// As [`Platform::start`].
    pub async fn start(self) -> Result<Platform, Error> {
        let cannot = || Error::because::<std::io::Error>("cannot start the platform");
        let folder = TempDir::with_prefix("fg-emulator-").map_err(cannot())?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(cannot())?;
        let address = listener.local_addr().map_err(cannot())?;
        let observer = self.observer.unwrap_or_else(|| Box::new(|_| {}));
        let inner = Arc::new(Inner::new(address, folder.path(), self.faults, observer)?);
        let server = tokio::spawn(http::serve(listener, Api::Extension, Arc::clone(&inner)));
        let delivery = tokio::spawn(telemetry::deliver(Arc::clone(&inner)));
        Ok(Platform {
            inner,
            folder,
            processes: Mutex::default(),
            function: Mutex::default(),
            server,
            delivery,
        })
    }
}

impl fmt::Debug for PlatformBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlatformBuilder")
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}
