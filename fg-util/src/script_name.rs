//! What the file name of a start script may look like, as the runtime and the macro apply it (D 2705, 2707).

/// What precedes the script name in a compiled extension, where tools read it without running the program.
pub const MARKER_PREFIX: &[u8] = b"\x1ffg-extension:name=";

/// What follows it.
pub const MARKER_END: u8 = b'\x1f';

/// The most bytes that a file name has on Linux.
pub const MAX_LEN: usize = 255;

/// Why a text cannot be the name of a start script.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Problem {
    /// It has a `/`, so it is a path.
    Path,
    /// It has a control character, and is sent in a header.
    ControlCharacter,
    /// It is not ASCII, and is sent in a header.
    NotAscii,
    /// It does not begin with `extension`.
    Prefix,
    /// It does not end in `.sh`.
    Suffix,
    /// It is longer than [`MAX_LEN`] bytes.
    TooLong,
}

/// Checks the complete file name of a start script, as in `extensionHello.sh`.
///
/// # Errors
///
/// The first [`Problem`], if it cannot be one.
pub const fn check(name: &str) -> Result<(), Problem> {
    let bytes = name.as_bytes();
    // What holds for each byte of the name comes first, the worst of it before the rest.
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
    use super::{Problem, check};

    #[test]
    fn first_problem_is_reported() {
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
    fn rule_is_that_of_the_golden_list() {
        let (valid, invalid) = include!("../../tests/golden/script_names.rs");
        for name in valid {
            assert_eq!(check(name), Ok(()), "{name:?}");
        }
        for name in invalid {
            assert!(check(name).is_err(), "{name:?}");
        }
    }
}
