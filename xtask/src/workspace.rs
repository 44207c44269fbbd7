//! What `cargo metadata` says about the packages of this workspace.

use anyhow::Context;
use serde_json::Value;

use crate::run::{cargo, output};

/// Returns the output of `cargo metadata`, without the dependencies.
pub(crate) fn metadata() -> anyhow::Result<Value> {
    let metadata = output(cargo()?.args(["metadata", "--no-deps", "--format-version=1"]))?;
    serde_json::from_str(&metadata).context("cannot parse the output of cargo metadata")
}

/// Returns the packages that are published, sorted by name.
pub(crate) fn published(metadata: &Value) -> Vec<&Value> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let mut published: Vec<_> = packages
        .filter(|package| package["publish"].is_null())
        .collect();
    published.sort_by_key(|package| package["name"].as_str());
    published
}

/// Returns whether a package has a library other than a procedural macro.
pub(crate) fn has_library(package: &Value) -> bool {
    let targets = package["targets"].as_array().into_iter().flatten();
    let mut kinds = targets.flat_map(|target| target["kind"].as_array().into_iter().flatten());
    kinds.any(|kind| kind == "lib")
}
