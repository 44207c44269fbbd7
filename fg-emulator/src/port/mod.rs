//! The ports that extensions listen on: which the platform posts to, and leases of them for tests.

mod extension_ports;
mod lease;
mod range;

pub(crate) use self::extension_ports::ExtensionPorts;
pub use self::lease::PortLease;
pub(crate) use self::range::{FIRST_PORT, LAST_PORT};
pub use self::range::{PORT_RANGE, is_extension_address};
