//! What handlers return, and what the runtime returns.

use std::fmt;

use fg_util::error::{chain, one_line};

/// What a handler returns when it fails: any error, boxed, so that `?` takes everything and a string will do.
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

/// The error of an extension that could not start, or did not shut down cleanly: what [`run`](crate::run) returns.
///
/// `Display` says what failed, why, and what to do, in one line; the cause is its
/// [`source`](std::error::Error::source).
pub struct RunError(Box<ErrorInner>);

struct ErrorInner {
    kind: ErrorKind,
    message: String,
    source: Option<Error>,
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
    /// Returns whether a setting is missing, or has a value that cannot be read.
    #[must_use]
    pub fn is_setting(&self) -> bool {
        self.0.kind == ErrorKind::Setting
    }

    /// Returns whether the operating system failed to provide what the async runtime needs, as signals or threads.
    #[must_use]
    pub fn is_runtime(&self) -> bool {
        self.0.kind == ErrorKind::Runtime
    }

    /// Returns whether the extension's own address could not be bound, as when its port is taken.
    #[must_use]
    pub fn is_listen(&self) -> bool {
        self.0.kind == ErrorKind::Listen
    }

    /// Returns whether the platform rejected the registration.
    #[must_use]
    pub fn is_rejected(&self) -> bool {
        self.0.kind == ErrorKind::Rejected
    }

    /// Returns whether no attempt to register succeeded within `FG_REGISTER_TIMEOUT`.
    #[must_use]
    pub fn is_register_timeout(&self) -> bool {
        self.0.kind == ErrorKind::RegisterTimeout
    }

    /// Returns whether [`Extension::init`](crate::Extension::init) failed; its error is the source.
    #[must_use]
    pub fn is_init(&self) -> bool {
        self.0.kind == ErrorKind::Init
    }

    /// Returns whether [`Extension::shutdown`](crate::Extension::shutdown) failed; its error is the source.
    #[must_use]
    pub fn is_shutdown(&self) -> bool {
        self.0.kind == ErrorKind::Shutdown
    }

    /// Returns whether [`Extension::shutdown`](crate::Extension::shutdown) did not finish within
    /// `FG_SHUTDOWN_TIMEOUT`.
    #[must_use]
    pub fn is_shutdown_timeout(&self) -> bool {
        self.0.kind == ErrorKind::ShutdownTimeout
    }

    /// Returns whether the extension shut down before all acknowledged telemetry could be delivered.
    ///
    /// If `init` or `shutdown` failed too, this is `false`: the kind is that of the failure, and its message reports
    /// both.
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

    pub(crate) fn listen(message: String, source: std::io::Error) -> Self {
        Self::new(ErrorKind::Listen, message, Some(source.into()))
    }

    pub(crate) fn rejected(message: String) -> Self {
        Self::new(ErrorKind::Rejected, message, None)
    }

    pub(crate) fn register_timeout(message: String, source: Error) -> Self {
        Self::new(ErrorKind::RegisterTimeout, message, Some(source))
    }

    pub(crate) fn init(source: Error) -> Self {
        Self::new(
            ErrorKind::Init,
            "the extension failed to initialise".to_owned(),
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

    pub(crate) fn undelivered_telemetry(message: String) -> Self {
        Self::new(ErrorKind::UndeliveredTelemetry, message, None)
    }

    /// Adds to the message that so many events were not delivered, if any.
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
        }))
    }
}

/// The message and its sources in one line, since this is what `fn main() -> Result<(), …>` prints.
impl fmt::Debug for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&one_line(&chain(self)))
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// Returns what the last line says of acknowledged telemetry that was not delivered.
pub(crate) fn undelivered(events: u64) -> String {
    let events = match events {
        1 => "1 event of telemetry was".to_owned(),
        events => format!("{events} events of telemetry were"),
    };
    format!("{events} not delivered by the end")
}

#[cfg(test)]
mod tests {
    use super::RunError;

    #[test]
    fn run_error_is_one_pointer_that_crosses_threads() {
        fn crosses_threads<T: Send + Sync + std::error::Error + 'static>() {}
        crosses_threads::<RunError>();
        assert_eq!(size_of::<Result<(), RunError>>(), size_of::<usize>());
    }

    #[test]
    fn each_error_has_one_predicate() {
        type Predicate = fn(&RunError) -> bool;
        let io = || std::io::Error::from(std::io::ErrorKind::AddrInUse);
        let message = String::new;
        let errors: [(RunError, Predicate); 9] = [
            (RunError::setting(message()), RunError::is_setting),
            (RunError::runtime("", io()), RunError::is_runtime),
            (RunError::listen(message(), io()), RunError::is_listen),
            (RunError::rejected(message()), RunError::is_rejected),
            (
                RunError::register_timeout(message(), io().into()),
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
    fn undelivered_events_are_added_to_the_message() {
        let error = || RunError::shutdown("the disk is full".into());
        let message = "the extension failed to shut down";
        assert_eq!(error().and_undelivered(0).to_string(), message);
        let both = error().and_undelivered(2);
        assert_eq!(
            both.to_string(),
            format!("{message}, and 2 events of telemetry were not delivered by the end")
        );
        assert!(both.is_shutdown() && !both.is_undelivered_telemetry());
    }

    #[test]
    fn debug_is_readable_when_main_returns_it() {
        let error = RunError::init("no secrets\nto be had".into());
        assert_eq!(
            format!("{error:?}"),
            r"the extension failed to initialise: no secrets\nto be had"
        );
    }
}
