//! The address of the platform's API.

use std::fmt;
use std::net::Ipv6Addr;

use fg_util::setting::{Setting, parse_port};

/// The value of `EXTENSION_API_ADDR`: `host:port`, optionally with a leading `http://` and a trailing `/` (I).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PlatformAddress {
    /// The host, with brackets if it is an IPv6 address.
    host: String,
    pub(crate) port: u16,
}

impl PlatformAddress {
    pub(super) fn parse(setting: &Setting) -> Result<Self, String> {
        let value = setting.value();
        let address = value.strip_prefix("http://").unwrap_or(value);
        let address = address.strip_suffix('/').unwrap_or(address);
        address
            .rsplit_once(':')
            .and_then(|(host, port)| {
                let host = host.to_owned();
                let port = parse_port(port).filter(|port| *port != 0)?;
                Some(Self { host, port })
            })
            .filter(Self::is_plausible)
            .ok_or_else(|| {
                setting.invalid(
                    "is not `host:port`",
                    "write an address such as `127.0.0.1:9001`",
                )
            })
    }

    /// Returns `true` if the host is a name, an IPv4 address, or an IPv6 address in brackets.
    ///
    /// A `:` in the host is only valid inside brackets.
    fn is_plausible(&self) -> bool {
        let host = match self
            .host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
        {
            Some(inner) => return inner.parse::<Ipv6Addr>().is_ok(),
            None => self.host.as_bytes(),
        };
        let is_host_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
        !host.is_empty() && host.iter().all(is_host_byte)
    }

    /// Returns the host without brackets, as the resolver expects it.
    pub(crate) fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }
}

impl fmt::Display for PlatformAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}
