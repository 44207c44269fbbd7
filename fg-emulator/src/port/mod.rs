//! The ports that extensions listen on: their range, and leases that share them among tests.

mod extension_ports;
mod lease;
mod range;

pub(crate) use self::extension_ports::ExtensionPorts;
pub use self::lease::PortLease;
pub(crate) use self::lease::is_free;
pub(crate) use self::range::{FIRST_PORT, LAST_PORT};
pub use self::range::{PORT_RANGE, is_extension_address};
