//! The port of an HTTP function.

use anyhow::bail;
use fg_conformance::port_owner::port_owner;
use fg_emulator::HTTP_FUNCTION_PORT;

/// Checks that an HTTP function can listen. The emulator would wait for another emulator's function, as tests need it.
///
/// # Errors
///
/// Returns an error if another process listens on the port.
pub(crate) fn check() -> anyhow::Result<()> {
    if let Some(owner) = port_owner(HTTP_FUNCTION_PORT) {
        bail!(
            "port {HTTP_FUNCTION_PORT} is in use by {owner}, and an HTTP function must listen on it; stop that process"
        );
    }
    Ok(())
}
