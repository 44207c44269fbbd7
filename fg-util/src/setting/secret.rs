//! Which settings are secret, by their names, and credentials in URLs.

/// Words within a name, in upper case.
const WORDS: [&str; 8] = [
    "SECRET",
    "TOKEN",
    "PASSW",
    "PASSPHRASE",
    "CREDENTIAL",
    "AUTHORIZATION",
    "APIKEY",
    "COOKIE",
];
/// Parts of a name that are separated by `_`, in upper case. As parts of other words they are harmless.
const PARTS: [&str; 8] = ["KEY", "KEYS", "AK", "SK", "PWD", "PASS", "AUTH", "HEADERS"];

/// Returns whether a setting with this name probably has a secret value, such as a password.
///
/// ```
/// use fg_util::setting::is_secret;
///
/// assert!(is_secret("DB_PASSWORD") && is_secret("api_key") && is_secret("OTEL_EXPORTER_OTLP_HEADERS"));
/// assert!(!is_secret("FG_LOG") && !is_secret("KEYBOARD"));
/// ```
#[must_use]
pub fn is_secret(name: &str) -> bool {
    let name = name.as_bytes();
    WORDS.iter().any(|word| contains(name, word.as_bytes()))
        || name
            .split(|byte| !byte.is_ascii_alphanumeric())
            .any(|part| PARTS.iter().any(|word| is_equal(part, word.as_bytes())))
}

// String searches and inlined loops would make every extension larger.
#[inline(never)]
fn contains(name: &[u8], word: &[u8]) -> bool {
    name.windows(word.len()).any(|part| is_equal(part, word))
}

#[inline(never)]
fn is_equal(part: &[u8], word: &[u8]) -> bool {
    part.eq_ignore_ascii_case(word)
}

/// Returns what is before and after the user name and the password in a URL.
pub(super) fn around_password(value: &str) -> Option<(&str, &str)> {
    let bytes = value.as_bytes();
    let scheme = bytes.windows(3).position(|part| part == b"://")?;
    let at = bytes.iter().rposition(|byte| *byte == b'@')?;
    (scheme < at).then(|| (&value[..scheme + 3], &value[at..]))
}

#[cfg(test)]
mod tests {
    use super::{around_password, is_secret};

    #[test]
    fn secrets_are_recognized_by_their_names() {
        for name in [
            "TOKEN",
            "githubToken",
            "CLIENT_SECRET",
            "HUAWEI_SK",
            "PGPASSWORD",
            "DB_PASS",
            "SIGNING_KEY",
            "x-api-key",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "FG_LOG",
            "MONKEY",
            "KEYBOARD_LAYOUT",
            "TASK",
            "AUTHOR",
            "BYPASS_CACHE",
            "OTEL_SERVICE_NAME",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn credentials_of_a_url_are_found() {
        for (value, rest) in [
            ("https://me:pw@host/p", Some(("https://", "@host/p"))),
            ("https://me:p@w@host", Some(("https://", "@host"))),
            ("https://host/@x", Some(("https://", "@x"))),
            ("a@b", None),
            ("https://host", None),
        ] {
            assert_eq!(around_password(value), rest, "{value}");
        }
    }
}
