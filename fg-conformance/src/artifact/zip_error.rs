//! [`ZipError`]: why a ZIP cannot be read or unpacked.

use std::io;
use std::path::Path;

use crate::Error;

/// Why a ZIP cannot be read or unpacked.
#[derive(Debug)]
pub(crate) enum ZipError {
    /// The ZIP is damaged or exceeds a limit. This is a finding.
    Invalid(String),
    /// This machine cannot do it, for example because its disk is full. No ZIP is to blame.
    Machine { what: String, source: io::Error },
}

impl ZipError {
    pub(crate) fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid(reason.into())
    }

    /// Returns a function for `map_err` that adds what failed on this machine.
    pub(crate) fn machine(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        |source| Self::Machine { what, source }
    }

    /// Returns the error for a reader of the ZIP that found a problem in the subject: a file in the ZIP, or the ZIP.
    pub(super) fn reading(subject: &str, error: io::Error) -> Self {
        if error.raw_os_error().is_some() || is_canceled(&error) {
            return Self::machine("cannot read the ZIP")(error);
        }
        let inner = error.get_ref();
        match inner.and_then(|inner| inner.downcast_ref::<rawzip::Error>()) {
            Some(error) => Self::invalid(damage(subject, error)),
            // The bytes are not what the method promises.
            None => Self::invalid(format!("{subject} is damaged: {error}")),
        }
    }

    /// Returns the error for a structure of the ZIP that cannot be read.
    pub(super) fn structure(subject: &str, error: rawzip::Error) -> Self {
        match error.kind() {
            rawzip::ErrorKind::IO(_) => match error.into_kind() {
                rawzip::ErrorKind::IO(error) => Self::reading(subject, error),
                _ => Self::invalid(format!("{subject} is damaged")),
            },
            _ => Self::invalid(damage(subject, &error)),
        }
    }

    /// Returns the error of a command that needs the contents of the ZIP.
    pub(crate) fn into_error(self, zip: &Path) -> Error {
        let zip = zip.display();
        match self {
            Self::Invalid(reason) => Error::because(format!("cannot unpack {zip}"))(reason),
            Self::Machine { what, source } => Error::because(what)(source),
        }
    }
}

/// Describes damage in one sentence.
fn damage(subject: &str, error: &rawzip::Error) -> String {
    use rawzip::ErrorKind;
    match error.kind() {
        ErrorKind::MissingEndOfCentralDirectory => {
            "it is not a ZIP: it does not end with a list of files".to_owned()
        }
        ErrorKind::InvalidChecksum { .. } => {
            format!("{subject} is damaged: its checksum does not match")
        }
        ErrorKind::InvalidSize { .. } => {
            format!("{subject} is damaged: its size is not the declared size")
        }
        ErrorKind::Eof => format!("{subject} is damaged: it is incomplete"),
        _ => format!("{subject} is damaged"),
    }
}

/// The error of a reader that was canceled.
pub(super) fn canceled() -> io::Error {
    // Not `Interrupted`, after which readers try again.
    io::Error::other(Canceled)
}

fn is_canceled(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Canceled>())
}

#[derive(Debug)]
struct Canceled;

impl std::fmt::Display for Canceled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("canceled")
    }
}

impl std::error::Error for Canceled {}
