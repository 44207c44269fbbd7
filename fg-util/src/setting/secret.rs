//! Which settings are secret, by their names, and credentials in URLs.

/// Words within a name, in upper case.
const WORDS: [&str; 10] = [
    "SECRET",
    "TOKEN",
    "PASSW",
    "PASSPHRASE",
    "CREDENTIAL",
    "AUTHORIZATION",
    "APIKEY",
    "ACCESSKEY",
    "PRIVATEKEY",
    "COOKIE",
];
/// Words at the end of a part of a name, in upper case: the parts are separated by `_`, or by a capital letter as in
/// `accessKey`. Within other words, such as `MONKEY`, they are harmless.
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
    // Settings of the secrets cache are not secret because of their prefix.
    let name = name.strip_prefix("FG_SECRETS_").unwrap_or(name).as_bytes();
    WORDS.iter().any(|word| contains(name, word.as_bytes()))
        || name
            .split(|byte| !byte.is_ascii_alphanumeric())
            .any(|part| PARTS.iter().any(|word| ends_with(part, word.as_bytes())))
}

// String searches and inlined loops would make every extension larger.
#[inline(never)]
fn contains(name: &[u8], word: &[u8]) -> bool {
    name.windows(word.len()).any(|part| is_equal(part, word))
}

/// Returns whether a part of a name is the word, or ends with it after a lower-case letter.
#[inline(never)]
fn ends_with(part: &[u8], word: &[u8]) -> bool {
    let Some(start) = part.len().checked_sub(word.len()) else {
        return false;
    };
    let starts_here =
        start == 0 || part[start - 1].is_ascii_lowercase() && part[start].is_ascii_uppercase();
    starts_here && is_equal(&part[start..], word)
}

#[inline(never)]
fn is_equal(part: &[u8], word: &[u8]) -> bool {
    part.eq_ignore_ascii_case(word)
}

/// Returns whether a value is a URL, with or without its scheme, that contains a password.
///
/// ```
/// use fg_util::setting::has_password;
///
/// assert!(has_password("mysql://me:secret@db") && has_password("me:secret@db"));
/// assert!(!has_password("me@db") && !has_password("mysql://db"));
/// ```
#[must_use]
pub fn has_password(value: &str) -> bool {
    around_password(value).is_some()
}

/// Returns what is before and after the user name and the password in a URL, with or without its scheme.
pub(super) fn around_password(value: &str) -> Option<(&str, &str)> {
    let bytes = value.as_bytes();
    let at = bytes.iter().rposition(|byte| *byte == b'@')?;
    let colon = bytes.iter().position(|byte| *byte == b':')?;
    let start = match bytes.get(colon..colon + 3) == Some(b"://") {
        true => colon + 3,
        false => 0,
    };
    (colon < at && start <= at).then(|| (&value[..start], &value[at..]))
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
            "accessKey",
            "dbPwd",
            "ACCESSKEY",
            "FG_SECRETS_TOKEN",
            "FG_SECRETS_HEADERS",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "FG_LOG",
            "MONKEY",
            "KEYBOARD_LAYOUT",
            "TASK",
            "monkey",
            "turnkeyMode",
            "AUTHOR",
            "BYPASS_CACHE",
            "OTEL_SERVICE_NAME",
            "FG_SECRETS_TTL",
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
            ("me:pw@host:4318", Some(("", "@host:4318"))),
            ("a@b", None),
            ("a@b:1", None),
            ("https://host", None),
        ] {
            assert_eq!(around_password(value), rest, "{value}");
        }
    }
}
