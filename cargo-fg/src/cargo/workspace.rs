//! The workspace of a directory, as `cargo metadata` reports it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::Value;

use super::{cargo, stdout_of};

/// The workspace that a package belongs to.
pub(crate) struct Workspace {
    /// The directory of the workspace's Cargo.toml; for a package without a workspace, that of its own Cargo.toml.
    pub(crate) root: PathBuf,
    /// The directory that cargo builds into.
    pub(crate) target: PathBuf,
}

/// Returns the workspace of a directory.
///
/// # Errors
///
/// Returns an error if cargo rejects the manifest of any package in the workspace.
pub(crate) fn workspace(directory: &Path) -> anyhow::Result<Workspace> {
    let mut command = cargo();
    command
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(directory);
    let metadata: Value = serde_json::from_str(&stdout_of(&mut command)?)?;
    let path = |key| {
        let path = metadata[key].as_str().map(PathBuf::from);
        path.with_context(|| format!("the output of `cargo metadata` has no {key}"))
    };
    Ok(Workspace {
        root: path("workspace_root")?,
        target: path("target_directory")?,
    })
}
