use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::examples::Example;
use super::manifest::manifest;
use super::name::script_name;
use super::undo::Undo;
use crate::cargo::{cargo, output, workspace};

/// What to create.
pub(crate) struct New<'a> {
    /// Its folder, whose name is the package's.
    pub(crate) folder: &'a Path,
    pub(crate) example: &'a Example,
    pub(crate) port: u16,
    /// This project's folder, with the crates to depend on.
    pub(crate) checkout: &'a Path,
}

/// What was created.
#[derive(Debug)]
pub(crate) struct Created {
    pub(crate) name: String,
    pub(crate) script: String,
    /// The workspace that it is a member of, if it is not one of its own.
    pub(crate) workspace: Option<PathBuf>,
    /// Whether it is in the checkout.
    pub(crate) in_checkout: bool,
}

/// Creates a package; after an error all is as it was.
pub(crate) fn create(new: &New<'_>) -> anyhow::Result<Created> {
    let shown = new.folder.display();
    let name = new.folder.file_name().map(|name| name.to_string_lossy());
    let name = name.with_context(|| format!("`{shown}` is no name for a package"))?;
    let script = script_name(&name)?;
    if new.folder.symlink_metadata().is_ok() {
        bail!("{shown} is there already: choose another name, or remove it");
    }
    let checkout = new.checkout.canonicalize().ok();
    let checkout = checkout
        .filter(|it| it.join("fg-extension/Cargo.toml").is_file())
        .with_context(|| {
            format!(
                "{} is gone, and fg-extension with it, which is not published yet: \
                 install cargo-fg again, from where the checkout is now",
                new.checkout.display()
            )
        })?;

    let folder = absolute(new.folder)?;
    let rest = folder.strip_prefix(&checkout).ok();
    // Within the checkout, as its own packages do it: it can be moved.
    let to_checkout = rest.map(|rest| rest.components().map(|_| "..").collect::<PathBuf>());
    let manifest = manifest(
        new.example,
        &name,
        to_checkout.as_ref().unwrap_or(&checkout),
    )?;

    let undo = Undo::of(&folder);
    // cargo knows what no package may be called, and adds it to the workspace that it is put into.
    let mut command = cargo();
    command
        .args(["new", "--quiet", "--vcs", "none", "--"])
        .arg(&folder);
    output(&mut command).with_context(|| format!("cannot create {shown}"))?;
    for (file, text) in [
        ("Cargo.toml", manifest),
        ("src/main.rs", new.example.main(&script, new.port)),
        ("tests/boots.rs", new.example.test(&name, &script)),
    ] {
        let path = folder.join(file);
        let written = match path.parent() {
            Some(parent) => fs::create_dir_all(parent).and_then(|()| fs::write(&path, text)),
            None => Ok(()),
        };
        written.with_context(|| format!("cannot write {}", path.display()))?;
    }
    let workspace = workspace(&folder)
        .with_context(|| format!("cannot create {shown}: it does not fit into its workspace"))?
        .root;
    undo.keep();
    Ok(Created {
        name: name.into_owned(),
        script,
        in_checkout: to_checkout.is_some(),
        workspace: (workspace != folder).then_some(workspace),
    })
}

/// The path from the root, without symbolic links up to where it ends by now.
fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    let absolute = std::path::absolute(path).context("cannot tell the current folder")?;
    let there = absolute.ancestors().find_map(|it| {
        let rest = absolute.strip_prefix(it).ok()?;
        Some(it.canonicalize().ok()?.join(rest))
    });
    Ok(there.unwrap_or(absolute))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{New, create};
    use crate::new::EXAMPLES;

    #[test]
    fn within_the_checkout_paths_are_relative() {
        let checkout = tempfile::tempdir().unwrap();
        let checkout = checkout.path();
        let members = "[workspace]\nmembers = []\n";
        fs::write(checkout.join("Cargo.toml"), members).unwrap();
        let new = |folder| New {
            folder,
            example: &EXAMPLES[0],
            port: 8081,
            checkout,
        };
        let folder = checkout.join("more/night-watch");
        let error = create(&new(&folder)).unwrap_err().to_string();
        let gone = format!("{} is gone, and fg-extension with it, ", checkout.display());
        assert!(error.starts_with(&gone), "{error}");
        assert!(!checkout.join("more").exists());

        for name in ["fg-extension", "fg-emulator"] {
            fs::create_dir_all(checkout.join(name).join("src")).unwrap();
            fs::write(checkout.join(name).join("src/lib.rs"), "").unwrap();
            let manifest = format!("[package]\nname = \"{name}\"\n");
            fs::write(checkout.join(name).join("Cargo.toml"), manifest).unwrap();
        }
        let created = create(&new(&folder)).unwrap();
        assert!(created.in_checkout);
        let workspace = checkout.canonicalize().unwrap();
        assert_eq!(created.workspace, Some(workspace));
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        let dependency = "\nfg-extension = { path = \"../../fg-extension\" }\n";
        assert!(manifest.contains(dependency), "{manifest}");
        let members = fs::read_to_string(checkout.join("Cargo.toml")).unwrap();
        assert!(members.contains("\"more/night-watch\""), "{members}");
    }
}
