use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;

/// The port of an extension's own HTTP server, 8081 to 8090 (D 2707).
///
/// In a `const` a port out of range does not compile:
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
    /// The ports that the platform posts events to.
    pub const RANGE: RangeInclusive<u16> = 8081..=8090;

    /// The port with this number, for constants.
    ///
    /// # Panics
    ///
    /// If it is not 8081 to 8090; in a `const`, that is an error at compile time.
    #[track_caller]
    #[must_use]
    pub const fn new(port: u16) -> Self {
        assert!(
            port != 8011,
            "port out of range: FunctionGraph posts to ports 8081 to 8090 only, \
             and the 8011 in the example of its documentation is a slip"
        );
        assert!(
            *Self::RANGE.start() <= port && port <= *Self::RANGE.end(),
            "port out of range: FunctionGraph posts to ports 8081 to 8090 only"
        );
        Self(port)
    }

    /// The port with this number, if it is one.
    pub(crate) fn checked(port: u16) -> Option<Self> {
        Self::RANGE.contains(&port).then_some(Self(port))
    }

    /// The number, 8081 to 8090.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The address the server listens on: the platform posts events to 127.0.0.1 only.
    pub(crate) fn address(self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.0).into()
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
