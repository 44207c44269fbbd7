use std::fmt;

/// The complete file name of the extension's start script, as in `extensionHello.sh` (D 2705, 2707).
///
/// The platform checks it against the scripts it booted, so it begins with `extension` and ends in `.sh`.
/// It has no `/`, and only printable ASCII, since it goes into a header; 255 bytes at most, as any file
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
    /// The most bytes a file name has on Linux.
    pub(crate) const MAX_LEN: usize = 255;

    /// The name, for constants.
    ///
    /// # Panics
    ///
    /// If it cannot be a script's name; in a `const`, that is an error at compile time.
    #[track_caller]
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        let bytes = name.as_bytes();
        assert!(
            starts_with(bytes, b"extension"),
            "extension name must begin with `extension`, as in `extensionHello.sh`"
        );
        assert!(
            ends_with(bytes, b".sh"),
            "extension name must end in `.sh`, as in `extensionHello.sh`"
        );
        assert!(
            bytes.len() <= Self::MAX_LEN,
            "extension name must have 255 bytes at most"
        );
        let mut i = 0;
        while i < bytes.len() {
            assert!(
                bytes[i] != b'/',
                "extension name must be a file name, without `/`"
            );
            assert!(
                bytes[i] == b' ' || bytes[i].is_ascii_graphic(),
                "extension name must be printable ASCII: it is sent in a header"
            );
            i += 1;
        }
        Self(name)
    }

    /// The file name, as in `extensionHello.sh`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for ExtensionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0)
    }
}

const fn starts_with(bytes: &[u8], prefix: &[u8]) -> bool {
    bytes.len() >= prefix.len() && equal(bytes.split_at(prefix.len()).0, prefix)
}

const fn ends_with(bytes: &[u8], suffix: &[u8]) -> bool {
    bytes.len() >= suffix.len() && equal(bytes.split_at(bytes.len() - suffix.len()).1, suffix)
}

/// `==` on slices is not `const` yet. Both have the same length here.
const fn equal(a: &[u8], b: &[u8]) -> bool {
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::ExtensionName;

    #[test]
    fn rules_are_those_of_the_macro() {
        let (good, bad) = include!("../../../tests/golden/script_names.rs");
        for name in good {
            assert_eq!(ExtensionName::new(name).as_str(), name);
        }
        for name in bad {
            let refused = std::panic::catch_unwind(|| ExtensionName::new(name));
            assert!(refused.is_err(), "{name:?}");
        }
    }
}
