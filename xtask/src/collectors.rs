//! `cargo xtask collectors`: tests the OTLP export against real collectors, with a real SDK in the function.

use std::path::{Path, PathBuf};

use crate::run::{cargo, command, root, run};

/// The Python packages that the function imports.
const SDK: [&str; 2] = [
    "opentelemetry-sdk==1.45.2",
    "opentelemetry-exporter-otlp-proto-http==1.45.2",
];
const ROTEL: [&str; 1] = ["rotel==0.0.1a15"];
const OTELTAP: [&str; 1] = ["oteltap==1.0.0"];
/// It needs more than 800 MB.
const PHOENIX: [&str; 1] = ["arize-phoenix==20.26.1"];

/// Installs the small collectors, and runs the tests of `otlp-forwarder` that need them.
pub(crate) fn test() -> anyhow::Result<()> {
    let rotel = install("rotel", &ROTEL)?;
    let oteltap = install("oteltap", &OTELTAP)?;
    let sdk = install("python-sdk", &SDK)?;
    run(tests()?
        .args(["--skip", "phoenix"])
        .env("ROTEL_AGENT", rotel.join("rotel/rotel-agent"))
        .env("OTELTAP", oteltap)
        .env("OTEL_PYTHON", sdk))
}

/// Installs phoenix, which is large, and runs the test that needs it.
pub(crate) fn test_phoenix() -> anyhow::Result<()> {
    let phoenix = install("phoenix", &PHOENIX)?;
    let sdk = install("python-sdk", &SDK)?;
    run(tests()?
        .arg("phoenix")
        .env("PHOENIX", phoenix)
        .env("OTEL_PYTHON", sdk))
}

fn tests() -> anyhow::Result<std::process::Command> {
    let mut command = cargo()?;
    command
        .args(["test", "-p", "otlp-forwarder", "--test", "collectors"])
        .args(["--", "--ignored", "--test-threads", "1"]);
    Ok(command)
}

/// Installs Python packages into a directory below `target/collectors`, unless that has been done.
fn install(name: &str, packages: &[&str]) -> anyhow::Result<PathBuf> {
    let directory = root()?.join("target/collectors").join(name);
    let installed = directory.join("installed.txt");
    if std::fs::read_to_string(&installed).is_ok_and(|it| it == packages.join("\n")) {
        return Ok(directory);
    }
    pip(&directory, packages)?;
    std::fs::write(&installed, packages.join("\n"))?;
    Ok(directory)
}

fn pip(directory: &Path, packages: &[&str]) -> anyhow::Result<()> {
    run(command("python3")?
        .args(["-m", "pip", "install", "--quiet"])
        .args([
            "--disable-pip-version-check",
            "--root-user-action",
            "ignore",
        ])
        .args(["--upgrade", "--target"])
        .arg(directory)
        .args(packages))
}
