//! The Cargo.toml of a new package: it inherits nothing, whatever workspace it is put into.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, bail};
use toml::{Table, Value};

use super::examples::Example;
use super::name::is_same;

/// Where the versions are, which the examples inherit.
const WORKSPACE: &str = include_str!("../../../Cargo.toml");

/// What the test needs.
const TEST_DEPENDENCIES: &str = "fg-emulator = {}
tokio = { features = ['macros', 'rt'] }";

/// The Cargo.toml of a package with this name, and the dependencies of the example.
pub(crate) fn manifest(example: &Example, name: &str, checkout: &Path) -> anyhow::Result<String> {
    let workspace: Table = WORKSPACE.parse()?;
    let edition = Some(&workspace)
        .and_then(|it| it.get("workspace")?.get("package")?.get("edition"))
        .context("the workspace has no edition")?;
    let versions = workspace
        .get("workspace")
        .and_then(|it| it.get("dependencies")?.as_table())
        .context("the workspace has no dependencies")?;
    // cargo could not tell the two apart in a lockfile, or with `-p`.
    if versions.keys().any(|dependency| is_same(name, dependency)) {
        bail!("`{name}` is what a crate beneath it is called: choose another name");
    }
    let example: Table = example.manifest.parse()?;
    let normal = example.get("dependencies").and_then(Value::as_table);
    let test: Table = TEST_DEPENDENCIES.parse()?;

    let mut text = format!(
        "[package]\nname = {}\nversion = \"0.1.0\"\nedition = {edition}\npublish = false\n",
        quoted(name)
    );
    for (section, dependencies) in [("dependencies", normal), ("dev-dependencies", Some(&test))] {
        writeln!(text, "\n[{section}]")?;
        for (dependency, wanted) in dependencies.into_iter().flatten() {
            let version = versions.get(dependency);
            let version = version.with_context(|| format!("{dependency} has no version"))?;
            let source = source(version, checkout)?;
            // The features that the example itself needs: what ours need beyond, ours ask for.
            match wanted.get("features") {
                Some(features) => {
                    writeln!(text, "{dependency} = {{ {source}, features = {features} }}")?;
                }
                None => writeln!(text, "{dependency} = {{ {source} }}")?,
            }
        }
    }
    Ok(text)
}

/// Where a dependency comes from, by its line in the workspace.
fn source(version: &Value, checkout: &Path) -> anyhow::Result<String> {
    let Some(path) = version.get("path").and_then(Value::as_str) else {
        let version = version.get("version").unwrap_or(version);
        return Ok(format!("version = {version}"));
    };
    let path = checkout.join(path);
    let text = path.to_str();
    let text = text.with_context(|| format!("the path {} is not UTF-8", path.display()))?;
    Ok(format!("path = {}", quoted(text)))
}

fn quoted(text: &str) -> Value {
    Value::String(text.to_owned())
}
