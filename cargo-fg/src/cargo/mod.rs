//! Runs cargo: builds, metadata, and configuration.

mod build;
mod configuration;
mod options;
mod selection;
mod stderr_copy;
mod workspace;

use std::process::{Command, Stdio};

use anyhow::{Context, bail};

pub(crate) use self::build::{BuildFailed, BuiltProgram, build, build_to_run};
pub(crate) use self::configuration::{configuration_files, has_key, is_configured, read_table};
pub(crate) use self::options::CargoOptions;
pub(crate) use self::selection::{BuildTarget, ProgramChoice, SelectedProgram};
pub(crate) use self::stderr_copy::CargoStderr;
pub(crate) use self::workspace::{Workspace, workspace};

/// Returns a command that runs the cargo that started this process, or else the one in `PATH`.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a command and returns its stdout.
///
/// # Errors
///
/// Returns an error if the command cannot be run or fails; the message is the command's stderr, in one line.
pub(crate) fn stdout_of(command: &mut Command) -> anyhow::Result<String> {
    let output = command
        .env("CARGO_TERM_COLOR", "never")
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    // Leave out the command's advice, which is about its own options.
    let message: Vec<_> = stderr
        .lines()
        .map(|line| line.trim().trim_start_matches("error: "))
        .take_while(|line| !line.starts_with("note: ") && !line.starts_with("help: "))
        .filter(|line| !line.is_empty())
        .collect();
    bail!("{}", message.join(" "))
}
