//! The traits that an extension implements: [`Extension`], and [`TelemetryHandler`] if it subscribes to telemetry.

use std::future::Future;
use std::time::Duration;

use crate::{
    Error, ExtensionName, Invocation, Port, Registration, Subscription, TelemetryCounters,
    TelemetryEvent,
};

/// An extension: its name, its port, and the handlers that [`run`](fn@crate::run) calls.
///
/// The [`#[extension]`](macro@crate::extension) attribute implements this trait. Implement it yourself to write your
/// own `main`:
///
/// ```no_run
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use fg_extension::{Error, Extension, ExtensionName, Invocation, Port, Registration};
///
/// struct Counter {
///     invocations: AtomicU64,
/// }
///
/// impl Extension for Counter {
///     const NAME: ExtensionName = ExtensionName::new("extensionCounter.sh");
///     const PORT: Port = Port::new(8082);
///
///     async fn init(_: &Registration) -> Result<Self, Error> {
///         Ok(Self { invocations: AtomicU64::new(0) })
///     }
///
///     async fn invoke(&self, _: Invocation) -> Result<(), Error> {
///         self.invocations.fetch_add(1, Ordering::Relaxed);
///         Ok(())
///     }
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
///     let result = runtime.block_on(fg_extension::run::<Counter>());
///     runtime.shutdown_background();
///     Ok(result?)
/// }
/// ```
///
/// `examples/own-main` does the same on a multi-threaded runtime.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an extension",
    label = "the trait `Extension` is not implemented for `{Self}`",
    note = "put `#[extension(name = \"extensionHello.sh\", port = 8081)]` on `impl {Self}`, or implement the trait `Extension` for it"
)]
pub trait Extension: Sized + Send + Sync + 'static {
    /// The complete file name of the start script, under which the extension registers.
    const NAME: ExtensionName;

    /// The port of the extension's HTTP server. The setting `FG_EXTENSION_PORT` overrides it.
    const PORT: Port;

    /// The maximum duration of one invocation. The default, `None`, means no limit.
    ///
    /// [`run`](fn@crate::run) does not compile for an extension whose timeout is zero. See [`Self::invoke`] for what
    /// happens to an invocation that exceeds it.
    const TIMEOUT: Option<Duration> = None;

    /// Creates the extension, once it is registered.
    ///
    /// It runs concurrently with the platform's own initialization of the function. Invocations that arrive before it
    /// completes are queued, and handled afterwards. The runtime sets no time limit; the platform may.
    ///
    /// # Errors
    ///
    /// If this method returns an error or panics, [`run`](fn@crate::run) returns an error for which
    /// [`RunError::is_init`](crate::RunError::is_init) is true. The connections of queued invocations are closed
    /// without a response.
    ///
    /// # Cancel safety
    ///
    /// If SIGTERM, SIGINT or SIGHUP arrives before `init` completes, the future is dropped and
    /// [`run`](fn@crate::run) returns without calling [`Self::shutdown`]. A `POST /extension/shutdown` is queued like an
    /// invocation and does not cancel it.
    fn init(registration: &Registration) -> impl Future<Output = Result<Self, Error>> + Send;

    /// Handles one invocation of the function.
    ///
    /// Several invocations can be in flight at once, and their handlers run concurrently. Use
    /// `tokio::task::spawn_blocking` for work that blocks: all handlers share the single thread of the generated
    /// `main`'s runtime. Even on a multi-threaded runtime, a blocked thread can delay other handlers and the shutdown.
    ///
    /// # Errors
    ///
    /// An error or a panic is logged, and the response to the platform has status 500. The extension keeps running.
    ///
    /// # Cancel safety
    ///
    /// A handler runs to completion even if the platform closes the connection. It is canceled in two cases: when it
    /// exceeds [`Self::TIMEOUT`], and when only the part of `FG_SHUTDOWN_TIMEOUT` that is reserved for
    /// [`Self::shutdown`] is left. The future is then dropped at the `.await` where it is suspended, and the response
    /// has status 500. Avoid an `.await` in the middle of work that must not be left half done, or move that work to a
    /// task of its own with `tokio::spawn`.
    ///
    /// A handler that blocks its thread cannot be canceled, and is logged if it blocks for more than 100 ms. If it completes
    /// after [`Self::TIMEOUT`], the response has status 500. If it blocks when the shutdown should have completed, the
    /// generated `main` ends the process with exit status 1. On a multi-threaded runtime it may still be running when
    /// [`Self::shutdown`] is called.
    fn invoke(&self, invocation: Invocation) -> impl Future<Output = Result<(), Error>> + Send;

    /// Shuts the extension down, for example by flushing its buffers.
    ///
    /// It is called once, after the last invocation has completed and all acknowledged telemetry has been delivered.
    /// The default implementation does nothing.
    ///
    /// A quarter of `FG_SHUTDOWN_TIMEOUT`, but at most half a second, is reserved for this method: when the rest of the
    /// time is used up, invocations that are still in flight and the delivery of telemetry are aborted.
    ///
    /// # Errors
    ///
    /// If this method returns an error or panics, [`run`](fn@crate::run) returns an error for which
    /// [`RunError::is_shutdown`](crate::RunError::is_shutdown) is true. If it does not complete within
    /// `FG_SHUTDOWN_TIMEOUT`, [`RunError::is_shutdown_timeout`](crate::RunError::is_shutdown_timeout) is true. With a
    /// timeout of `0s`, this happens as soon as the method has to wait.
    ///
    /// # Cancel safety
    ///
    /// When the time is up, the future is dropped at the `.await` where it is suspended. A method that blocks its
    /// thread cannot be canceled.
    fn shutdown(&self) -> impl Future<Output = Result<(), Error>> + Send {
        async { Ok(()) }
    }
}

