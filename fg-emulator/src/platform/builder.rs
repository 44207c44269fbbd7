//! [`PlatformBuilder`]: starts a platform with an observer, faults, and settings of the function.

use std::fmt;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpListener;

use super::Platform;
use crate::function::FunctionSettings;
use crate::http::{self, Api};
use crate::inner::Inner;
use crate::observer::Callback;
use crate::{Error, Event, Faults, telemetry};

/// A builder for a [`Platform`] with an observer, with faults, or with settings of the function.
#[derive(Default)]
pub struct PlatformBuilder {
    observer: Option<Callback>,
    faults: Faults,
    port: u16,
    settings: FunctionSettings,
}

impl PlatformBuilder {
    /// Sets a closure that is called for every [`Event`]. The platform's tasks call it, so it must not block, and it must not
    /// call methods of the platform.
    ///
    /// The observer may contain assertions. If it panics, the platform method that the test is awaiting panics with the
    /// same message, or else the next method that the test calls. [`shutdown`](Platform::shutdown) first stops the
    /// processes, then panics. If the test does not call another method, dropping the platform panics.
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

    /// Sets the faults that the platform injects. By default it injects none.
    #[must_use]
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }

    /// Sets the port of the API on 127.0.0.1. By default, or if it is 0, the API listens on a free port.
    ///
    /// A fixed port is for programs that are started elsewhere with a fixed `EXTENSION_API_ADDR`, for example in a
    /// debugger.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Sets how long an invocation of the function may take (default: 30 seconds).
    ///
    /// A longer one fails with [`FunctionOutcome::Timeout`](crate::FunctionOutcome::Timeout). The process of the function, if
    /// there is one, is then killed, and started again for the next invocation (I). The function and the extensions find the
    /// time-out in `RUNTIME_TIMEOUT`, in seconds, rounded up (D functiongraph_01_0154 for a function, I for an extension).
    #[must_use]
    pub fn function_timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// Sets how long the process of the function may take to initialize (default: 15 seconds): to request its first event,
    /// or to listen on port 8000.
    ///
    /// If it is set, it is in `RUNTIME_INITIALIZER_TIMEOUT` as well, in seconds, rounded up (D functiongraph_01_0154). The
    /// platform allows 1 to 300 seconds (D functiongraph_01_0201).
    #[must_use]
    pub fn init_timeout(mut self, timeout: Duration) -> Self {
        self.settings.init_timeout = Some(timeout);
        self
    }

    /// Adds a variable to the user data: the variables that a user sets for the function in the platform's console.
    ///
    /// The function and the extensions find them in the environment variable `RUNTIME_USERDATA`, as a JSON object of strings
    /// (D functiongraph_01_0154 for a function, I for an extension). Without user data, the variable is not set (?). Whether
    /// the platform also sets an environment variable for each of them is unknown (?): use
    /// [`ExtensionCommand::env`](crate::ExtensionCommand::env) to emulate that.
    ///
    /// ```no_run
    /// # async fn test() -> Result<(), fg_emulator::Error> {
    /// use fg_emulator::Platform;
    ///
    /// let platform = Platform::builder()
    ///     .user_data("COLLECTOR", "http://192.0.2.7:4318")
    ///     .start()
    ///     .await?; // RUNTIME_USERDATA={"COLLECTOR":"http://192.0.2.7:4318"}
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn user_data(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.user_data.insert(name.into(), value.into());
        self
    }

    /// Starts the platform. Its API listens on 127.0.0.1.
    ///
    /// # Errors
    ///
    /// See [`Platform::start`]. Also returns an error if the [port](Self::port) is in use.
    ///
    /// # Panics
    ///
    /// See [`Platform::start`].
    ///
    /// # Cancel safety
    ///
    /// See [`Platform::start`].
    pub async fn start(self) -> Result<Platform, Error> {
        let context = || Error::context::<std::io::Error>("cannot start the platform");
        let directory = TempDir::with_prefix("fg-emulator-").map_err(context())?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port))
            .await
            .map_err(context())?;
        let address = listener.local_addr().map_err(context())?;
        let observer = self.observer.unwrap_or_else(|| Box::new(|_| {}));
        let inner = Arc::new(Inner::new(
            address,
            directory.path(),
            self.settings,
            self.faults,
            observer,
        )?);
        let server = tokio::spawn(http::serve(listener, Api::Extension, Arc::clone(&inner)));
        let delivery = tokio::spawn(telemetry::deliver(Arc::clone(&inner)));
        Ok(Platform {
            inner,
            directory,
            processes: Mutex::default(),
            function: Mutex::default(),
            freezing: Mutex::default(),
            server,
            delivery,
        })
    }
}

impl fmt::Debug for PlatformBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlatformBuilder")
            .field("faults", &self.faults)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::PlatformBuilder;

    #[test]
    fn debug_omits_values_of_the_user_data() {
        let builder = PlatformBuilder::default().user_data("TOKEN", "s3cret");
        let text = format!("{builder:?}");
        assert!(text.contains("TOKEN"), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}
