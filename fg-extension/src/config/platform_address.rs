use std::fmt;

use super::bad;
use super::values::parse_port;
use crate::RunError;

/// Where the registration API is: `EXTENSION_API_ADDR`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PlatformAddress {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl PlatformAddress {
    pub(super) fn parse(value: &str) -> Result<Self, RunError> {
        let address = match value.split_at_checked("http://".len()) {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http://") => rest,
            _ => value,
        };
        let address = address.trim_end_matches('/');
        address
            .rsplit_once(':')
            .and_then(|(host, port)| {
                Some(Self {
                    host: host.to_owned(),
                    port: parse_port(port)?,
                })
            })
            .filter(|address| address.is_plausible())
            .ok_or_else(|| {
                bad(
                    "EXTENSION_API_ADDR",
                    value,
                    "is not `host:port`",
                    "write it as in `127.0.0.1:9001`",
                )
            })
    }

    /// A name, an IPv4 address or an IPv6 address in brackets; a second `:` elsewhere means something is missing.
    fn is_plausible(&self) -> bool {
        let host = match self
            .host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
        {
            Some(inner) => return inner.parse::<std::net::Ipv6Addr>().is_ok(),
            None => self.host.as_bytes(),
        };
        let is_host_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
        self.port != 0 && !host.is_empty() && host.iter().all(is_host_byte)
    }

    /// The host as the resolver takes it, without brackets.
    pub(crate) fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }
}

impl fmt::Display for PlatformAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}
