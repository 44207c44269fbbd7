//! Builds a package with cargo, and finds the program that came of it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde_json::Value;

/// What to build.
#[derive(clap::Args)]
pub(crate) struct Target {
    /// Package to build (the one in this folder by default)
    #[arg(short, long, value_name = "NAME")]
    package: Option<String>,
    /// Binary of the package, if it has several
    #[arg(long, value_name = "NAME")]
    bin: Option<String>,
}

/// Builds it; where its one program is.
pub(crate) fn build(target: &Target) -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--message-format=json-render-diagnostics"]);
    if let Some(package) = &target.package {
        command.args(["--package", package]);
    }
    match &target.bin {
        Some(bin) => command.args(["--bin", bin]),
        None => command.arg("--bins"),
    };
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    if !output.status.success() {
        // cargo has said why.
        bail!("the build failed");
    }
    let mut programs: Vec<_> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(program)
        .collect();
    // cargo tells of them in the order in which they were built.
    programs.sort();
    match programs.as_mut_slice() {
        [(_, path)] => Ok(std::mem::take(path)),
        [] => bail!("the package has no binary: an extension is a program"),
        several => {
            let names: Vec<_> = several.iter().map(|(name, _)| name.as_str()).collect();
            let option = if target.package.is_none() {
                "-p or --bin"
            } else {
                "--bin"
            };
            bail!(
                "there are several binaries ({}): choose one with {option}",
                names.join(", ")
            )
        }
    }
}

/// Name and path of the program that a line of cargo's messages tells of.
fn program(message: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(message).ok()?;
    let target = &message["target"];
    let is_bin = target["kind"]
        .as_array()
        .is_some_and(|kinds| kinds.iter().any(|kind| kind == "bin"));
    (is_bin && message["reason"] == "compiler-artifact").then_some(())?;
    Some((
        target["name"].as_str()?.to_owned(),
        message["executable"].as_str()?.into(),
    ))
}
