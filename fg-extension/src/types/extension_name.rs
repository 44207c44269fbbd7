//! The name of an extension, which is the file name of its start script.

use std::error::Error;
use std::fmt;

use fg_util::script_name::{self, Problem};

/// The name of an extension: the complete file name of its start script, such as `extensionHello.sh` (D 2705, 2707).
///
/// The platform compares the name with the scripts that it booted. A valid name starts with `extension`, ends with
/// `.sh`, contains no `/`, and is at most 255 bytes long. It consists of printable ASCII characters, since it is sent in
/// a header. In a constant, an invalid name is a compile error:
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
    /// Creates a name. Use it for constants; elsewhere, use [`TryFrom`], which does not panic.
    ///
    /// # Panics
    ///
    /// Panics if `name` is not a valid name for a start script. In a constant, this is a compile error.
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

    /// Returns the file name, such as `extensionHello.sh`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// Returns the error message for a problem with a name.
const fn message(problem: Problem) -> &'static str {
    match problem {
        Problem::Prefix => "extension name must start with `extension`, as in `extensionHello.sh`",
        Problem::Suffix => "extension name must end with `.sh`, as in `extensionHello.sh`",
        Problem::TooLong => "extension name must be at most 255 bytes long",
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

/// The error returned when a string is not a valid [`ExtensionName`].
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
    fn names_of_the_golden_list_are_accepted_or_rejected() {
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
    fn error_message_describes_a_valid_name() {
        for (name, message) in [
            (
                "hello.sh",
                "extension name must start with `extension`, as in `extensionHello.sh`",
            ),
            (
                "extensionHello",
                "extension name must end with `.sh`, as in `extensionHello.sh`",
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
