//! The file name of the start script, which is the extension's name.

use std::error::Error;
use std::fmt;

use fg_util::script_name::{self, Problem};

/// The complete file name of the extension's start script, as in `extensionHello.sh` (D 2705, 2707).
///
/// The platform checks it against the scripts it booted, so it begins with `extension` and ends in `.sh`.
/// It has no `/`, and only printable ASCII, since it is sent in a header; 255 bytes at most, as any file
/// name. A name that cannot be registered does not compile:
///
/// ```
/// use fg_extension::ExtensionName;
///
/// const NAME: ExtensionName = ExtensionName::new("extensionHello.sh");
/// ```
///
/// ```compile_fail,E0080
/// # use fg_extension::ExtensionName;
/// const NAME: ExtensionName = ExtensionName::new("hello");
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ExtensionName(&'static str);

impl ExtensionName {
    /// Returns a name, for constants. [`TryFrom`] does the same without a panic.
    ///
    /// # Panics
    ///
    /// If it cannot be the name of a start script; in a `const`, that is an error at compile time.
    #[track_caller]
    #[must_use]
    #[expect(
        clippy::panic,
        reason = "in a constant, the panic is the compile error"
    )]
    pub const fn new(name: &'static str) -> Self {
        match script_name::check(name) {
            Ok(()) => Self(name),
            Err(problem) => panic!("{}", message(problem)),
        }
    }

    /// Returns the file name, as in `extensionHello.sh`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// Returns what is wrong with a name, and what to write.
const fn message(problem: Problem) -> &'static str {
    match problem {
        Problem::Prefix => "extension name must begin with `extension`, as in `extensionHello.sh`",
        Problem::Suffix => "extension name must end in `.sh`, as in `extensionHello.sh`",
        Problem::TooLong => "extension name must have 255 bytes at most",
        Problem::Path => "extension name must be a file name, without `/`",
        Problem::ControlCharacter | Problem::NotAscii => {
            "extension name must be printable ASCII: it is sent in a header"
        }
        _ => "extension name must be the file name of a start script, as in `extensionHello.sh`",
    }
}

impl TryFrom<&'static str> for ExtensionName {
    type Error = InvalidExtensionName;

    fn try_from(name: &'static str) -> Result<Self, InvalidExtensionName> {
        script_name::check(name).map_err(InvalidExtensionName)?;
        Ok(Self(name))
    }
}

impl fmt::Display for ExtensionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

/// The error of a text that cannot be an [`ExtensionName`]; its message says what to write.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidExtensionName(Problem);

impl fmt::Display for InvalidExtensionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(message(self.0))
    }
}

impl Error for InvalidExtensionName {}

#[cfg(test)]
mod tests {
    use super::ExtensionName;

    #[test]
    fn rules_are_those_of_the_macro() {
        let (valid, invalid) = include!("../../../tests/golden/script_names.rs");
        for name in valid {
            assert_eq!(ExtensionName::new(name).as_str(), name);
            assert_eq!(ExtensionName::try_from(name), Ok(ExtensionName::new(name)));
        }
        for name in invalid {
            let error = ExtensionName::try_from(name).unwrap_err().to_string();
            let panic = std::panic::catch_unwind(|| ExtensionName::new(name)).unwrap_err();
            assert_eq!(panic.downcast_ref::<String>(), Some(&error), "{name:?}");
        }
    }

    #[test]
    fn error_has_a_remedy() {
        for (name, message) in [
            (
                "hello.sh",
                "extension name must begin with `extension`, as in `extensionHello.sh`",
            ),
            (
                "extensionHello",
                "extension name must end in `.sh`, as in `extensionHello.sh`",
            ),
            (
                "extension/extensionHello.sh",
                "extension name must be a file name, without `/`",
            ),
            (
                "extensionHell\u{f6}.sh",
                "extension name must be printable ASCII: it is sent in a header",
            ),
        ] {
            let error = ExtensionName::try_from(name).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }
}
