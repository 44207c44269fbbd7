//! The ports on which an extension receives invocations and telemetry.

use std::error::Error;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;

use fg_util::port::{DOCUMENTED_TYPO, FIRST, LAST, is_in_range};

/// A port on which an extension receives invocations or telemetry, from 8081 to 8090 (D 2707, 2711).
///
/// In a constant, a port out of range is a compile error:
///
/// ```
/// use fg_extension::Port;
///
/// const PORT: Port = Port::new(8081);
/// ```
///
/// ```compile_fail,E0080
/// # use fg_extension::Port;
/// const PORT: Port = Port::new(8011);
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Port(u16);

impl Port {
    /// The range of ports that the platform posts events to.
    pub const RANGE: RangeInclusive<u16> = FIRST..=LAST;

    /// Creates a port. Use it for constants; elsewhere, use [`TryFrom`], which does not panic.
    ///
    /// # Panics
    ///
    /// Panics if `port` is not within [`Self::RANGE`]. In a constant, this is a compile error.
    #[track_caller]
    #[must_use]
    #[expect(
        clippy::panic,
        reason = "in a constant, the panic is the compile error"
    )]
    pub const fn new(port: u16) -> Self {
        match is_in_range(port) {
            true => Self(port),
            false => panic!("{}", message(port)),
        }
    }

    /// Returns the port number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Returns the address to listen on. The platform posts events to 127.0.0.1 only.
    pub(crate) fn address(self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.0).into()
    }

    /// Returns the address as text. A `SocketAddr` can format IPv6 addresses too, which makes every extension larger.
    pub(crate) fn authority(self) -> String {
        format!("127.0.0.1:{}", self.0)
    }
}

/// Returns the error message for a port that is out of range.
const fn message(port: u16) -> &'static str {
    match port {
        DOCUMENTED_TYPO => {
            "port out of range: FunctionGraph posts to ports 8081 to 8090 only; \
             the 8011 in FunctionGraph's documentation is a typo"
        }
        _ => "port out of range: FunctionGraph posts to ports 8081 to 8090 only",
    }
}

impl TryFrom<u16> for Port {
    type Error = InvalidPort;

    fn try_from(port: u16) -> Result<Self, InvalidPort> {
        is_in_range(port)
            .then_some(Self(port))
            .ok_or(InvalidPort(port))
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The error returned when a number is out of range for a [`Port`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidPort(u16);

impl fmt::Display for InvalidPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(message(self.0))
    }
}

impl Error for InvalidPort {}

#[cfg(test)]
mod tests {
    use super::Port;

    #[test]
    fn only_ports_within_the_range_are_accepted() {
        for port in 8081..=8090 {
            assert_eq!(Port::try_from(port), Ok(Port::new(port)));
        }
        for port in [0, 80, 8011, 8080, 8091, u16::MAX] {
            let error = Port::try_from(port).unwrap_err().to_string();
            assert!(
                error.starts_with(
                    "port out of range: FunctionGraph posts to ports 8081 to 8090 only"
                ) && error.contains("8011") == (port == 8011),
                "{port}: {error}"
            );
            let panic = std::panic::catch_unwind(|| Port::new(port)).unwrap_err();
            assert_eq!(panic.downcast_ref::<String>(), Some(&error));
        }
    }
}
