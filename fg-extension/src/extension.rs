use std::future::Future;

use crate::{Error, ExtensionName, Invocation, Port, Registration};

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
///     tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(fg_extension::run::<Counter>())?;
///     Ok(())
/// }
/// ```
pub trait Extension: Sized + Send + Sync + 'static {
    /// The complete file name of the start script: the extension registers under it.
    const NAME: ExtensionName;

    /// The port of the extension's HTTP server, unless `FG_EXTENSION_PORT` gives another.
    const PORT: Port;

    /// Makes the extension, once it is registered. Invocations that come meanwhile wait, and are then served.
    ///
    /// # Errors
    ///
    /// An error ends the process: [`RunError::is_init`](crate::RunError::is_init).
    fn init(registration: &Registration) -> impl Future<Output = Result<Self, Error>> + Send;

    /// Handles one invocation of the function. Those in flight run side by side.
    ///
    /// A handler runs to its end, also when the platform has hung up. What blocks the thread belongs into
    /// `tokio::task::spawn_blocking`: on the generated `main`'s runtime all handlers share one thread.
    ///
    /// # Errors
    ///
    /// An error, and a panic likewise, is logged and answered with status 500; the extension serves on.
    fn invoke(&self, invocation: Invocation) -> impl Future<Output = Result<(), Error>> + Send;
}

/// What an annotated function may return: `()`, or `Result<(), E>` with any `E` that turns into an [`Error`].
#[diagnostic::on_unimplemented(
    message = "an extension's handler cannot return `{Self}`",
    label = "write `()` or `Result<(), E>`",
    note = "`E` is any type that turns into `fg_extension::Error`: every `std::error::Error + Send + Sync`, and strings"
)]
pub trait IntoOutcome {
    /// The result, as [`Extension::invoke`] returns it.
    fn into_outcome(self) -> Result<(), Error>;
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Result<(), Error> {
        Ok(())
    }
}

impl<E: Into<Error>> IntoOutcome for Result<(), E> {
    fn into_outcome(self) -> Result<(), Error> {
        self.map_err(Into::into)
    }
}
