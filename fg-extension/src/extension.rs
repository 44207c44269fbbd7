//! The traits that an extension implements: [`Extension`], and [`TelemetryHandler`] if it subscribes to telemetry.

use std::future::Future;
use std::time::Duration;

use crate::{
    Error, ExtensionName, Invocation, Port, Registration, Subscription, TelemetryCounters,
    TelemetryEvent,
};

/// An extension, as [`run`](crate::run) drives it; [`#[extension]`](macro@crate::extension) is sugar for it.
///
/// ```no_run
/// use fg_extension::{Error, Extension, ExtensionName, Invocation, Port, Registration};
///
/// struct Counter {
///     invocations: std::sync::atomic::AtomicU64,
/// }
///
/// impl Extension for Counter {
///     const NAME: ExtensionName = ExtensionName::new("extensionCounter.sh");
///     const PORT: Port = Port::new(8082);
///
///     async fn init(_: &Registration) -> Result<Self, Error> {
///         Ok(Self { invocations: 0.into() })
///     }
///
///     async fn invoke(&self, _: Invocation) -> Result<(), Error> {
///         self.invocations.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
///         Ok(())
///     }
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
///     let ended = runtime.block_on(fg_extension::run::<Counter>());
///     runtime.shutdown_background();
///     Ok(ended?)
/// }
/// ```
///
/// `examples/own-main` does the same on a runtime of several threads.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no extension",
    label = "no `Extension`",
    note = "put `#[extension(name = \"extensionHello.sh\", port = 8081)]` on `impl {Self}`, or implement the trait `Extension` for it"
)]
pub trait Extension: Sized + Send + Sync + 'static {
    /// The complete file name of the start script: the extension registers under it.
    const NAME: ExtensionName;

    /// The port of the extension's HTTP server, unless `FG_EXTENSION_PORT` gives another.
    const PORT: Port;

    /// The longest that one invocation may take, if there is a limit; longer than zero. See [`Self::invoke`].
    const TIMEOUT: Option<Duration> = None;

    /// Makes the extension, once it is registered, beside the platform's own initialisation.
    ///
    /// Invocations that come meanwhile wait, and are then served. There is no limit of time but the platform's own.
    ///
    /// # Errors
    ///
    /// An error, and a panic likewise, ends the process: [`RunError::is_init`](crate::RunError::is_init). Invocations
    /// that waited are then refused, by a connection that breaks.
    ///
    /// # Cancel safety
    ///
    /// If a signal asks for the end meanwhile (`POST /extension/shutdown` waits like an invocation), the future is
    /// dropped, and [`Self::shutdown`] is not called: there is nothing yet to shut down.
    fn init(registration: &Registration) -> impl Future<Output = Result<Self, Error>> + Send;

    /// Handles one invocation of the function. Those in flight run side by side.
    ///
    /// What blocks the thread belongs into `tokio::task::spawn_blocking`: on the generated `main`'s runtime all
    /// handlers share one thread, and on a runtime of several a blocked thread may hold up others, and the end.
    ///
    /// # Errors
    ///
    /// An error, and a panic likewise, is logged and answered with status 500; the extension serves on.
    ///
    /// # Cancel safety
    ///
    /// A handler runs to its end, also when the platform has hung up, but for two cases: after
    /// [`Self::TIMEOUT`], and when it is still not done as the time for the end runs out (`FG_SHUTDOWN_TIMEOUT`).
    /// Then it is dropped where it waits, at an `.await`, and the answer is status 500. So what must not be left
    /// half done belongs between two `.await`s, or into a task of its own. One that blocks its thread instead of
    /// waiting cannot be dropped: on a runtime of several threads it may still run beside [`Self::shutdown`].
    fn invoke(&self, invocation: Invocation) -> impl Future<Output = Result<(), Error>> + Send;

    /// Ends the extension in order: flushes, says goodbye. Called once, after the last invocation ended and the
    /// telemetry that was acknowledged is delivered.
    ///
    /// # Errors
    ///
    /// An error, and a panic likewise, is [`RunError::is_shutdown`](crate::RunError::is_shutdown), and taking longer
    /// than what is left of `FG_SHUTDOWN_TIMEOUT` is
    /// [`RunError::is_shutdown_timeout`](crate::RunError::is_shutdown_timeout). A quarter of it, half a second at most, is kept for
    /// this: invocations that are still in flight by then are dropped, and within a moment their clients told.
    /// With `0s` a `shutdown` that waits fails.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped when the time is up, at an `.await`: what blocks the thread cannot be cut short.
    fn shutdown(&self) -> impl Future<Output = Result<(), Error>> + Send {
        async { Ok(()) }
    }
}

