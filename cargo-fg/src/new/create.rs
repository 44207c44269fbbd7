//! Creates the directory and the files of a new package.

use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, bail};

use super::dependency_source::{DependencySource, clone_around};
use super::github_workflow::GithubWorkflow;
use super::package_manifest::package_manifest;
use super::package_name::script_name_of;
use super::ports::Ports;
use super::rollback::Rollback;
use super::taken_ports::TakenPorts;
use super::templates::Template;
use crate::cargo::{cargo, stdout_of, workspace};

/// The files of a new package.
const FILES: [&str; 3] = ["Cargo.toml", "src/main.rs", "tests/boots.rs"];

/// What cargo creates besides, unless the package is in a repository.
const VERSION_CONTROL: [&str; 2] = [".git", ".gitignore"];

/// A package to create.
pub(crate) struct NewPackage<'a> {
    /// The directory to create or, if it exists, to create the package in. Its name becomes the name of the package.
    pub(crate) directory: &'a Path,
    pub(crate) template: &'a Template,
    /// The port that the user chose.
    pub(crate) port: Option<u16>,
    /// Where the crates of this repository come from; by default, the same place as this program.
    pub(crate) source: Option<DependencySource>,
    /// Whether to write a workflow of GitHub Actions.
    pub(crate) with_github_workflow: bool,
}

/// A package that was created.
#[derive(Debug)]
pub(crate) struct CreatedPackage {
    pub(crate) name: String,
    pub(crate) script_name: String,
    pub(crate) ports: Ports,
    /// What the user should know about the ports.
    pub(crate) note: Option<String>,
    /// The workspace that the package is a member of; `None` if it is its own workspace.
    pub(crate) workspace: Option<PathBuf>,
    /// Where the crates of this repository come from.
    pub(crate) source: DependencySource,
    /// Whether that is the clone that contains the package.
    pub(crate) is_in_clone: bool,
    /// The workflow of GitHub Actions, if it was wanted.
    pub(crate) github_workflow: Option<PathBuf>,
}

/// Creates a package, and adds it to the workspace that contains it.
///
/// # Errors
///
/// Returns an error if the name is invalid, one of the files exists, no port is free, the source of the dependencies is not
/// found, or cargo rejects the package. Then no file has changed.
pub(crate) fn create(new: &NewPackage<'_>) -> anyhow::Result<CreatedPackage> {
    let shown = new.directory.display();
    let cannot = || format!("cannot create {shown}");
    let directory = absolute(new.directory)?;
    let named = if is_current(new.directory) {
        &directory
    } else {
        new.directory
    };
    let name = named.file_name().map(|name| name.to_string_lossy());
    let name = name.with_context(|| {
        format!(
            "cannot create {shown}: the path does not end in a name; write one such as night-watch"
        )
    })?;
    let script_name = script_name_of(&name)?;
    let exists = new.directory.symlink_metadata().is_ok();
    if exists {
        require_free(new.directory).with_context(cannot)?;
    }
    let source = DependencySource::find(new.source.clone(), &directory)?;
    let around = clone_around(&directory);
    let taken = TakenPorts::around(&directory, around.as_deref());
    let default = new.template.ports;
    let ports = Ports::choose(default, new.port, &taken).with_context(cannot)?;
    let clone = match &source {
        DependencySource::Clone(clone) => clone.as_path(),
        DependencySource::Published | DependencySource::Git(_) => Path::new(""),
    };
    // In the clone, the dependencies have relative paths like those of its other packages, so that the clone can be
    // moved.
    let is_in_clone = around.as_deref() == Some(clone);
    let rest = directory.strip_prefix(clone).ok().filter(|_| is_in_clone);
    let relative = rest.map(|rest| rest.components().map(|_| "..").collect::<PathBuf>());
    let clone = relative.as_deref().unwrap_or(clone);
    let manifest = package_manifest(new.template, &name, &source, clone)?;

    let workflow = new
        .with_github_workflow
        .then(|| GithubWorkflow::new(&directory, &name, &source))
        .transpose()
        .with_context(cannot)?;

    let workflow_path = workflow.as_ref().map(GithubWorkflow::path);
    let entries = FILES.into_iter().chain(VERSION_CONTROL).map(PathBuf::from);
    let rollback = Rollback::new(&directory, entries.chain(workflow_path.clone()));
    // cargo rejects names that a package must not have, and adds the package to the workspace that contains it.
    let mut command = cargo();
    let subcommand = if exists { "init" } else { "new" };
    command.args([subcommand, "--quiet", "--"]).arg(&directory);
    stdout_of(&mut command).with_context(cannot)?;
    let main = new.template.main(&script_name, ports);
    let test = new.template.test(&name, &script_name);
    for (file, text) in FILES.into_iter().zip([manifest, main, test]) {
        write(&directory.join(file), &text)?;
    }
    let workspace = workspace(&directory)
        .with_context(|| format!("cannot create {shown}: cargo rejects it in its workspace"))?
        .root;
    if let Some(workflow) = &workflow {
        write(&workflow.path(), &workflow.text(&workspace)?)?;
    }
    rollback.disarm();
    Ok(CreatedPackage {
        name: name.into_owned(),
        script_name,
        ports,
        note: port_note(ports, default, new.port, &taken),
        is_in_clone,
        github_workflow: workflow_path,
        source,
        workspace: (workspace != directory).then_some(workspace),
    })
}

