//! The host and the port of an endpoint.

use std::net::IpAddr;

use hyper::Uri;
use hyper::http::uri::Scheme;

/// Returns the port, or the default of the scheme.
pub(super) fn port(endpoint: &Uri) -> u16 {
    let default = match endpoint.scheme() == Some(&Scheme::HTTPS) {
        true => 443,
        false => 80,
    };
    endpoint.port_u16().unwrap_or(default)
}

/// Returns the address, or `None` if the host is a name. An IPv4 address that is written as IPv6 is one of IPv4.
pub(super) fn address(endpoint: &Uri) -> Option<IpAddr> {
    let host = endpoint.host()?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.parse()
        .ok()
        .map(|address: IpAddr| address.to_canonical())
}

/// Returns whether the host is the name of this machine.
pub(super) fn is_localhost(endpoint: &Uri) -> bool {
    let host = endpoint.host().unwrap_or_default();
    host.trim_end_matches('.').eq_ignore_ascii_case("localhost")
}
