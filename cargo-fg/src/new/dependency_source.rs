//! Decides where a new package gets the crates of this repository from: a published version, a repository, or a clone.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::Value;
use toml::Table;

/// The manifest of cargo-fg. When cargo packages a crate, it replaces the values that are inherited from the workspace.
const MANIFEST: &str = include_str!("../../Cargo.toml");

/// A variable that `cargo run` sets, and therefore also the alias `cargo fg` in a clone.
const CARGO_RUN: &str = "CARGO_MANIFEST_DIR";

/// What to do if no source is found.
const ADVICE: &str =
    "choose a repository with --git URL, or a clone with --path DIR, for the package to depend on";

/// Where the crates of this repository come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DependencySource {
    /// The published version, which is that of this program.
    Published,
    /// A git repository.
    Git(GitSource),
    /// A clone on this machine.
    Clone(PathBuf),
}

/// A git repository, and the commit in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GitSource {
    pub(crate) url: String,
    /// The key and the value that select the commit, such as `rev` and its hash; by default, the default branch.
    pub(crate) reference: Option<(&'static str, String)>,
}

impl fmt::Display for GitSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)?;
        match &self.reference {
            Some((key, value)) => write!(f, ", {key} {value}"),
            None => Ok(()),
        }
    }
}

impl DependencySource {
    /// Returns what the user chose or, if that is `None`, the first of these that applies: the clone that runs this program
    /// with `cargo run`, the clone that contains `directory`, the published version if this program was built from a
    /// published crate, and the repository or the clone that it was installed from.
    ///
    /// # Errors
    ///
    /// Returns an error if the path that the user chose is not a clone, or if this program was built from a clone that is
    /// not found.
    pub(crate) fn find(wanted: Option<Self>, directory: &Path) -> anyhow::Result<Self> {
        match wanted {
            Some(Self::Clone(wanted)) => {
                let clone = canonical_clone(&wanted).with_context(|| {
                    let shown = wanted.display();
                    format!("{shown} is not a clone of the fg-extension repository: it has no fg-extension/Cargo.toml")
                })?;
                Ok(Self::Clone(clone))
            }
            Some(wanted) => Ok(wanted),
            None => Build::of_this_program()?.source(directory),
        }
    }
}

/// How this program was built and started.
struct Build {
    /// Whether it was built from the package that cargo publishes, and not from the sources in a repository.
    is_packaged: bool,
    /// The package that `cargo run` has built it from.
    run_from: Option<PathBuf>,
    /// The path of the program.
    program: PathBuf,
}

impl Build {
    fn of_this_program() -> anyhow::Result<Self> {
        Ok(Self {
            is_packaged: is_packaged(MANIFEST)?,
            run_from: run_from(),
            program: std::env::current_exe()
                .context("cannot determine the path of this program")?,
        })
    }

    fn source(&self, directory: &Path) -> anyhow::Result<DependencySource> {
        let run_from = self.run_from.as_deref().and_then(Path::parent);
        let clone = run_from.and_then(canonical_clone);
        if let Some(clone) = clone.or_else(|| clone_around(directory)) {
            return Ok(DependencySource::Clone(clone));
        }
        if self.is_packaged {
            return Ok(DependencySource::Published);
        }
        match installed_from(&self.program) {
            Some(Installed::Git(git)) => Ok(DependencySource::Git(git)),
            Some(Installed::Path(package)) => {
                let clone = package.parent().and_then(canonical_clone);
                let clone = clone.with_context(|| {
                    format!(
                        "cannot find the clone that cargo-fg was installed from: {} is not in a clone of the fg-extension \
                         repository, at least not now; {ADVICE}",
                        package.display()
                    )
                })?;
                Ok(DependencySource::Clone(clone))
            }
            // `target/debug/cargo-fg` in a clone.
            None => match clone_around(&self.program) {
                Some(clone) => Ok(DependencySource::Clone(clone)),
                None => bail!("cannot find the clone that cargo-fg was built from; {ADVICE}"),
            },
        }
    }
}

