//! `cargo xtask rotel`: tests the OTLP export against a real collector.

use crate::run::{cargo, command, root, run};

/// The Python package that contains the rotel program.
const PACKAGE: &str = "rotel==0.0.1a15";

/// Installs rotel into the target directory and runs the tests of `otlp-forwarder` that need it.
pub(crate) fn test() -> anyhow::Result<()> {
    let directory = root()?.join("target/rotel");
    run(command("python3")?
        .args(["-m", "pip", "install", "--quiet"])
        .args([
            "--disable-pip-version-check",
            "--root-user-action",
            "ignore",
        ])
        .args(["--upgrade", "--target"])
        .arg(&directory)
        .arg(PACKAGE))?;
    run(cargo()?
        .args(["test", "-p", "otlp-forwarder", "--test", "rotel"])
        .args(["--", "--ignored"])
        .env("ROTEL_AGENT", directory.join("rotel/rotel-agent")))
}
