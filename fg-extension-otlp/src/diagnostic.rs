//! What the forwarder logs about itself.

use std::fmt;

/// A log line of our own.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use]
pub(crate) enum Diagnostic {
    Error(String),
    Warning(String),
    Info(String),
}

impl Diagnostic {
    /// Adds details to the message.
    pub(crate) fn with(self, details: &impl fmt::Display) -> Self {
        let with = |message: String| format!("{message} ({details})");
        match self {
            Self::Error(message) => Self::Error(with(message)),
            Self::Warning(message) => Self::Warning(with(message)),
            Self::Info(message) => Self::Info(with(message)),
        }
    }

    /// Writes the line to the log.
    pub(crate) fn log(self) {
        match self {
            Self::Error(message) => tracing::error!("{message}"),
            Self::Warning(message) => tracing::warn!("{message}"),
            Self::Info(message) => tracing::info!("{message}"),
        }
    }

    /// Adds the line unless it is there: a mistake in a setting of all signals is reported once.
    pub(crate) fn add_to(self, diagnostics: &mut Vec<Self>) {
        if !diagnostics.contains(&self) {
            diagnostics.push(self);
        }
    }
}
