//! [`ScriptName`]: the rules for names of start scripts (D 2705, 2707).

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// The file name of an extension's start script, such as `extensionHello.sh`.
///
/// It starts with `extension` and ends with `.sh` (D 2705). Because it is a file name, it does not contain `/` and has at
/// most 255 bytes. Because it is sent in a header, it contains only printable ASCII characters (I).
///
/// ```
/// use fg_emulator::ScriptName;
///
/// let name: ScriptName = "extensionHello.sh".parse()?;
/// assert_eq!(name.as_str(), "extensionHello.sh");
/// let error = "hello.sh".parse::<ScriptName>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "script name `hello.sh` does not start with `extension`; write a name such as `extensionHello.sh`"
/// );
/// # Ok::<(), fg_emulator::Error>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ScriptName(String);

impl ScriptName {
    /// The maximum length of a file name on Linux.
    const MAX_LEN: usize = 255;

    /// Creates a script name from a string.
    ///
    /// # Errors
    ///
    /// Returns an error that names the broken rule if the name is not valid.
    pub fn new(name: impl Into<String>) -> Result<Self, Error> {
        let name = name.into();
        match broken_rule(&name) {
            None => Ok(Self(name)),
            Some(rule) => Err(Error::new(format!(
                "script name `{name}` {rule}; write a name such as `extensionHello.sh`"
            ))),
        }
    }

    /// Returns whether the name is a valid script name.
    #[must_use]
    pub fn is_valid(name: &str) -> bool {
        broken_rule(name).is_none()
    }

    /// Returns the name as a string slice.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn broken_rule(name: &str) -> Option<&'static str> {
    if !name.starts_with("extension") {
        Some("does not start with `extension`")
    } else if !name.ends_with(".sh") {
        Some("does not end with `.sh`")
    } else if name.contains('/') {
        Some("is a path, not a file name")
    } else if !name.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        Some("contains characters other than printable ASCII")
    } else if name.len() > ScriptName::MAX_LEN {
        Some("is longer than 255 bytes")
    } else {
        None
    }
}

impl FromStr for ScriptName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::new(name)
    }
}

impl AsRef<str> for ScriptName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<ScriptName> for String {
    fn from(name: ScriptName) -> Self {
        name.0
    }
}

impl fmt::Display for ScriptName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::ScriptName;

    #[test]
    fn names_match_the_golden_file() {
        let (good, bad) = include!("../../tests/golden/script_names.rs");
        for name in good {
            assert_eq!(ScriptName::new(name).unwrap().as_str(), name);
            assert!(ScriptName::is_valid(name));
        }
        for name in bad {
            assert!(ScriptName::new(name).is_err(), "{name}");
            assert!(!ScriptName::is_valid(name), "{name}");
        }
    }
}
