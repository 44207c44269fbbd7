//! The error types: [`Error`], returned by handlers, and [`RunError`], returned by the runtime.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use fg_util::duration;
use fg_util::error::{chain, one_line};

/// The error type of handlers: any error, boxed.
///
/// Every type that implements [`std::error::Error`] converts into it with `?`, and so do strings:
///
/// ```
/// use fg_extension::{Error, Invocation};
///
/// async fn on_invoke(invocation: Invocation) -> Result<(), Error> {
///     let name = invocation.invoked_function_urn.name().ok_or("no function name in the URN")?;
///     std::fs::write("/tmp/last-function", name)?;
///     Ok(())
/// }
/// ```
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// The error that [`run`](fn@crate::run) returns if the extension could not start or did not shut down cleanly.
///
/// Its `Display` output is one line that describes what failed and what to do. The underlying cause, if any, is its
/// [`source`](std::error::Error::source). Its `Debug` output is the message followed by those of all sources, in one
/// line, so that `main` can return it. What to do comes last.
pub struct RunError(Box<ErrorInner>);

struct ErrorInner {
    kind: ErrorKind,
    message: String,
    source: Option<Error>,
    /// What to do.
    hint: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum ErrorKind {
    Setting,
    Runtime,
    Listen,
    Rejected,
    RegisterTimeout,
    Init,
    Shutdown,
    ShutdownTimeout,
    UndeliveredTelemetry,
}

impl RunError {
    /// Returns `true` if a setting is missing or has an invalid value.
    #[must_use]
    pub fn is_setting(&self) -> bool {
        self.0.kind == ErrorKind::Setting
    }

    /// Returns `true` if the operating system could not provide what the async runtime needs, such as signal handling.
    #[must_use]
    pub fn is_runtime(&self) -> bool {
        self.0.kind == ErrorKind::Runtime
    }

    /// Returns `true` if the extension's port could not be bound, for example because it is in use.
    #[must_use]
    pub fn is_listen(&self) -> bool {
        self.0.kind == ErrorKind::Listen
    }

    /// Returns `true` if the platform rejected the registration.
    #[must_use]
    pub fn is_rejected(&self) -> bool {
        self.0.kind == ErrorKind::Rejected
    }

    /// Returns `true` if no attempt to register succeeded within `FG_REGISTER_TIMEOUT`.
    #[must_use]
    pub fn is_register_timeout(&self) -> bool {
        self.0.kind == ErrorKind::RegisterTimeout
    }

    /// Returns `true` if [`Extension::init`](crate::Extension::init) failed. Its error is the source.
    #[must_use]
    pub fn is_init(&self) -> bool {
        self.0.kind == ErrorKind::Init
    }

    /// Returns `true` if [`Extension::shutdown`](crate::Extension::shutdown) failed. Its error is the source.
    #[must_use]
    pub fn is_shutdown(&self) -> bool {
        self.0.kind == ErrorKind::Shutdown
    }

    /// Returns `true` if the extension did not shut down within `FG_SHUTDOWN_TIMEOUT`: because
    /// [`Extension::shutdown`](crate::Extension::shutdown) did not complete, or because a handler blocked its thread.
    #[must_use]
    pub fn is_shutdown_timeout(&self) -> bool {
        self.0.kind == ErrorKind::ShutdownTimeout
    }

    /// Returns `true` if acknowledged telemetry was not delivered, during the shutdown or before it.
    ///
    /// If `init` or `shutdown` failed too, this is `false`: the error is about that failure, and its message also
    /// reports the undelivered telemetry.
    #[must_use]
    pub fn is_undelivered_telemetry(&self) -> bool {
        self.0.kind == ErrorKind::UndeliveredTelemetry
    }

    pub(crate) fn setting(message: String) -> Self {
        Self::new(ErrorKind::Setting, message, None)
    }

    pub(crate) fn runtime(message: &str, source: std::io::Error) -> Self {
        Self::new(ErrorKind::Runtime, message.to_owned(), Some(source.into()))
    }

    pub(crate) fn no_tokio_runtime(source: std::io::Error) -> Self {
        let mut error = Self::runtime("cannot start the tokio runtime", source);
        error.0.hint = Some("is the limit of open files (`ulimit -n`) too low?".to_owned());
        error
    }

    pub(crate) fn listen(message: String, source: std::io::Error, hint: Option<String>) -> Self {
        let mut error = Self::new(ErrorKind::Listen, message, Some(source.into()));
        error.0.hint = hint;
        error
    }

    pub(crate) fn rejected(message: String) -> Self {
        Self::new(ErrorKind::Rejected, message, None)
    }

    pub(crate) fn register_timeout(message: String, source: Error, hint: String) -> Self {
        let mut error = Self::new(ErrorKind::RegisterTimeout, message, Some(source));
        error.0.hint = Some(hint);
        error
    }

    pub(crate) fn init(source: Error) -> Self {
        Self::new(
            ErrorKind::Init,
            "the extension failed to initialize".to_owned(),
            Some(source),
        )
    }

    pub(crate) fn shutdown(source: Error) -> Self {
        Self::new(
            ErrorKind::Shutdown,
            "the extension failed to shut down".to_owned(),
            Some(source),
        )
    }

