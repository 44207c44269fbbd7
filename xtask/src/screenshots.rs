//! Takes the screenshots of the guide.

use crate::run::{cargo, run};

/// Builds and runs the program that takes the screenshots. It is in another package, because its dependencies would delay all
/// other maintenance commands.
pub(crate) fn take() -> anyhow::Result<()> {
    run(cargo()?.args(["build", "-p", "cargo-fg"]))?;
    run(cargo()?.args(["run", "-p", "fg-browser-tests", "--bin", "screenshots"]))
}
