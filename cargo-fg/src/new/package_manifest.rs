//! The Cargo.toml of a new package. It inherits nothing, so that it fits into any workspace.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, bail};
use toml::{Table, Value};

use super::package_name::is_same_crate;
use super::templates::Template;

/// The dependencies of the test.
const TEST_DEPENDENCIES: &str = "fg-emulator = {}
tokio = { features = ['macros', 'rt'] }";

/// Returns the Cargo.toml of a package with this name and the dependencies of the template, in the versions that the
/// workspace of the checkout has. `dependency_base` is the path of the checkout for dependencies by path.
pub(crate) fn package_manifest(
    template: &Template,
    name: &str,
    checkout: &Path,
    dependency_base: &Path,
) -> anyhow::Result<String> {
    let workspace = checkout.join("Cargo.toml");
    let cannot = || format!("cannot read {}", workspace.display());
    let workspace: Table = std::fs::read_to_string(&workspace)
        .with_context(cannot)?
        .parse()
        .with_context(cannot)?;
    let edition = Some(&workspace)
        .and_then(|it| it.get("workspace")?.get("package")?.get("edition"))
        .context("the workspace has no edition")?;
    let versions = workspace
        .get("workspace")
        .and_then(|it| it.get("dependencies")?.as_table())
        .context("the workspace has no dependencies")?;
    // cargo could not tell the two apart in a lockfile, or with `-p`.
    if versions
        .keys()
        .any(|dependency| is_same_crate(name, dependency))
    {
        bail!("`{name}` is what a crate beneath it is called: choose another name");
    }
    let template: Table = template.manifest.parse()?;
    let normal = template.get("dependencies").and_then(Value::as_table);
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
            let source = source(version, dependency_base)?;
            // The features that the package itself needs; fg-extension asks for those that it needs.
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

/// Where a dependency comes from, by its entry in the workspace.
fn source(version: &Value, dependency_base: &Path) -> anyhow::Result<String> {
    let Some(path) = version.get("path").and_then(Value::as_str) else {
        let version = version.get("version").unwrap_or(version);
        return Ok(format!("version = {version}"));
    };
    let path = dependency_base.join(path);
    let text = path.to_str();
    let text = text.with_context(|| format!("the path {} is not UTF-8", path.display()))?;
    Ok(format!("path = {}", quoted(text)))
}

fn quoted(text: &str) -> Value {
    Value::String(text.to_owned())
}
