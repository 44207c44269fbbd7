//! Builds a package with cargo, and finds the program that was built.

use std::path::PathBuf;

use anyhow::{Context, bail};
use serde_json::Value;

use super::{build_scripts, cargo};

/// The program that cargo builds.
#[derive(Clone, Debug, Default)]
pub(crate) struct BuildTarget {
    /// The package; by default, the one in the current directory.
    pub(crate) package: Option<String>,
    pub(crate) program: ProgramChoice,
}

/// A choice of one program of a package.
#[derive(Clone, Debug, Default)]
pub(crate) enum ProgramChoice {
    /// The binary, if the package has exactly one.
    #[default]
    OnlyBinary,
    Binary(String),
    Example(String),
}

impl BuildTarget {
    /// Returns the target for a package that has exactly one binary.
    pub(crate) fn of_package(name: &str) -> Self {
        Self {
            package: Some(name.to_owned()),
            program: ProgramChoice::OnlyBinary,
        }
    }
}

/// A program that cargo has built.
#[derive(Debug)]
pub(crate) struct BuiltProgram {
    /// The name of the binary or the example.
    pub(crate) name: String,
    /// The name of its package.
    pub(crate) package: String,
    /// The path of the executable.
    pub(crate) path: PathBuf,
}

/// Builds the target, with additional options and variables for cargo, and returns the program.
///
/// # Errors
///
/// Returns an error if the build fails, or yields no program or more than one.
pub(crate) fn build(
    target: &BuildTarget,
    options: &[&str],
    environment: &[(&str, &str)],
) -> anyhow::Result<BuiltProgram> {
    let mut command = cargo();
    command
        .args(["build", "--message-format=json-render-diagnostics"])
        .args(options)
        .envs(environment.iter().copied());
    if let Some(package) = &target.package {
        command.args(["--package", package]);
    }
    match &target.program {
        ProgramChoice::OnlyBinary => command.arg("--bins"),
        ProgramChoice::Binary(name) => command.args(["--bin", name]),
        ProgramChoice::Example(name) => command.args(["--example", name]),
    };
    let output = build_scripts::output(&mut command).context("cannot run cargo")?;
    if !output.status.success() {
        // cargo has printed the reason.
        bail!("the build failed");
    }
    let mut programs: Vec<_> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|message| built_program(message, target))
        .collect();
    // cargo reports programs in the order in which they were built, which varies.
    programs.sort_by(|a, b| a.name.cmp(&b.name));
    match programs.len() {
        0 => bail!(
            "the package has no binary, so it is not an extension; add a src/main.rs, or choose a package with -p"
        ),
        1 => Ok(programs.remove(0)),
        _ => {
            let names: Vec<_> = programs.iter().map(|built| built.name.as_str()).collect();
            let option = if target.package.is_none() {
                "-p or --bin"
            } else {
                "--bin"
            };
            bail!(
                "the build has several binaries: {}; choose one with {option}",
                names.join(", ")
            )
        }
    }
}

/// Returns the program that a line of cargo's JSON messages reports, or `None` if it is not a program of the target.
fn built_program(message: &str, wanted: &BuildTarget) -> Option<BuiltProgram> {
    let message: Value = serde_json::from_str(message).ok()?;
    let target = &message["target"];
    let kind = match wanted.program {
        ProgramChoice::Example(_) => "example",
        ProgramChoice::OnlyBinary | ProgramChoice::Binary(_) => "bin",
    };
    let is_wanted = target["kind"]
        .as_array()
        .is_some_and(|kinds| kinds.iter().any(|of| of == kind));
    (is_wanted && message["reason"] == "compiler-artifact").then_some(())?;
    // `path+file:///some/where/night-watch#0.1.0`, or `…/directory#night-watch@0.1.0`.
    let (url, fragment) = message["package_id"].as_str()?.rsplit_once('#')?;
    let package = match fragment.split_once('@') {
        Some((name, _)) => name,
        None => url.rsplit('/').next()?,
    };
    Some(BuiltProgram {
        name: target["name"].as_str()?.to_owned(),
        package: package.to_owned(),
        path: message["executable"].as_str()?.into(),
    })
}
