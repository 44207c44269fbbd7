//! Creates the directory and the files of a new package.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::checkout::find_checkout;
use super::package_manifest::package_manifest;
use super::package_name::script_name_of;
use super::rollback::Rollback;
use super::templates::Template;
use crate::cargo::{cargo, stdout_of, workspace};

/// A package to create.
pub(crate) struct NewPackage<'a> {
    /// The directory to create. Its name becomes the name of the package.
    pub(crate) directory: &'a Path,
    pub(crate) template: &'a Template,
    pub(crate) port: u16,
    /// The clone of this repository to depend on; by default, one is found.
    pub(crate) checkout: Option<&'a Path>,
}

/// A package that was created.
#[derive(Debug)]
pub(crate) struct CreatedPackage {
    pub(crate) name: String,
    pub(crate) script_name: String,
    /// The workspace that the package is a member of; `None` if it is its own workspace.
    pub(crate) workspace: Option<PathBuf>,
    /// The clone of this repository that the package depends on.
    pub(crate) checkout: PathBuf,
    /// Whether the package is in that clone.
    pub(crate) is_in_checkout: bool,
}

/// Creates a package, and adds it to the workspace that contains it.
///
/// # Errors
///
/// Returns an error if the name is invalid, the directory exists, no clone is found, or cargo rejects the package. Then
/// no file has changed.
pub(crate) fn create(new: &NewPackage<'_>) -> anyhow::Result<CreatedPackage> {
    let shown = new.directory.display();
    let name = new.directory.file_name().map(|name| name.to_string_lossy());
    let name = name.with_context(|| {
        format!(
            "cannot create {shown}: the path does not end in a name; write one such as night-watch"
        )
    })?;
    let script_name = script_name_of(&name)?;
    if new.directory.symlink_metadata().is_ok() {
        bail!("cannot create {shown}: it already exists; choose another name, or remove it");
    }
    let directory = absolute(new.directory)?;
    let checkout = find_checkout(new.checkout, &directory)?;
    let rest = directory.strip_prefix(&checkout).ok();
    // In the clone, the dependencies have relative paths like those of its other packages, so that the clone can be
    // moved.
    let to_checkout = rest.map(|rest| rest.components().map(|_| "..").collect::<PathBuf>());
    let dependency_base = to_checkout.as_ref().unwrap_or(&checkout);
    let manifest = package_manifest(new.template, &name, &checkout, dependency_base)?;

    let rollback = Rollback::new(&directory);
    // `cargo new` rejects names that a package must not have, and adds the package to the workspace that contains it.
    let mut command = cargo();
    command
        .args(["new", "--quiet", "--vcs", "none", "--"])
        .arg(&directory);
    stdout_of(&mut command).with_context(|| format!("cannot create {shown}"))?;
    for (file, text) in [
        ("Cargo.toml", manifest),
        ("src/main.rs", new.template.main(&script_name, new.port)),
        ("tests/boots.rs", new.template.test(&name, &script_name)),
    ] {
        let path = directory.join(file);
        let written = match path.parent() {
            Some(parent) => fs::create_dir_all(parent).and_then(|()| fs::write(&path, text)),
            None => Ok(()),
        };
        written.with_context(|| format!("cannot write {}", path.display()))?;
    }
    let workspace = workspace(&directory)
        .with_context(|| format!("cannot create {shown}: cargo rejects it in its workspace"))?
        .root;
    rollback.disarm();
    Ok(CreatedPackage {
        name: name.into_owned(),
        script_name,
        is_in_checkout: to_checkout.is_some(),
        checkout,
        workspace: (workspace != directory).then_some(workspace),
    })
}

/// Returns the absolute path. Symbolic links are resolved in the part of it that exists.
fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    let absolute = std::path::absolute(path).context("cannot determine the current directory")?;
    let resolved = absolute.ancestors().find_map(|it| {
        let rest = absolute.strip_prefix(it).ok()?;
        Some(it.canonicalize().ok()?.join(rest))
    });
    Ok(resolved.unwrap_or(absolute))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{NewPackage, create};
    use crate::new::TEMPLATES;

    #[test]
    fn dependencies_of_a_package_in_the_clone_have_relative_paths() {
        let checkout = tempfile::tempdir().unwrap();
        let checkout = checkout.path();
        let manifest = r#"
[workspace]
members = []
[workspace.package]
edition = "2024"
[workspace.dependencies]
fg-emulator = { path = "fg-emulator", version = "0.1.0" }
fg-extension = { path = "fg-extension", version = "0.1.0" }
tokio = { version = "1.54", default-features = false }
"#;
        fs::write(checkout.join("Cargo.toml"), manifest).unwrap();
        let directory = checkout.join("more/night-watch");
        let new = NewPackage {
            directory: &directory,
            template: &TEMPLATES[0],
            port: 8081,
            checkout: Some(checkout),
        };
        let error = create(&new).unwrap_err().to_string();
        assert!(
            error.contains(" is not a clone of the fg-extension repository"),
            "{error}"
        );
        assert!(!checkout.join("more").exists());

        for name in ["fg-extension", "fg-emulator"] {
            fs::create_dir_all(checkout.join(name).join("src")).unwrap();
            fs::write(checkout.join(name).join("src/lib.rs"), "").unwrap();
            let manifest = format!("[package]\nname = \"{name}\"\n");
            fs::write(checkout.join(name).join("Cargo.toml"), manifest).unwrap();
        }
        let created = create(&new).unwrap();
        assert!(created.is_in_checkout);
        let workspace = checkout.canonicalize().unwrap();
        assert_eq!(created.workspace, Some(workspace));
        let manifest = fs::read_to_string(directory.join("Cargo.toml")).unwrap();
        let dependency =
            "\nfg-extension = { path = \"../../fg-extension\", features = [\"dlmalloc\"] }\n";
        assert!(manifest.contains(dependency), "{manifest}");
        let members = fs::read_to_string(checkout.join("Cargo.toml")).unwrap();
        assert!(members.contains("\"more/night-watch\""), "{members}");
    }
}
