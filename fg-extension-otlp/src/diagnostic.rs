//! Log lines of the forwarder about itself.

use std::fmt;

/// A log line with its level.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use]
pub(crate) enum Diagnostic {
    Error(String),
    Warning(String),
    Info(String),
}

impl Diagnostic {
    /// Appends details in parentheses to the message.
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

    /// Adds the line unless the list contains it, so that a problem with a shared setting is reported once.
    pub(crate) fn add_to(self, diagnostics: &mut Vec<Self>) {
        if !diagnostics.contains(&self) {
            diagnostics.push(self);
        }
    }
}
