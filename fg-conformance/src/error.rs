//! [`Error`]: why a check could not run.

use std::fmt;

/// Why a check could not run, or a name or a limit could not be read. What an extension does wrong is a
/// [`Finding`](crate::Finding) instead.
#[derive(Debug)]
pub struct Error {
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            source: None,
        }
    }

    /// For `map_err`: `message` says what failed.
    pub(crate) fn because<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        message: impl Into<String>,
    ) -> impl FnOnce(E) -> Self {
        let message = message.into();
        |source| Self {
            message,
            source: Some(source.into()),
        }
    }
}

impl From<fg_emulator::Error> for Error {
    /// The emulator's errors are complete sentences: they stay as they are.
    fn from(error: fg_emulator::Error) -> Self {
        let message = error.to_string();
        let source = std::error::Error::source(&error).map(|source| source.to_string().into());
        Self { message, source }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
