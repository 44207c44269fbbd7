//! What the secrets cache and its clients have to agree on: settings, headers, the default address, and names.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::setting::Setting;

/// The setting with the address of the cache.
pub const ADDRESS_SETTING: &str = "FG_SECRETS_ADDRESS";

/// The setting with the token that each request to the cache contains.
pub const TOKEN_SETTING: &str = "FG_SECRETS_TOKEN";

/// The setting with the path of the file that contains the token, if [`TOKEN_SETTING`] is not set.
pub const TOKEN_FILE_SETTING: &str = "FG_SECRETS_TOKEN_FILE";

/// The default of [`ADDRESS_SETTING`].
///
/// The port is outside of the range 8081 to 8090, which FunctionGraph reserves for extensions (D 2707).
pub const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2773);

/// The default of [`TOKEN_FILE_SETTING`].
pub const DEFAULT_TOKEN_FILE: &str = "/tmp/fg-secrets-cache.token";

/// The path of a secret, before its name.
pub const PATH_PREFIX: &str = "/secrets/";

/// The header of a request that contains the token, in lower case.
pub const TOKEN_HEADER: &str = "x-secrets-token";

/// The header of a response that contains the version of the value, in lower case.
pub const VERSION_HEADER: &str = "x-secret-version";

/// The header of a response that is `true` if the value has expired and there is no newer one, in lower
/// case.
pub const STALE_HEADER: &str = "x-secret-stale";

/// The maximum length of a name.
pub const MAX_NAME_LEN: usize = 128;

/// A phrase for error messages about names: which names are valid.
pub const NAME_HINT: &str = "a name has 1 to 128 characters, which are letters, digits, `_`, `.`, `-` or `/`, \
     and no part between two `/` is empty, `.` or `..`";

/// Returns whether a secret can have this name.
///
/// A name is part of URLs and paths, so it has no parts that a client or a server would remove or resolve.
///
/// ```
/// use fg_util::secrets::is_name;
///
/// assert!(is_name("db/password") && is_name("api-key_v1.2"));
/// assert!(!is_name("") && !is_name("a b") && !is_name("../admin") && !is_name("/a"));
/// ```
#[must_use]
pub fn is_name(name: &str) -> bool {
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-/".contains(&byte);
    name.len() <= MAX_NAME_LEN
        && name.bytes().all(is_valid)
        && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// Parses the address of the cache: a loopback address with a port.
///
/// # Errors
///
/// Returns an error message if the value is not such an address.
pub fn parse_address(setting: &Setting) -> Result<SocketAddr, String> {
    let value = setting.value();
    let port = value
        .strip_prefix("localhost:")
        .and_then(|port| port.parse().ok());
    let address = match port {
        Some(port) => Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        None => value.parse().ok(),
    };
    address
        .filter(|address| address.ip().is_loopback() && address.port() != 0)
        .ok_or_else(|| {
            setting.invalid(
                "is not a loopback address with a port",
                "write an address such as `127.0.0.1:2773`",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setting::SettingSource;

    #[test]
    fn names_have_a_grammar() {
        let longest = "a".repeat(MAX_NAME_LEN);
        for name in ["a", "db/password", "A-Z_0.9", "...", ".a", longest.as_str()] {
            assert!(is_name(name), "{name}");
        }
        let too_long = "a".repeat(MAX_NAME_LEN + 1);
        for name in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "a/./b",
            "../b",
            "a/..",
            "a b",
            "a%20b",
            "a?b",
            "ä",
            "a\n",
            too_long.as_str(),
        ] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn address_is_on_loopback() {
        let parse = |value| {
            let setting = Setting::new(ADDRESS_SETTING, value, SettingSource::Environment);
            parse_address(&setting.unwrap())
        };
        assert_eq!(parse("127.0.0.1:2773"), Ok(DEFAULT_ADDRESS));
        assert_eq!(parse("localhost:2773"), Ok(DEFAULT_ADDRESS));
        assert!(parse("[::1]:1").is_ok());
        for value in [
            "0.0.0.0:2773",
            "10.0.0.1:2773",
            "127.0.0.1:0",
            "127.0.0.1",
            "2773",
        ] {
            let error = parse(value).unwrap_err();
            assert_eq!(
                error,
                format!(
                    "cannot read FG_SECRETS_ADDRESS from the environment: `{value}` is not a loopback address with a \
                     port; write an address such as `127.0.0.1:2773`"
                )
            );
        }
    }
}
