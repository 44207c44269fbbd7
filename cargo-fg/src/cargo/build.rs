//! Builds programs with cargo, and finds the files that were built.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, bail};
use serde_json::Value;

use super::options::CargoOptions;
use super::selection::{BuildTarget, SelectedProgram};
use super::workspace::Workspace;
use super::{CargoStderr, cargo, stderr_copy};

const THIS_PACKAGE: &str = env!("CARGO_PKG_NAME");

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

/// Builds the targets to run them on this machine, all at once, and returns them in the same order.
///
/// # Errors
///
/// Returns an error if a target does not match exactly one program, or if the build fails.
pub(crate) fn build_to_run(
    targets: &[BuildTarget],
    options: &CargoOptions,
) -> anyhow::Result<Vec<BuiltProgram>> {
    if targets.is_empty() {
        return Ok(Vec::new());
    }
    let workspace = Workspace::read(options)?;
    let programs = workspace.select(targets, options)?;
    let more_options: &[&str] = match is_just_built(&workspace, options) {
        true => &["--package", THIS_PACKAGE],
        false => &[],
    };
    build(
        &programs,
        options,
        more_options,
        &[],
        CargoStderr::Inherited,
    )
}

/// Returns whether `cargo run` has built this program in the same workspace, as the alias `cargo fg` of the clone does. If the
/// package of this program is selected too, cargo resolves the same features for common dependencies, and does not compile
/// them again.
fn is_just_built(workspace: &Workspace, options: &CargoOptions) -> bool {
    // `cargo run` sets this variable.
    let directory = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    options.is_default_build()
        && directory.is_some_and(|directory| {
            let manifest = directory.join("Cargo.toml");
            let mut packages = workspace.packages.iter();
            packages.any(|it| it.name == THIS_PACKAGE && it.manifest_path == manifest)
        })
}

/// The error of a build that fails. cargo has printed the reason.
#[derive(Debug)]
pub(crate) struct BuildFailed {
    /// The last part of what cargo printed; empty unless it was copied.
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
    stderr: CargoStderr,
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
            // A name can be that of a dependency too.
            command
                .args(["--package", &program.package_id])
                .arg(format!("--{}", program.kind))
                .arg(&program.name);
        }
        let output = output(&mut command, stderr).context("cannot run cargo")?;
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

/// Runs a command, and returns its stdout, and the last part of its stderr if that is copied.
fn output(command: &mut Command, stderr: CargoStderr) -> io::Result<Output> {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
    match stderr {
        CargoStderr::Inherited => {
            command.stderr(Stdio::inherit());
        }
        CargoStderr::Copied => stderr_copy::pipe(command),
    }
    let mut child = command.spawn()?;
    let copying = child.stderr.take().map(stderr_copy::copy_to_stderr);
    let output = child.wait_with_output()?;
    Ok(Output {
        stderr: copying
            .and_then(|copying| copying.join().ok())
            .unwrap_or_default(),
        ..output
    })
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
