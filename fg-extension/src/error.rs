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

/// Why [`run`](crate::run) ended without having been asked to.
///
/// `Display` says what happened, to what, and what to do, in one line; what lies beneath it is its
/// [`source`](std::error::Error::source).
pub struct RunError(Box<Inner>);

struct Inner {
    kind: Kind,
    message: String,
    source: Option<Error>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Setting,
    Listen,
    Refused,
    Timeout,
    Init,
    Shutdown,
    Telemetry,
    Runtime,
}

impl RunError {
    /// Whether a setting is missing, or has a value that cannot be read.
    #[must_use]
    pub fn is_setting(&self) -> bool {
        self.0.kind == Kind::Setting
    }

    /// Whether the extension's own address could not be bound, as when its port is taken.
    #[must_use]
    pub fn is_listen(&self) -> bool {
        self.0.kind == Kind::Listen
    }

    /// Whether the platform answered the registration with a refusal.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.0.kind == Kind::Refused
    }

    /// Whether no attempt to register succeeded within `FG_REGISTER_TIMEOUT`.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.0.kind == Kind::Timeout
    }

    /// Whether [`Extension::init`](crate::Extension::init) failed; its error is the source.
    #[must_use]
    pub fn is_init(&self) -> bool {
        self.0.kind == Kind::Init
    }

    /// Whether [`Extension::shutdown`](crate::Extension::shutdown) failed, its error being the source, or did not
    /// end in time.
    #[must_use]
    pub fn is_shutdown(&self) -> bool {
        self.0.kind == Kind::Shutdown
    }

    /// Whether the end came before all telemetry that was acknowledged could be delivered.
    ///
    /// If [`shutdown`](crate::Extension::shutdown) failed too, the error [is that](Self::is_shutdown), and tells of both.
    #[must_use]
    pub fn is_telemetry(&self) -> bool {
        self.0.kind == Kind::Telemetry
    }

    pub(crate) fn setting(message: String) -> Self {
        Self::new(Kind::Setting, message, None)
    }

    pub(crate) fn listen(message: String, source: std::io::Error) -> Self {
        Self::new(Kind::Listen, message, Some(source.into()))
    }

    pub(crate) fn refused(message: String) -> Self {
        Self::new(Kind::Refused, message, None)
    }

    pub(crate) fn timeout(message: String, source: Error) -> Self {
        Self::new(Kind::Timeout, message, Some(source))
    }

    pub(crate) fn init(source: Error) -> Self {
        Self::new(
            Kind::Init,
            "the extension failed to initialise".to_owned(),
            Some(source),
        )
    }

    pub(crate) fn shutdown(message: String, source: Option<Error>) -> Self {
        Self::new(Kind::Shutdown, message, source)
    }

    pub(crate) fn telemetry(message: String) -> Self {
        Self::new(Kind::Telemetry, message, None)
    }

    /// This, and that so many events were not delivered.
    pub(crate) fn and_undelivered(mut self, events: u64) -> Self {
        if events > 0 {
            self.0.message += &format!(", and {}", undelivered(events));
        }
        self
    }

    pub(crate) fn runtime(what: &str, source: std::io::Error) -> Self {
        Self::new(Kind::Runtime, what.to_owned(), Some(source.into()))
    }

    fn new(kind: Kind, message: String, source: Option<Error>) -> Self {
        Self(Box::new(Inner {
            kind,
            message,
            source,
        }))
    }
}

/// The whole story in one line, since this is what `fn main() -> Result<(), …>` prints.
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

/// What the last line says of telemetry that was acknowledged.
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
    fn debug_is_for_whoever_returns_it_from_main() {
        let error = RunError::init("no secrets\nto be had".into());
        assert_eq!(
            format!("{error:?}"),
            r"the extension failed to initialise: no secrets\nto be had"
        );
    }
}
