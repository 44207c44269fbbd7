//! The rule for the ports of `--api-port` and `--ui`.

use anyhow::bail;
use fg_conformance::port_owner::port_owner;
use fg_emulator::PORT_RANGE;

/// Checks that a listener of this process can use the port that an option names, such as `--api-port 9001`.
///
/// # Errors
///
/// Returns an error if another process listens on the port, or if it is one of those that extensions use.
pub(crate) fn check(option: &str, port: u16) -> anyhow::Result<()> {
    if PORT_RANGE.contains(&port) {
        let (first, last) = (PORT_RANGE.start(), PORT_RANGE.end());
        bail!(
            "cannot use {option}: ports {first} to {last} are those of extensions; choose another port"
        );
    }
    if let Some(owner) = port_owner(port) {
        bail!("cannot use {option}: the port is in use by {owner}; choose another port");
    }
    Ok(())
}
