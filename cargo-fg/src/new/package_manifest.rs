//! The Cargo.toml of a new package. It inherits no values from a workspace, so that it works in any workspace.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, bail};
use toml::{Table, Value};

use super::package_name::is_same_crate;
use super::templates::Template;

/// The dependencies of the code in the guide, in addition to those of the template. fg-extension depends on tokio, too. For `tracing`, the guide has the command that adds it.
const GUIDE_DEPENDENCIES: &str = "tokio = { features = ['io-util', 'net', 'rt', 'sync', 'time'] }";

/// The dependencies of the package's test, and of the tests in the guide.
const TEST_DEPENDENCIES: &str = "fg-emulator = {}
serde_json = {}
tokio = { features = ['macros', 'rt'] }";

/// Returns the Cargo.toml of a package with this name and the dependencies of the template, in the versions of the
/// clone's workspace. `dependency_base` is the path of the clone for path dependencies.
///
/// # Errors
///
/// Returns an error if the clone's manifest cannot be read, or if a dependency has the same name as the package.
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
        .context("the workspace of the clone has no edition")?;
    let versions = workspace
        .get("workspace")
        .and_then(|it| it.get("dependencies")?.as_table())
        .context("the workspace of the clone has no dependencies")?;
    // Two packages with the same name are ambiguous in `cargo -p`.
    if versions
        .keys()
        .any(|dependency| is_same_crate(name, dependency))
    {
        bail!("cannot create `{name}`: a dependency has the same name; choose another name");
    }
    let template: Table = template.manifest.parse()?;
    let normal = template.get("dependencies").and_then(Value::as_table);
    let mut normal = normal.cloned().unwrap_or_default();
    for (dependency, wanted) in GUIDE_DEPENDENCIES.parse::<Table>()? {
        add_features(&mut normal, dependency, wanted);
    }
    let test: Table = TEST_DEPENDENCIES.parse()?;

    let mut text = format!(
        "[package]\nname = {}\nversion = \"0.1.0\"\nedition = {edition}\npublish = false\n",
        quoted(name)
    );
    for (section, dependencies) in [("dependencies", normal), ("dev-dependencies", test)] {
        writeln!(text, "\n[{section}]")?;
        for (dependency, wanted) in &dependencies {
            let version = versions.get(dependency);
            let version = version.with_context(|| {
                format!("the workspace of the clone has no version of {dependency}")
            })?;
            let source = source(version, dependency_base)?;
            // Only the features that the package itself needs; fg-extension enables those that it needs.
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

/// Adds a dependency, or its features if the dependency is there already.
fn add_features(dependencies: &mut Table, dependency: String, wanted: Value) {
    let Some(existing) = dependencies.get_mut(&dependency) else {
        dependencies.insert(dependency, wanted);
        return;
    };
    let more = wanted.get("features").and_then(Value::as_array);
    let features = existing.get_mut("features").and_then(Value::as_array_mut);
    if let (Some(features), Some(more)) = (features, more) {
        features.extend(more.iter().cloned());
    }
}

/// Returns the `path` or `version` of a dependency, taken from its entry in the clone's workspace.
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
