use std::fmt;

use crate::Stopped;

/// What the emulator could not do, to what, and why.
#[derive(Debug)]
pub struct Error {
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    stopped: Option<Box<Stopped>>,
}

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            source: None,
            stopped: None,
        }
    }

    /// For `map_err`: the message says what was tried.
    pub(crate) fn because<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        message: impl Into<String>,
    ) -> impl FnOnce(E) -> Self {
        let message = message.into();
        |source| Self {
            source: Some(source.into()),
            ..Self::new(message)
        }
    }

    pub(crate) fn with_stopped(self, stopped: Stopped) -> Self {
        Self {
            stopped: Some(Box::new(stopped)),
            ..self
        }
    }

    /// With what caused it.
    pub(crate) fn in_one_line(&self) -> String {
        match &self.source {
            Some(source) => format!("{}: {source}", self.message),
            None => self.message.clone(),
        }
    }

    /// How the process ended that was booted and did not register.
    #[must_use]
    pub fn stopped(&self) -> Option<&Stopped> {
        self.stopped.as_deref()
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
