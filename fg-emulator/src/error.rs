use std::fmt;

use crate::ProcessExit;

/// What the emulator could not do, to what, and why.
#[derive(Debug)]
pub struct Error {
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
    process_exit: Option<Box<ProcessExit>>,
}

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            source: None,
            process_exit: None,
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

    pub(crate) fn with_process_exit(self, process_exit: ProcessExit) -> Self {
        Self {
            process_exit: Some(Box::new(process_exit)),
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

    /// Returns how the process exited that was booted and did not register.
    #[must_use]
    pub fn process_exit(&self) -> Option<&ProcessExit> {
        self.process_exit.as_deref()
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
