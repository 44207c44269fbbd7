//! The ports that extensions listen on: which the platform posts to, and leases of them for tests.

mod lease;
mod range;

pub use self::lease::PortLease;
pub use self::range::{PORT_RANGE, is_extension_address};
