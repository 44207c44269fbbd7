//! The rules for the file name of a start script (D 2705, 2707).

/// The bytes that precede the script name in a compiled extension.
///
/// Tools search for this marker to read the script name without running the program.
pub const MARKER_PREFIX: &[u8] = b"\x1ffg-extension:name=";

/// The byte that follows the script name in a compiled extension.
pub const MARKER_END: u8 = b'\x1f';

/// The maximum length of a file name on Linux, in bytes.
pub const MAX_LEN: usize = 255;

/// The reason why a string is not a valid name for a start script.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Problem {
    /// It contains a `/`, so it is a path.
    Path,
    /// It contains a control character, but the name is sent in a header.
    ControlCharacter,
    /// It is not ASCII, but the name is sent in a header.
    NotAscii,
    /// It does not start with `extension`.
    Prefix,
    /// It does not end with `.sh`.
    Suffix,
    /// It is longer than [`MAX_LEN`] bytes.
    TooLong,
}

/// Checks the complete file name of a start script, such as `extensionHello.sh`.
///
/// # Errors
///
/// Returns the most important [`Problem`] if the name is invalid.
pub const fn check(name: &str) -> Result<(), Problem> {
    let bytes = name.as_bytes();
    // Problems with single bytes have priority over problems with the name as a whole.
    let (mut control, mut not_ascii) = (false, false);
    let mut i = 0;
    while i < bytes.len() {
        if bytes[i] == b'/' {
            return Err(Problem::Path);
        }
        control |= bytes[i].is_ascii_control();
        not_ascii |= !bytes[i].is_ascii();
        i += 1;
    }
    if control {
        Err(Problem::ControlCharacter)
    } else if not_ascii {
        Err(Problem::NotAscii)
    } else if !starts_with(bytes, b"extension") {
        Err(Problem::Prefix)
    } else if !ends_with(bytes, b".sh") {
        Err(Problem::Suffix)
    } else if bytes.len() > MAX_LEN {
        Err(Problem::TooLong)
    } else {
        Ok(())
    }
}

const fn starts_with(bytes: &[u8], prefix: &[u8]) -> bool {
    bytes.len() >= prefix.len() && equal(bytes.split_at(prefix.len()).0, prefix)
}

const fn ends_with(bytes: &[u8], suffix: &[u8]) -> bool {
    bytes.len() >= suffix.len() && equal(bytes.split_at(bytes.len() - suffix.len()).1, suffix)
}

/// Returns `true` if two slices of the same length are equal: `==` on slices is not `const` yet.
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
    use super::{Problem, check};

    #[test]
    fn most_important_problem_is_reported() {
        for (name, problem) in [
            ("", Problem::Prefix),
            ("demo.sh", Problem::Prefix),
            ("ExtensionDemo.sh", Problem::Prefix),
            ("extensionDemo", Problem::Suffix),
            ("extensionDemo.SH", Problem::Suffix),
            ("extension/extensionDemo.sh", Problem::Path),
            ("demo\n/", Problem::Path),
            ("extensionDemo\n.sh", Problem::ControlCharacter),
            ("extensionDemo\u{7f}.sh", Problem::ControlCharacter),
            ("extensionD\u{e9}mo.sh", Problem::NotAscii),
        ] {
            assert_eq!(check(name), Err(problem), "{name:?}");
        }
        let name = |length: usize| format!("extension{}.sh", "x".repeat(length - 12));
        assert_eq!(check(&name(255)), Ok(()));
        assert_eq!(check(&name(256)), Err(Problem::TooLong));
        assert_eq!(check("extension.sh"), Ok(()));
    }

    #[test]
    fn names_of_the_golden_list_are_accepted_or_rejected() {
        let (valid, invalid) = include!("../../tests/golden/script_names.rs");
        for name in valid {
            assert_eq!(check(name), Ok(()), "{name:?}");
        }
        for name in invalid {
            assert!(check(name).is_err(), "{name:?}");
        }
    }
}
