//! The addresses that the platform posts to (D 2707): 127.0.0.1:8081 to 127.0.0.1:8090.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;

/// The ports that the platform posts to: 8081 to 8090 (D 2707).
pub const PORT_RANGE: RangeInclusive<u16> = FIRST_PORT..=LAST_PORT;

pub(crate) const FIRST_PORT: u16 = 8081;
pub(crate) const LAST_PORT: u16 = 8090;

/// Returns whether the platform posts to this address: 127.0.0.1 with a port in [`PORT_RANGE`] (D 2707).
///
/// ```
/// assert!(fg_emulator::is_extension_address(([127, 0, 0, 1], 8081).into()));
/// assert!(!fg_emulator::is_extension_address(([0, 0, 0, 0], 8081).into()));
/// ```
#[must_use]
pub fn is_extension_address(address: SocketAddr) -> bool {
    address.ip() == Ipv4Addr::LOCALHOST && PORT_RANGE.contains(&address.port())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::is_extension_address;

    #[test]
    fn ports_match_the_golden_file() {
        let (valid, invalid) = include!("../../../tests/golden/ports.rs");
        let is_in_range = |port: u16| is_extension_address((Ipv4Addr::LOCALHOST, port).into());
        for port in valid {
            assert!(is_in_range(port), "{port}");
        }
        for port in invalid {
            assert!(!is_in_range(port), "{port}");
        }
    }

    #[test]
    fn other_ip_addresses_are_invalid() {
        for address in [
            "127.0.0.2:8081",
            "0.0.0.0:8081",
            "[::1]:8081",
            "[::ffff:127.0.0.1]:8081",
        ] {
            let address: SocketAddr = address.parse().unwrap();
            assert!(!is_extension_address(address), "{address}");
        }
    }
}