/// An extension that subscribes to telemetry, run by [`run_with_telemetry`](crate::run_with_telemetry).
///
/// At most one extension of a function can subscribe (D 2711). A `#[telemetry]` method in an
/// [`#[extension]`](macro@crate::extension) block implements this trait.
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
    label = "the trait `TelemetryHandler` is not implemented for `{Self}`",
    note = "mark a method of `{Self}` with `#[telemetry(port = 8082, types(platform, function, extension))]`, or implement the trait `TelemetryHandler` for it",
    note = "`fg_extension::run` runs an extension without telemetry"
)]
pub trait TelemetryHandler: Extension {
    /// The telemetry types to subscribe to, and the port that telemetry is posted to.
    ///
    /// The runtime binds the port before it registers the extension. Afterwards it subscribes, concurrently with
    /// [`init`](Extension::init), or after it if the port is the extension's own. A failed subscription is retried in
    /// the same way as a failed registration. If it fails permanently, or if the port is in use, the runtime logs one
    /// line, and the extension runs without telemetry.
    const SUBSCRIPTION: Subscription;

    /// Handles telemetry events, in order of arrival.
    ///
    /// A batch is acknowledged to the platform once it is in the buffer, whose size `FG_TELEMETRY_BUFFER` sets. Calls
    /// do not overlap: batches that arrive during a call are delivered afterwards, several of them in one call if they
    /// contain at most 4096 events and 256 KiB of JSON.
    ///
    /// # Errors
    ///
    /// If this method returns an error or panics, the runtime calls it again with the same events, after a pause that
    /// doubles from 50 ms to one second. If the events came from several batches, each batch is retried separately. A
    /// batch that is not delivered within `FG_TELEMETRY_TIMEOUT` is lost: it is logged, and counted by
    /// [`TelemetryCounters::lost`](crate::TelemetryCounters::lost). The runtime logs at most one line about telemetry
    /// per second, so that an extension that subscribes to the logs of extensions does not cause an endless loop with
    /// its own log lines.
    ///
    /// Events can be delivered more than once: after an error, and when the platform repeats a batch because it did not
    /// receive the response.
    ///
    /// # Cancel safety
    ///
    /// A call may take half of the time that is left of `FG_TELEMETRY_TIMEOUT`. When that time is up, or when only the
    /// time that is reserved for [`Extension::shutdown`] is left, the future is dropped at the `.await` where it is suspended. If there is time left,
    /// the method is called again with the same events.
    fn telemetry(
        &self,
        events: Vec<TelemetryEvent>,
        counters: &TelemetryCounters,
    ) -> impl Future<Output = Result<(), Error>> + Send;
}
