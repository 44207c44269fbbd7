//! Builds a package with cargo, and finds the program that came of it.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::cargo::cargo;

/// What to build.
#[derive(clap::Args)]
pub(crate) struct Target {
    /// Package to build (the one in this folder by default)
    #[arg(short, long, value_name = "NAME")]
    package: Option<String>,
    /// Binary of the package, if it has several
    #[arg(long, value_name = "NAME")]
    bin: Option<String>,
    /// Example of the package, instead of a binary
    #[arg(long, value_name = "NAME", conflicts_with = "bin")]
    example: Option<String>,
}

impl Target {
    /// The one binary of a package.
    pub(crate) fn of_package(name: &str) -> Self {
        Self {
            package: Some(name.to_owned()),
            bin: None,
            example: None,
        }
    }
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Built {
    /// The binary's name.
    pub(crate) name: String,
    /// Its package's.
    pub(crate) package: String,
    /// Where it is.
    pub(crate) path: PathBuf,
}

/// Builds it, with further options and variables for cargo; the one program that comes of it.
pub(crate) fn build(
    target: &Target,
    options: &[&str],
    environment: &[(&str, &str)],
) -> anyhow::Result<Built> {
    let mut command = cargo();
    command
        .args(["build", "--message-format=json-render-diagnostics"])
        .args(options)
        .envs(environment.iter().copied());
    if let Some(package) = &target.package {
        command.args(["--package", package]);
    }
    match (&target.bin, &target.example) {
        (Some(bin), _) => command.args(["--bin", bin]),
        (None, Some(example)) => command.args(["--example", example]),
        (None, None) => command.arg("--bins"),
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
        .filter_map(|message| program(message, target))
        .collect();
    // cargo tells of them in the order in which they were built.
    programs.sort_by(|a, b| a.name.cmp(&b.name));
    match programs.len() {
        0 => bail!("the package has no binary: an extension is a program"),
        1 => Ok(programs.remove(0)),
        _ => {
            let names: Vec<_> = programs.iter().map(|built| built.name.as_str()).collect();
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

/// The program that a line of cargo's messages tells of.
fn program(message: &str, wanted: &Target) -> Option<Built> {
    let message: Value = serde_json::from_str(message).ok()?;
    let target = &message["target"];
    let kind = if wanted.example.is_some() {
        "example"
    } else {
        "bin"
    };
    let is_wanted = target["kind"]
        .as_array()
        .is_some_and(|kinds| kinds.iter().any(|of| of == kind));
    (is_wanted && message["reason"] == "compiler-artifact").then_some(())?;
    // `path+file:///some/where/night-watch#0.1.0`, or `…/folder#night-watch@0.1.0`.
    let (url, fragment) = message["package_id"].as_str()?.rsplit_once('#')?;
    let package = match fragment.split_once('@') {
        Some((name, _)) => name,
        None => url.rsplit('/').next()?,
    };
    Some(Built {
        name: target["name"].as_str()?.to_owned(),
        package: package.to_owned(),
        path: message["executable"].as_str()?.into(),
    })
}
