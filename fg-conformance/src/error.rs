//! [`Error`]: why a check could not run.

use std::fmt;

/// Why a check could not run, or a name or a limit could not be read. What an extension does wrong is a
/// [`Finding`](crate::Finding) instead.
pub struct Error(Repr);

enum Repr {
    Own {
        message: String,
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// Its messages are complete.
    Emulator(fg_emulator::Error),
}

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(Repr::Own {
            message: message.into(),
            source: None,
        })
    }

    /// For `map_err`: `message` says what failed.
    pub(crate) fn because<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        message: impl Into<String>,
    ) -> impl FnOnce(E) -> Self {
        let message = message.into();
        |source| {
            Self(Repr::Own {
                message,
                source: Some(source.into()),
            })
        }
    }
}

impl From<fg_emulator::Error> for Error {
    fn from(error: fg_emulator::Error) -> Self {
        Self(Repr::Emulator(error))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Own { message, .. } => f.write_str(message),
            Repr::Emulator(error) => error.fmt(f),
        }
    }
}

/// The chain of causes, for a test that returns the error.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&fg_util::error::chain(self))
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Repr::Own { source, .. } => source.as_deref().map(|source| source as _),
            Repr::Emulator(error) => error.source(),
        }
    }
}
