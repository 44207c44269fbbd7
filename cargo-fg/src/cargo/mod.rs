//! Running cargo: builds, metadata, and what its configuration says.

mod build;
mod configuration;
mod workspace;

use std::process::{Command, Stdio};

use anyhow::{Context, bail};

pub(crate) use self::build::{BuildTarget, BuiltProgram, ProgramChoice, build};
pub(crate) use self::configuration::{has_key, is_configured};
pub(crate) use self::workspace::workspace;

/// Returns a command for the cargo that called us, or the one in `PATH`.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs a command and returns what it prints to stdout.
///
/// # Errors
///
/// With what it printed to stderr, in one line, if it fails.
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
    // Without the advice, which is about options of its own.
    let message: Vec<_> = stderr
        .lines()
        .map(|line| line.trim().trim_start_matches("error: "))
        .take_while(|line| !line.starts_with("note: ") && !line.starts_with("help: "))
        .filter(|line| !line.is_empty())
        .collect();
    bail!("{}", message.join(" "))
}
