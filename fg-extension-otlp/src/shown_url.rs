//! URLs as messages show them.

use fg_util::error::{excerpt, one_line};

/// Returns a URL, which may be relative, without user name, password, query, and fragment, and without segments of the
/// path that look like keys. Any of these may be a secret: some backends expect a key in the path.
pub(crate) fn shown_url(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let start = url.find("//").map_or(0, |slashes| slashes + 2);
    let (scheme, rest) = url.split_at(start);
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = match authority.rfind('@') {
        Some(at) if start > 0 => &authority[at + 1..],
        _ => authority,
    };
    let shown = |segment| if is_key(segment) { "***" } else { segment };
    let path: Vec<&str> = path.split('/').map(shown).collect();
    one_line(&excerpt(&format!("{scheme}{host}{}", path.join("/"))))
}

/// Returns the segments of a path that look like keys.
pub(crate) fn keys(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|segment| is_key(segment))
}

/// Returns whether a segment of a path looks like a key: long, and with a digit in it.
fn is_key(segment: &str) -> bool {
    const MIN_KEY_BYTES: usize = 20;
    segment.len() >= MIN_KEY_BYTES && segment.bytes().any(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_is_shown_without_secrets() {
        for (url, shown) in [
            ("https://a.example/v1/traces", "https://a.example/v1/traces"),
            ("https://a.example:1/x?key=secret", "https://a.example:1/x"),
            ("https://a.example/x#secret", "https://a.example/x"),
            ("https://me:secret@a.example/x", "https://a.example/x"),
            ("//me:secret@a.example", "//a.example"),
            ("/login?key=secret", "/login"),
            ("/user@home/login", "/user@home/login"),
            (
                "https://a.example/otlp/ZaVnC4dhaV1VgZ9u0aQKxA==/v1/traces",
                "https://a.example/otlp/***/v1/traces",
            ),
            (
                "https://a.example/a-long-name-of-a-service/v1/traces",
                "https://a.example/a-long-name-of-a-service/v1/traces",
            ),
            ("", ""),
        ] {
            assert_eq!(shown_url(url), shown);
        }
        let path = "/otlp/ZaVnC4dhaV1VgZ9u0aQKxA==/v1/traces";
        assert_eq!(keys(path).collect::<Vec<_>>(), ["ZaVnC4dhaV1VgZ9u0aQKxA=="]);
    }
}
