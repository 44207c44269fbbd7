//! [`Error`]: why checks could not run.

use std::fmt;

use fg_util::error::{chain, one_line};

/// An error that prevents the checks from running, or an invalid case name or budget.
///
/// A violation by the extension is not an error but a [`Finding`](crate::Finding).
///
/// `Display` prints the error without its [source](std::error::Error::source). `Debug` prints the whole chain in one line.
pub struct Error(Repr);

enum Repr {
    Own {
        message: String,
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// An error of the emulator, displayed unchanged.
    Emulator(fg_emulator::Error),
}

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(Repr::Own {
            message: message.into(),
            source: None,
        })
    }

    /// Returns a function for `map_err` that adds a message about what failed.
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

/// Prints the whole chain in one line, because a test that returns an error prints it with `Debug`.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&one_line(&chain(self)))
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

#[cfg(test)]
mod tests {
    use super::Error;

    #[test]
    fn debug_prints_the_whole_chain_in_one_line() {
        let error = Error::because("cannot read the ZIP")("damaged\nfile");
        assert_eq!(error.to_string(), "cannot read the ZIP");
        assert_eq!(format!("{error:?}"), r"cannot read the ZIP: damaged\nfile");
    }

    #[test]
    fn checks_can_be_spawned_as_a_task() {
        fn crosses_threads<T: Send + Sync + Unpin + 'static>() {}
        fn is_send<T: Send>(_: T) {}
        crosses_threads::<Error>();
        crosses_threads::<crate::Report>();
        let extension = crate::ExtensionUnderTest::zip("package.zip");
        is_send(crate::Checks::new(extension).run());
    }
}
