//! The canonical forms of a path, a query and a body, as the signing guide defines them.

use ring::digest::{SHA256, digest};

/// Returns the path in the canonical encoding. It ends with a slash, even if the path that is sent does not.
///
/// Decoding first makes the result independent of what the caller encoded: a colon may be sent as it is or as `%3A`. An encoded
/// slash counts as a slash, as it does in the official SDK for Python.
pub(crate) fn path(path: &str) -> String {
    let mut canonical: String = decode(path)
        .split(|&byte| byte == b'/')
        .map(encode)
        .collect::<Vec<_>>()
        .join("/");
    if !canonical.ends_with('/') {
        canonical.push('/');
    }
    canonical
}

/// Returns the parameters in the canonical encoding, sorted by name, and by value if a name occurs several times.
pub(crate) fn query(query: &str) -> String {
    let mut parameters: Vec<_> = query
        .split('&')
        .filter(|parameter| !parameter.is_empty())
        .map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            (decode(name), decode(value))
        })
        .collect();
    parameters.sort();
    parameters
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect::<Vec<_>>()
        .join("&")
}

/// Returns the SHA-256 of the bytes in lower-case hexadecimal digits.
pub(crate) fn hash(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

/// Returns the bytes in lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn decode(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = match rest {
            [b'%', high, low, ..] => digit(*high).zip(digit(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                decoded.push(high << 4 | low);
                rest = &rest[3..];
            }
            None => {
                decoded.push(*first);
                rest = after;
            }
        }
    }
    decoded
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

/// Encodes all bytes except the unreserved characters of RFC 3986.
fn encode(bytes: &[u8]) -> String {
    let mut encoded = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::{path, query};

    #[test]
    fn paths_are_encoded_by_segment_and_end_with_a_slash() {
        for (sent, canonical) in [
            ("", "/"),
            ("/", "/"),
            ("/v1/vpcs", "/v1/vpcs/"),
            ("/v1/vpcs/", "/v1/vpcs/"),
            ("/urn:fss:r:p", "/urn%3Afss%3Ar%3Ap/"),
            ("/urn%3afss%3Ar:p", "/urn%3Afss%3Ar%3Ap/"),
            ("/a%2Fb/~c-_.", "/a/b/~c-_./"),
            ("/100%", "/100%25/"),
            ("/%E4%B8%80/一", "/%E4%B8%80/%E4%B8%80/"),
        ] {
            assert_eq!(path(sent), canonical, "{sent}");
        }
    }

    /// The example is that of `TestSigner_canonicalQueryString` in the official SDK for Go.
    #[test]
    fn queries_are_sorted_and_encoded() {
        assert_eq!(
            query(
                "limit=1&enable=true&test=%E4%B8%80%20(%26%3D?!%23%25.*)&path=/tmp/123&multi=3&multi=1&multi=2"
            ),
            "enable=true&limit=1&multi=1&multi=2&multi=3&path=%2Ftmp%2F123&test=%E4%B8%80%20%28%26%3D%3F%21%23%25.%2A%29"
        );
        assert_eq!(query(""), "");
        assert_eq!(query("b&&a=&c=x=y"), "a=&b=&c=x%3Dy");
    }
}