    pub(crate) fn shutdown_timeout(message: String) -> Self {
        Self::new(ErrorKind::ShutdownTimeout, message, None)
    }

    /// A handler blocked its thread until the shutdown should have completed.
    pub(crate) fn blocked(timeout: Duration) -> Self {
        let mut error = Self::shutdown_timeout(format!(
            "the extension did not shut down within FG_SHUTDOWN_TIMEOUT ({}): a handler blocked its thread",
            duration::format(timeout)
        ));
        error.0.hint = Some("use spawn_blocking".to_owned());
        error
    }

    pub(crate) fn undelivered_telemetry(message: String) -> Self {
        Self::new(ErrorKind::UndeliveredTelemetry, message, None)
    }

    /// Appends the number of telemetry events that were lost after `FG_TELEMETRY_TIMEOUT` to the message, unless it is 0.
    pub(crate) fn and_lost(mut self, events: u64) -> Self {
        if events > 0 {
            self.0.message += &format!(", and {}", lost(events));
        }
        self
    }

    /// Appends the number of telemetry events that were not delivered to the message, unless it is 0.
    pub(crate) fn and_undelivered(mut self, events: u64) -> Self {
        if events > 0 {
            self.0.message += &format!(", and {}", undelivered(events));
        }
        self
    }

    fn new(kind: ErrorKind, message: String, source: Option<Error>) -> Self {
        Self(Box::new(ErrorInner {
            kind,
            message,
            source,
            hint: None,
        }))
    }
}

/// Formats the message, its sources and the hint in one line, since `fn main() -> Result<(), RunError>` prints the
/// `Debug` output.
impl fmt::Debug for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = self.0.message.clone();
        if let Some(source) = self.source() {
            line += &format!(": {}", chain(source));
        }
        if let Some(hint) = &self.0.hint {
            line += &format!("; {hint}");
        }
        f.write_str(&one_line(&line))
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match &self.0.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// Returns the part of an error message about acknowledged telemetry that was not delivered.
pub(crate) fn undelivered(events: u64) -> String {
    match events {
        1 => "1 acknowledged telemetry event was not delivered".to_owned(),
        events => format!("{events} acknowledged telemetry events were not delivered"),
    }
}

/// Returns the part of an error message about acknowledged telemetry that was lost after `FG_TELEMETRY_TIMEOUT`.
pub(crate) fn lost(events: u64) -> String {
    undelivered(events) + " within FG_TELEMETRY_TIMEOUT"
}

#[cfg(test)]
mod tests {
    use super::RunError;

    #[test]
    fn run_error_is_one_pointer_in_size_and_can_be_sent() {
        fn assert_error<T: Send + Sync + std::error::Error + 'static>() {}
        assert_error::<RunError>();
        assert_eq!(size_of::<Result<(), RunError>>(), size_of::<usize>());
    }

    #[test]
    fn exactly_one_predicate_is_true_for_each_error() {
        type Predicate = fn(&RunError) -> bool;
        let io = || std::io::Error::from(std::io::ErrorKind::AddrInUse);
        let message = String::new;
        let errors: [(RunError, Predicate); 9] = [
            (RunError::setting(message()), RunError::is_setting),
            (RunError::runtime("", io()), RunError::is_runtime),
            (RunError::listen(message(), io(), None), RunError::is_listen),
            (RunError::rejected(message()), RunError::is_rejected),
            (
                RunError::register_timeout(message(), io().into(), message()),
                RunError::is_register_timeout,
            ),
            (RunError::init(io().into()), RunError::is_init),
            (RunError::shutdown(io().into()), RunError::is_shutdown),
            (
                RunError::shutdown_timeout(message()),
                RunError::is_shutdown_timeout,
            ),
            (
                RunError::undelivered_telemetry(message()),
                RunError::is_undelivered_telemetry,
            ),
        ];
        for (i, (error, _)) in errors.iter().enumerate() {
            for (j, (_, is)) in errors.iter().enumerate() {
                assert_eq!(is(error), i == j, "error {i}, predicate {j}");
            }
        }
    }

    #[test]
    fn undelivered_events_are_appended_to_the_message() {
        let error = || RunError::shutdown("the disk is full".into());
        let message = "the extension failed to shut down";
        assert_eq!(error().and_undelivered(0).to_string(), message);
        let both = error().and_undelivered(2);
        assert_eq!(
            both.to_string(),
            format!("{message}, and 2 acknowledged telemetry events were not delivered")
        );
        assert!(both.is_shutdown() && !both.is_undelivered_telemetry());
    }

    #[test]
    fn debug_output_is_the_chain_of_messages_in_one_line() {
        let error = RunError::init("the secret\nis missing".into());
        assert_eq!(
            format!("{error:?}"),
            r"the extension failed to initialize: the secret\nis missing"
        );
        let (message, hint) = ("cannot register".to_owned(), "try later".to_owned());
        let error = RunError::register_timeout(message, "no response".into(), hint);
        assert_eq!(
            format!("{error:?}"),
            "cannot register: no response; try later"
        );
        assert_eq!(error.to_string(), "cannot register; try later");
    }
}
