//! Builds programs with cargo, and finds the files that were built.

use std::fmt;
use std::path::PathBuf;

use anyhow::{Context, bail};
use serde_json::Value;

use super::options::CargoOptions;
use super::selection::SelectedProgram;
use super::{build_scripts, cargo};

/// A program that cargo has built.
#[derive(Clone, Debug)]
pub(crate) struct BuiltProgram {
    /// The name of the binary or the example.
    pub(crate) name: String,
    /// The name of its package.
    pub(crate) package: String,
    /// The path of the executable.
    pub(crate) path: PathBuf,
}

/// The error of a build that fails. cargo has printed the reason.
#[derive(Debug)]
pub(crate) struct BuildFailed {
    /// The last part of what cargo printed.
    pub(crate) stderr: String,
}

impl fmt::Display for BuildFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the build failed")
    }
}

impl std::error::Error for BuildFailed {}

/// Builds the programs, with additional options and variables for cargo, and returns them in the same order.
///
/// # Errors
///
/// Returns an error if the build fails.
pub(crate) fn build(
    programs: &[SelectedProgram],
    options: &CargoOptions,
    more_options: &[&str],
    environment: &[(&str, &str)],
) -> anyhow::Result<Vec<BuiltProgram>> {
    // One build compiles common dependencies once, with the features that all of the programs need.
    let builds = match are_distinct(programs) {
        true => vec![programs],
        false => programs.chunks(1).collect(),
    };
    let mut built = Vec::new();
    for programs in builds {
        let mut command = cargo();
        command
            .args(["build", "--message-format=json-render-diagnostics"])
            .args(options.arguments())
            .args(more_options)
            .envs(environment.iter().copied());
        for program in programs {
            command
                .args(["--package", &program.package])
                .arg(format!("--{}", program.kind))
                .arg(&program.name);
        }
        let output = build_scripts::output(&mut command).context("cannot run cargo")?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            bail!(BuildFailed { stderr });
        }
        let messages = String::from_utf8_lossy(&output.stdout);
        for program in programs {
            let path = messages.lines().find_map(|line| executable(line, program));
            built.push(BuiltProgram {
                name: program.name.clone(),
                package: program.package.clone(),
                path: path.with_context(|| format!("cargo did not build `{}`", program.name))?,
            });
        }
    }
    Ok(built)
}

/// Returns whether the name of each program selects it among the programs of all their packages: cargo builds a name in every
/// selected package that has it.
fn are_distinct(programs: &[SelectedProgram]) -> bool {
    programs.iter().all(|program| {
        programs.iter().all(|other| {
            other.package_id == program.package_id
                || other.kind != program.kind
                || !other.siblings.contains(&program.name)
        })
    })
}

/// Returns the path of the executable if a line of cargo's JSON messages reports this program.
fn executable(message: &str, program: &SelectedProgram) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(message).ok()?;
    let target = &message["target"];
    let is_wanted = message["reason"] == "compiler-artifact"
        && message["package_id"] == *program.package_id
        && target["name"] == *program.name
        && target["kind"][0] == program.kind;
    is_wanted.then(|| message["executable"].as_str().map(PathBuf::from))?
}