/// Writes a file, and creates the directories that contain it.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let written = match path.parent() {
        Some(parent) => fs::create_dir_all(parent).and_then(|()| fs::write(path, text)),
        None => Ok(()),
    };
    written.with_context(|| format!("cannot write {}", path.display()))
}

/// Returns whether the path is the current directory.
pub(super) fn is_current(path: &Path) -> bool {
    path.components().eq([Component::CurDir])
}

/// Returns an error that lists the files of a package that are already in the directory.
fn require_free(directory: &Path) -> anyhow::Result<()> {
    if !directory.is_dir() {
        bail!("it exists, and is not a directory; choose another name");
    }
    let existing = FILES.map(|file| {
        let exists = directory.join(file).symlink_metadata().is_ok();
        exists.then_some(file)
    });
    let existing: Vec<_> = existing.into_iter().flatten().collect();
    if !existing.is_empty() {
        bail!(
            "it already contains {}; choose another name, or remove what is there",
            existing.join(", ")
        );
    }
    Ok(())
}

/// Returns a note if the ports are not the default, or if another package uses the port that the user chose.
fn port_note(
    ports: Ports,
    default: Ports,
    wanted: Option<u16>,
    taken: &TakenPorts,
) -> Option<String> {
    let shared = taken.list(|port| ports.all().any(|own| own == port));
    if !shared.is_empty() {
        return Some(format!(
            "other packages use the same port, {shared}; extensions of one function need different ports"
        ));
    }
    let avoided = taken.list(|port| default.all().any(|own| own == port));
    (wanted.is_none() && !avoided.is_empty())
        .then(|| format!("other packages use the ports of the example: {avoided}"))
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

    use super::{DependencySource, NewPackage, create};
    use crate::new::TEMPLATES;

    #[test]
    fn dependencies_of_a_package_in_the_clone_have_relative_paths() {
        let checkout = tempfile::tempdir().unwrap();
        let checkout = checkout.path();
        let manifest = r#"
[workspace]
members = []
"#;
        fs::write(checkout.join("Cargo.toml"), manifest).unwrap();
        let directory = checkout.join("more/night-watch");
        let new = NewPackage {
            directory: &directory,
            template: &TEMPLATES[0],
            port: None,
            source: Some(DependencySource::Clone(checkout.to_owned())),
            with_github_workflow: false,
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
        assert!(created.is_in_clone);
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