/// Returns whether this is the manifest of a package that cargo has written.
fn is_packaged(manifest: &str) -> anyhow::Result<bool> {
    let manifest: Table = manifest.parse()?;
    let version = manifest.get("package").and_then(|it| it.get("version"));
    Ok(version.is_some_and(toml::Value::is_str))
}

/// Returns the directory of the package that `cargo run` has built this program from.
pub(super) fn run_from() -> Option<PathBuf> {
    std::env::var_os(CARGO_RUN).map(PathBuf::from)
}

/// Returns the clone that contains the path, which need not exist.
pub(super) fn clone_around(path: &Path) -> Option<PathBuf> {
    path.ancestors().find_map(canonical_clone)
}

/// Returns the path without symbolic links if it is a clone, and `None` otherwise.
fn canonical_clone(directory: &Path) -> Option<PathBuf> {
    let directory = directory.canonicalize().ok()?;
    directory
        .join("fg-extension/Cargo.toml")
        .is_file()
        .then_some(directory)
}

/// What `cargo install` was given.
#[derive(Debug, PartialEq, Eq)]
enum Installed {
    /// `--path`: the directory of the package.
    Path(PathBuf),
    /// `--git`, with the commit that it found.
    Git(GitSource),
}

/// Returns what the program was installed from. cargo records it in `.crates2.json`, next to the `bin` directory of the
/// program.
fn installed_from(program: &Path) -> Option<Installed> {
    let record = program.parent()?.parent()?.join(".crates2.json");
    let record: Value = serde_json::from_slice(&std::fs::read(record).ok()?).ok()?;
    let mut packages = record["installs"].as_object()?.keys();
    packages.find_map(|package| source_of_package(package))
}

/// Returns the source in a record such as `cargo-fg 0.1.0 (path+file:///some/where/cargo-fg)`, or
/// `cargo-fg 0.1.0 (git+https://example.com/x?branch=main#0123abc)`.
fn source_of_package(package: &str) -> Option<Installed> {
    let (_, source) = package.strip_prefix("cargo-fg ")?.split_once(" (")?;
    let source = source.strip_suffix(')')?;
    if let Some(url) = source.strip_prefix("git+") {
        let (url, commit) = url.split_once('#')?;
        let url = url.split('?').next()?.to_owned();
        let reference = Some(("rev", commit.to_owned()));
        return Some(Installed::Git(GitSource { url, reference }));
    }
    let path = percent_decoded(source.strip_prefix("path+file://")?)?;
    Some(Installed::Path(PathBuf::from(OsString::from_vec(path))))
}

