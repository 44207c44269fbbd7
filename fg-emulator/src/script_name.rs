//! The rule for the names of start scripts (D 2705, 2707).

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// The file name of an extension's start script, as in `extensionHello.sh`.
///
/// It begins with `extension` and ends in `.sh` (D 2705). It is a file name, so it has no `/` and 255 bytes at most, and
/// it is sent in a header, so it has printable ASCII only (I).
///
/// ```
/// use fg_emulator::ScriptName;
///
/// let name: ScriptName = "extensionHello.sh".parse()?;
/// assert_eq!(name.as_str(), "extensionHello.sh");
/// let error = "hello.sh".parse::<ScriptName>().unwrap_err();
/// assert_eq!(error.to_string(), "script name `hello.sh` does not begin with `extension`");
/// # Ok::<(), fg_emulator::Error>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ScriptName(String);

impl ScriptName {
    /// The most bytes that a file name has on Linux.
    const MAX_LEN: usize = 255;

    /// Checks a name.
    ///
    /// # Errors
    ///
    /// If it breaks the rule; the error says which part of it.
    pub fn new(name: impl Into<String>) -> Result<Self, Error> {
        let name = name.into();
        match mistake(&name) {
            None => Ok(Self(name)),
            Some(mistake) => Err(Error::new(format!("script name `{name}` {mistake}"))),
        }
    }

    /// Returns whether this is the name of a start script.
    #[must_use]
    pub fn is_valid(name: &str) -> bool {
        mistake(name).is_none()
    }

    /// Returns the file name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn mistake(name: &str) -> Option<&'static str> {
    if !name.starts_with("extension") {
        Some("does not begin with `extension`")
    } else if !name.ends_with(".sh") {
        Some("does not end in `.sh`")
    } else if name.contains('/') {
        Some("is not a file name: it has a `/`")
    } else if !name.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        Some("has characters other than printable ASCII")
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
    fn golden() {
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