/// An extension that subscribes to telemetry, as [`run_with_telemetry`](crate::run_with_telemetry) drives it
/// (D 2710: one extension of a function may).
///
/// `#[telemetry]` in an [`#[extension]`](macro@crate::extension) block is sugar for it.
///
/// ```no_run
/// use fg_extension::{
///     Error, Extension, ExtensionName, Invocation, Port, Registration, Subscription, TelemetryCounters, TelemetryEvent,
///     TelemetryHandler, TelemetryType,
/// };
///
/// struct Printer;
///
/// impl Extension for Printer {
///     const NAME: ExtensionName = ExtensionName::new("extensionPrinter.sh");
///     const PORT: Port = Port::new(8083);
///
///     async fn init(_: &Registration) -> Result<Self, Error> {
///         Ok(Self)
///     }
///
///     async fn invoke(&self, _: Invocation) -> Result<(), Error> {
///         Ok(())
///     }
/// }
///
/// impl TelemetryHandler for Printer {
///     const SUBSCRIPTION: Subscription = Subscription::new(Port::new(8084), &[TelemetryType::Platform]);
///
///     async fn telemetry(&self, events: Vec<TelemetryEvent>, counters: &TelemetryCounters) -> Result<(), Error> {
///         println!("{events:?}, {} rejected so far", counters.rejected());
///         Ok(())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not handle telemetry",
    label = "no `TelemetryHandler`",
    note = "mark a method of `{Self}` with `#[telemetry(port = 8082, types(platform, function, extension))]`, or implement the trait `TelemetryHandler` for it",
    note = "`fg_extension::run` runs an extension without telemetry"
)]
pub trait TelemetryHandler: Extension {
    /// What the extension subscribes to.
    ///
    /// The port is listened on before the extension registers; then it subscribes, beside [`init`](Extension::init), and
    /// tries again as it does to register. If that fails, one log line says so, and the extension serves on without
    /// telemetry.
    const SUBSCRIPTION: Subscription;

    /// Handles telemetry, one call after the other: events in order of arrival.
    ///
    /// A batch is acknowledged to the platform once it is in a queue (`FG_TELEMETRY_BUFFER`). One call has one batch,
    /// or several that came while the call before it ran, up to 256 KiB of JSON.
    ///
    /// # Errors
    ///
    /// After an error, and a panic likewise, it is called again with the same events, after a pause that doubles from
    /// 50 ms to a second; if they were those of several batches, with one batch after the other. A batch that it has
    /// not taken in `FG_TELEMETRY_TIMEOUT` is lost, counted
    /// ([`TelemetryCounters::lost`](crate::TelemetryCounters::lost)), and reported. Lines about telemetry come one a
    /// second at most, so that an extension that subscribes to what extensions log does not feed itself.
    ///
    /// Events can come twice: after an error, and when the platform posts a batch again whose answer it did not see.
    ///
    /// # Cancel safety
    ///
    /// One call may take half of what is left of `FG_TELEMETRY_TIMEOUT`. Then, and when the time for the end runs out,
    /// it is dropped where it waits, at an `.await`; it is called again with the same events if there is time.
    fn telemetry(
        &self,
        events: Vec<TelemetryEvent>,
        counters: &TelemetryCounters,
    ) -> impl Future<Output = Result<(), Error>> + Send;
}
