//! `cargo xtask package`: packages the published crates as `cargo publish` does, and compiles them without the rest of the
//! repository.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::run::{cargo, command, root, run};
use crate::workspace::{metadata, published};

/// What a package may contain, in addition to `src`.
const EXPECTED: [&str; 10] = [
    ".cargo_vcs_info.json",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "Cargo.toml.orig",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "templates",
    "ui",
];

/// The files that every package must contain.
const REQUIRED: [&str; 4] = ["CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "README.md"];

/// The registry accepts 10 MB. A package that is much larger than the sources contains something by mistake.
const MAX_BYTES: u64 = 1_000_000;

/// The packages of the published crates, unpacked, as a workspace in which they depend on one another.
pub(crate) struct UnpackedWorkspace {
    pub(crate) directory: PathBuf,
    /// The directory of each package, relative to the workspace.
    pub(crate) packages: Vec<String>,
}

impl UnpackedWorkspace {
    /// Packages the crates, and replaces the directory by a workspace of their contents. The versions of other crates are those
    /// in `Cargo.lock`.
    pub(crate) fn create(directory: &Path) -> anyhow::Result<Self> {
        let metadata = metadata()?;
        let published: Vec<_> = published(&metadata)
            .into_iter()
            .map(text_of("name"))
            .collect();
        let mut package = cargo()?;
        // Not yet committed changes are packaged, too: what matters is whether they compile.
        package.args(["package", "--quiet", "--no-verify", "--allow-dirty"]);
        run(package.args(published.iter().flat_map(|name| ["--package", name])))?;

        if directory.exists() {
            fs::remove_dir_all(directory)
                .with_context(|| format!("cannot remove {}", directory.display()))?;
        }
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
        let target = target()?;
        let mut packages = Vec::new();
        for (name, entry) in published.iter().zip(self::published(&metadata)) {
            let package = format!("{name}-{}", text_of("version")(entry));
            let archive = target.join(format!("package/{package}.crate"));
            check_size(&archive)?;
            run(command("tar")?
                .arg("--extract")
                .arg("--file")
                .arg(&archive)
                .arg("--directory")
                .arg(directory))?;
            check_files(&package, &directory.join(&package))?;
            packages.push(package);
        }
        let mut manifest = String::from("[workspace]\nresolver = \"3\"\nmembers = [");
        for package in &packages {
            write!(manifest, "\"{package}\", ")?;
        }
        // The same settings as in this repository, so that the other crates are compiled only once.
        manifest += "]\n\n[profile.dev]\ndebug = \"line-tables-only\"\n\n[patch.crates-io]\n";
        for (name, package) in published.iter().zip(&packages) {
            writeln!(manifest, "{name} = {{ path = \"{package}\" }}")?;
        }
        let workspace = Self {
            directory: directory.to_owned(),
            packages,
        };
        workspace.write("Cargo.toml", &manifest)?;
        workspace.lock()?;
        Ok(workspace)
    }

    /// Creates a command that runs in the workspace.
    pub(crate) fn cargo(&self) -> anyhow::Result<std::process::Command> {
        let mut cargo = cargo()?;
        cargo.current_dir(&self.directory);
        Ok(cargo)
    }

    fn write(&self, file: &str, text: &str) -> anyhow::Result<()> {
        let path = self.directory.join(file);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Writes a `Cargo.lock` with the versions of this repository, without the crates that only other packages need.
    fn lock(&self) -> anyhow::Result<()> {
        let ours = root()?.join("Cargo.lock");
        let ours =
            fs::read_to_string(&ours).with_context(|| format!("cannot read {}", ours.display()))?;
        self.write("Cargo.lock", &ours)?;
        run(self
            .cargo()?
            .args(["update", "--quiet", "--workspace", "--offline"]))?;
        let theirs = fs::read_to_string(self.directory.join("Cargo.lock"))?;
        let ours = versions(&ours);
        let other: Vec<_> = versions(&theirs).difference(&ours).cloned().collect();
        if !other.is_empty() {
            bail!(
                "the packages depend on versions that are not in Cargo.lock: {}",
                other.join(", ")
            );
        }
        Ok(())
    }
}

/// Packages the published crates, and checks their files.
pub(crate) fn check() -> anyhow::Result<()> {
    let workspace = UnpackedWorkspace::create(&target()?.join("package/unpacked"))?;
    println!("{} crates can be packaged", workspace.packages.len());
    Ok(())
}

/// Packages the published crates, and checks that they compile without the rest of the repository.
pub(crate) fn compile() -> anyhow::Result<()> {
    let target = target()?;
    let workspace = UnpackedWorkspace::create(&target.join("package/unpacked"))?;
    let mut check = workspace.cargo()?;
    check.args(["check", "--workspace", "--locked", "--target-dir"]);
    run(check.arg(target))?;
    println!("{} packages compile on their own", workspace.packages.len());
    Ok(())
}

/// Returns the directory that cargo builds this repository into.
pub(crate) fn target() -> anyhow::Result<PathBuf> {
    let metadata = metadata()?;
    let target = metadata["target_directory"].as_str();
    let target = target.context("cargo metadata does not contain the target directory")?;
    Ok(PathBuf::from(target))
}

fn check_size(archive: &Path) -> anyhow::Result<()> {
    let size = archive
        .metadata()
        .with_context(|| format!("cannot read {}", archive.display()))?
        .len();
    if size > MAX_BYTES {
        bail!(
            "{} has {size} bytes, more than {MAX_BYTES}: exclude what a user does not need, with `exclude` in its Cargo.toml",
            archive.display()
        );
    }
    Ok(())
}

fn check_files(package: &str, directory: &Path) -> anyhow::Result<()> {
    let entries =
        fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    let names: BTreeSet<String> = names.collect::<std::io::Result<_>>()?;
    let problems = file_problems(&names);
    if !problems.is_empty() {
        bail!("the package {package} {}", problems.join(", and "));
    }
    Ok(())
}

/// Returns what is wrong with the files and directories at the top of a package.
fn file_problems(names: &BTreeSet<String>) -> Vec<String> {
    let missing = REQUIRED.into_iter().filter(|name| !names.contains(*name));
    let missing =
        missing.map(|name| format!("has no {name}: add a link to that of the repository"));
    let is_expected = |name: &str| name == "src" || EXPECTED.contains(&name);
    let unexpected = names.iter().filter(|name| !is_expected(name));
    let unexpected = unexpected.map(|name| {
        format!("contains {name}: add it to `exclude` in its Cargo.toml, or to the expected files in xtask/src/packages.rs")
    });
    missing.chain(unexpected).collect()
}

/// Returns the name, the version and the checksum of each crate of a registry in a `Cargo.lock`.
fn versions(lock: &str) -> BTreeSet<String> {
    let packages = lock.split("\n[[package]]\n").skip(1);
    let packages = packages.filter(|package| package.contains("\nsource = "));
    packages
        .map(|package| {
            let lines = package.lines().filter(|line| {
                ["name", "version", "checksum"]
                    .iter()
                    .any(|key| line.starts_with(&format!("{key} = ")))
            });
            let values = lines.filter_map(|line| line.split('"').nth(1));
            values.collect::<Vec<_>>().join(" ")
        })
        .collect()
}

fn text_of(key: &str) -> impl Fn(&Value) -> String {
    move |package| package[key].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{file_problems, versions};

    #[test]
    fn crates_of_a_registry_are_compared() {
        let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nsource = \"registry+x\"\nchecksum = \"0a\"\n\
                    dependencies = [\n \"fg-util\",\n]\n\n[[package]]\nname = \"fg-util\"\nversion = \"0.1.0\"\n";
        assert_eq!(versions(lock), BTreeSet::from(["a 1.0.0 0a".to_owned()]));
    }

    #[test]
    fn missing_and_unexpected_files_are_reported() {
        let names = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect();
        let good = [
            "CHANGELOG.md",
            "LICENSE-APACHE",
            "LICENSE-MIT",
            "README.md",
            "src",
            "Cargo.toml",
        ];
        assert_eq!(file_problems(&names(&good)), [""; 0]);
        let problems = file_problems(&names(&[&good[1..], &["tests"]].concat()));
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(
            problems[0].starts_with("has no CHANGELOG.md: "),
            "{problems:?}"
        );
        assert!(problems[1].starts_with("contains tests: "), "{problems:?}");
    }
}
