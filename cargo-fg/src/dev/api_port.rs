//! The port of `--api-port`.

use anyhow::bail;
use fg_conformance::port_owner::port_owner;
use fg_emulator::PORT_RANGE;

/// Checks that the platform can use this port.
///
/// # Errors
///
/// Returns an error if another process listens on the port, or if it is one of those that extensions use.
pub(crate) fn check(port: u16) -> anyhow::Result<()> {
    if PORT_RANGE.contains(&port) {
        let (first, last) = (PORT_RANGE.start(), PORT_RANGE.end());
        bail!(
            "cannot use --api-port {port}: ports {first} to {last} are those of extensions; choose another port"
        );
    }
    if let Some(owner) = port_owner(port) {
        bail!("cannot use --api-port {port}: the port is in use by {owner}; choose another port");
    }
    Ok(())
}
