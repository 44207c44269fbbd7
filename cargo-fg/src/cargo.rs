//! Asking cargo.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde_json::Value;

/// The cargo that called us, or the one in `PATH`.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// What a command prints, or, as an error, what it says.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
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
    let said = String::from_utf8_lossy(&output.stderr);
    // Without the advice, which is about options of its own.
    let said: Vec<_> = said
        .lines()
        .map(|line| line.trim().trim_start_matches("error: "))
        .take_while(|line| !line.starts_with("note: ") && !line.starts_with("help: "))
        .filter(|line| !line.is_empty())
        .collect();
    bail!("{}", said.join(" "))
}

/// Where a package belongs to.
pub(crate) struct Workspace {
    /// The folder with the workspace's Cargo.toml; the package's own, if it stands alone.
    pub(crate) root: PathBuf,
    /// Where cargo builds.
    pub(crate) target: PathBuf,
}

/// The workspace of the folder, after a look at all its packages.
pub(crate) fn workspace(folder: &Path) -> anyhow::Result<Workspace> {
    let mut command = cargo();
    command
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(folder);
    let metadata: Value = serde_json::from_str(&output(&mut command)?)?;
    let path = |key| {
        let path = metadata[key].as_str().map(PathBuf::from);
        path.with_context(|| format!("`cargo metadata` has no {key}"))
    };
    Ok(Workspace {
        root: path("workspace_root")?,
        target: path("target_directory")?,
    })
}
