//! Which settings are secret, by their names, and credentials in URLs.

use std::borrow::Cow;

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
    let name = name.to_ascii_uppercase();
    WORDS.iter().any(|word| name.contains(word))
        || name
            .split(|c: char| !c.is_ascii_alphanumeric())
            .any(|part| PARTS.contains(&part))
}

/// Replaces the user name and the password in a URL.
pub(super) fn without_password(value: &str) -> Cow<'_, str> {
    match (value.find("://"), value.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            format!("{}://***{}", &value[..scheme], &value[at..]).into()
        }
        _ => value.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_secret, without_password};

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
    fn credentials_of_a_url_are_replaced() {
        for (value, shown) in [
            ("https://me:pw@host/p", "https://***@host/p"),
            ("https://me:p@w@host", "https://***@host"),
            ("https://host/@x", "https://***@x"),
            ("a@b", "a@b"),
            ("https://host", "https://host"),
        ] {
            assert_eq!(without_password(value), shown);
        }
    }
}
