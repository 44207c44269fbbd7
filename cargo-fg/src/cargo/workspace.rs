//! The workspace of a directory, as `cargo metadata` reports it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;

use super::options::CargoOptions;
use super::{cargo, stdout_of};

/// The workspace that a package belongs to.
#[derive(Deserialize)]
pub(crate) struct Workspace {
    /// The directory of the workspace's Cargo.toml; for a package without a workspace, that of its own Cargo.toml.
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
    /// The directory that cargo builds into.
    #[serde(rename = "target_directory")]
    pub(crate) target: PathBuf,
    /// The members of the workspace.
    pub(crate) packages: Vec<Package>,
    /// The IDs of the packages that cargo builds by default.
    #[serde(rename = "workspace_default_members")]
    pub(super) default_members: Vec<String>,
}

/// A member of a workspace.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(super) version: String,
    pub(super) id: String,
    pub(crate) manifest_path: PathBuf,
    /// The table `[package.metadata]`.
    pub(crate) metadata: serde_json::Value,
    pub(super) default_run: Option<String>,
    /// The features that each feature enables.
    pub(super) features: BTreeMap<String, Vec<String>>,
    pub(super) targets: Vec<Target>,
}

/// A library, binary, example, test or benchmark of a package.
#[derive(Deserialize)]
pub(super) struct Target {
    pub(super) name: String,
    pub(super) kind: Vec<String>,
    pub(super) crate_types: Vec<String>,
    #[serde(default, rename = "required-features")]
    pub(super) required_features: Vec<String>,
}

impl Workspace {
    /// Returns the workspace that the options select: that of `--manifest-path`, or of the current directory.
    ///
    /// # Errors
    ///
    /// Returns an error if the manifest is missing, or if cargo rejects that of any package in the workspace.
    pub(crate) fn read(options: &CargoOptions) -> anyhow::Result<Self> {
        let mut workspace = metadata(None, options.manifest_path.as_deref())
            .context("cannot determine the package to build")?;
        if let Some(target) = &options.target_dir {
            workspace.target =
                std::path::absolute(target).context("cannot determine the current directory")?;
        }
        Ok(workspace)
    }
}

/// Returns the workspace of a directory.
///
/// # Errors
///
/// Returns an error if cargo rejects the manifest of any package in the workspace.
pub(crate) fn workspace(directory: &Path) -> anyhow::Result<Workspace> {
    metadata(Some(directory), None)
}

fn metadata(directory: Option<&Path>, manifest: Option<&Path>) -> anyhow::Result<Workspace> {
    let mut command = cargo();
    command.args(["metadata", "--no-deps", "--offline", "--format-version=1"]);
    if let Some(manifest) = manifest {
        command.arg("--manifest-path").arg(manifest);
    }
    if let Some(directory) = directory {
        command.current_dir(directory);
    }
    serde_json::from_str(&stdout_of(&mut command)?)
        .context("cannot read the output of `cargo metadata`")
}
