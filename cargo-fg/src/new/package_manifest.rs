//! The Cargo.toml of a new package. It inherits no values from a workspace, so that it works in any workspace.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, bail};
use toml::{Table, Value};

use super::dependency_source::{DependencySource, GitSource};
use super::package_name::is_same_crate;
use super::templates::Template;

/// The dependencies of the code in the guide, in addition to those of the template. fg-extension depends on tokio, too. For `tracing`, the guide has the command that adds it.
const GUIDE_DEPENDENCIES: &str = "tokio = { features = ['io-util', 'net', 'rt', 'sync', 'time'] }";

/// The dependencies of the package's test, and of the tests in the guide.
const TEST_DEPENDENCIES: &str = "fg-emulator = {}
serde_json = {}
tokio = { features = ['macros', 'rt'] }";

/// The manifest of this repository's workspace, which has the versions of all dependencies. It is part of the package that
/// cargo publishes.
const WORKSPACE: &str = include_str!("../../templates/Cargo.toml.template");

/// Returns the Cargo.toml of a package with this name and the dependencies of the template. `clone` is the path for
/// dependencies on a clone.
///
/// # Errors
///
/// Returns an error if a dependency has the same name as the package, or if the path is not UTF-8.
pub(crate) fn package_manifest(
    template: &Template,
    name: &str,
    source: &DependencySource,
    clone: &Path,
) -> anyhow::Result<String> {
    let workspace: Table = WORKSPACE.parse()?;
    let edition = Some(&workspace)
        .and_then(|it| it.get("workspace")?.get("package")?.get("edition"))
        .context("the workspace has no edition")?;
    let versions = workspace
        .get("workspace")
        .and_then(|it| it.get("dependencies")?.as_table())
        .context("the workspace has no dependencies")?;
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
            let version =
                version.with_context(|| format!("the workspace has no version of {dependency}"))?;
            let source = requirement(version, source, clone)?;
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

/// Returns the `version`, `git` or `path` of a dependency, given its entry in this repository's workspace.
fn requirement(entry: &Value, source: &DependencySource, clone: &Path) -> anyhow::Result<String> {
    let path = entry.get("path").and_then(Value::as_str);
    match (path, source) {
        (Some(_), DependencySource::Git(GitSource { url, reference })) => {
            let mut text = format!("git = {}", quoted(url));
            if let Some((key, value)) = reference {
                write!(text, ", {key} = {}", quoted(value))?;
            }
            Ok(text)
        }
        (Some(path), DependencySource::Clone(_)) => {
            let path = clone.join(path);
            let text = path.to_str();
            let text = text.with_context(|| format!("the path {} is not UTF-8", path.display()))?;
            Ok(format!("path = {}", quoted(text)))
        }
        (None, _) | (Some(_), DependencySource::Published) => {
            let version = entry.get("version").unwrap_or(entry);
            Ok(format!("version = {version}"))
        }
    }
}

fn quoted(text: &str) -> Value {
    Value::String(text.to_owned())
}
