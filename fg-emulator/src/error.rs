//! [`Error`], the error type of the crate.

use std::fmt;

use fg_util::error::{chain, one_line};

use crate::ProcessExit;

/// The error type of this crate.
///
/// `Display` writes this error without its [source](std::error::Error::source). `Debug` writes the whole chain of sources
/// in one line, so that a test that returns the error prints all of it:
///
/// ```text
/// Error: extensionHello.sh exited with status 1 before it registered: extensionHello.sh: port 8081 is in use
/// ```
pub struct Error(Box<ErrorInner>);

struct ErrorInner {
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    process_exit: Option<ProcessExit>,
    is_init_timeout: bool,
}

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(Box::new(ErrorInner {
            message: message.into(),
            source: None,
            process_exit: None,
            is_init_timeout: false,
        }))
    }

    /// Returns a closure for `map_err` that adds a message to the source error.
    pub(crate) fn context<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        message: impl Into<String>,
    ) -> impl FnOnce(E) -> Self {
        let message = message.into();
        |source| {
            let mut error = Self::new(message);
            error.0.source = Some(source.into());
            error
        }
    }

    pub(crate) fn with_process_exit(mut self, process_exit: ProcessExit) -> Self {
        self.0.process_exit = Some(process_exit);
        self
    }

    pub(crate) fn with_init_timeout(mut self) -> Self {
        self.0.is_init_timeout = true;
        self
    }

    /// Returns whether this error is about a function that was running, but did not become ready within the
    /// [init time-out](crate::PlatformBuilder::init_timeout).
    #[must_use]
    pub fn is_init_timeout(&self) -> bool {
        self.0.is_init_timeout
    }

    /// Returns how the process exited, if this error is about an extension that did not register or a function that did
    /// not request an event. Otherwise returns `None`.
    #[must_use]
    pub fn process_exit(&self) -> Option<&ProcessExit> {
        self.0.process_exit.as_ref()
    }
}

/// Writes the whole chain in one line, because a test that returns the error prints it with `Debug`.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&one_line(&chain(self)))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::Error;

    #[test]
    fn debug_prints_the_whole_chain_in_one_line() {
        let io = std::io::Error::other(Error::context("cannot connect")("no\nroute"));
        let error = Error::context("cannot post")(io);
        assert_eq!(error.to_string(), "cannot post");
        assert_eq!(
            format!("{error:?}"),
            r"cannot post: cannot connect: no\nroute"
        );
    }

    #[test]
    fn error_is_one_pointer_and_send_and_sync() {
        fn assert_error<T: Send + Sync + std::error::Error + 'static>() {}
        assert_error::<Error>();
        assert_eq!(size_of::<Result<(), Error>>(), size_of::<usize>());
    }
}