/// Decodes the percent escapes of a URL, such as `%20` for a space. Returns `None` if an escape is invalid.
fn percent_decoded(url: &str) -> Option<Vec<u8>> {
    let mut parts = url.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (byte, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(byte, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{
        Build, DependencySource, GitSource, Installed, MANIFEST, installed_from, is_packaged,
    };

    fn git(url: &str, commit: &str) -> GitSource {
        GitSource {
            url: url.to_owned(),
            reference: Some(("rev", commit.to_owned())),
        }
    }

    #[test]
    fn source_of_an_installation_is_found() {
        let root = tempfile::tempdir().unwrap();
        let program = root.path().join("bin/cargo-fg");
        for (record, expected) in [
            (
                r#"{"installs":{"a 1.0.0 (registry+https://x)":{},"cargo-fg 0.1.0 (path+file:///some%20where/cargo-fg)":{}}}"#,
                Some(Installed::Path("/some where/cargo-fg".into())),
            ),
            (
                r#"{"installs":{"cargo-fg 0.1.0 (git+https://example.com/x.git?branch=main#0123abc)":{}}}"#,
                Some(Installed::Git(git("https://example.com/x.git", "0123abc"))),
            ),
            (
                r#"{"installs":{"cargo-fg 0.1.0 (git+ssh://git@example.com/x#0123abc)":{}}}"#,
                Some(Installed::Git(git("ssh://git@example.com/x", "0123abc"))),
            ),
            (
                r#"{"installs":{"cargo-fg 0.1.0 (registry+https://x)":{}}}"#,
                None,
            ),
            (
                r#"{"installs":{"cargo-fg-x 0.1.0 (path+file:///x)":{}}}"#,
                None,
            ),
            (
                r#"{"installs":{"cargo-fg 0.1.0 (path+file:///%zz)":{}}}"#,
                None,
            ),
            ("nonsense", None),
        ] {
            fs::write(root.path().join(".crates2.json"), record).unwrap();
            assert_eq!(installed_from(&program), expected, "{record}");
        }
        fs::remove_file(root.path().join(".crates2.json")).unwrap();
        assert_eq!(installed_from(&program), None);
    }

    #[test]
    fn manifests_of_packages_are_recognized() {
        assert!(!is_packaged(MANIFEST).unwrap());
        // As `cargo package` writes it.
        let packaged = MANIFEST.replace("version.workspace = true", "version = \"0.1.0\"");
        assert!(is_packaged(&packaged).unwrap());
    }

    #[test]
    fn published_program_depends_on_its_version_except_in_a_clone() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        let clone = root.join("clone");
        fs::create_dir_all(clone.join("fg-extension")).unwrap();
        fs::write(clone.join("fg-extension/Cargo.toml"), "").unwrap();
        fs::create_dir_all(root.join("bin")).unwrap();
        let record = |source: String| {
            let record =
                serde_json::json!({"installs": {format!("cargo-fg 0.1.0 ({source})"): {}}});
            fs::write(root.join(".crates2.json"), record.to_string()).unwrap();
        };
        let source = |is_packaged, run_from: Option<&str>, program: &str, directory: &str| {
            let build = Build {
                is_packaged,
                run_from: run_from.map(|it| root.join(it)),
                program: root.join(program),
            };
            build.source(&root.join(directory))
        };
        let found = |is_packaged, run_from, program, directory| {
            source(is_packaged, run_from, program, directory).unwrap()
        };
        let of_clone = DependencySource::Clone(clone.clone());

        let downloaded = found(true, None, "bin/cargo-fg", "new");
        assert_eq!(downloaded, DependencySource::Published);
        // As installed from the unpacked package, which was deleted later.
        record("path+file:///unpacked/cargo-fg-0.1.0".to_owned());
        let unpacked = found(true, None, "bin/cargo-fg", "new");
        assert_eq!(unpacked, DependencySource::Published);
        assert_eq!(found(true, None, "bin/cargo-fg", "clone/a/new"), of_clone);

        let error = source(false, None, "bin/cargo-fg", "new").unwrap_err();
        let message = "cannot find the clone that cargo-fg was installed from: /unpacked/cargo-fg-0.1.0 is not in a clone ";
        assert!(error.to_string().starts_with(message), "{error}");
        record(format!("path+file://{}/cargo-fg", clone.display()));
        assert_eq!(found(false, None, "bin/cargo-fg", "new"), of_clone);
        record("git+https://example.com/x#0123abc".to_owned());
        assert_eq!(
            found(false, None, "bin/cargo-fg", "new"),
            DependencySource::Git(git("https://example.com/x", "0123abc"))
        );
        let alias = found(false, Some("clone/cargo-fg"), "bin/cargo-fg", "new");
        assert_eq!(alias, of_clone);

        let built = "clone/target/debug/cargo-fg";
        assert_eq!(found(false, None, built, "new"), of_clone);
        let error = source(false, None, "other/bin/cargo-fg", "new").unwrap_err();
        let message = "cannot find the clone that cargo-fg was built from; choose a repository with --git URL, or a clone ";
        assert!(error.to_string().starts_with(message), "{error}");
    }

    #[test]
    fn wanted_directory_must_be_a_clone() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        let find = || {
            let wanted = DependencySource::Clone(directory.to_owned());
            DependencySource::find(Some(wanted), Path::new("/"))
        };
        let error = find().unwrap_err();
        let message = format!(
            "{} is not a clone of the fg-extension repository: ",
            directory.display()
        );
        assert!(error.to_string().starts_with(&message), "{error}");
        fs::create_dir(directory.join("fg-extension")).unwrap();
        fs::write(directory.join("fg-extension/Cargo.toml"), "").unwrap();
        let clone = directory.canonicalize().unwrap();
        assert_eq!(find().unwrap(), DependencySource::Clone(clone));
    }
}
