//! Finds the clone of this repository that a new package depends on, until fg-extension is published.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::Value;

/// cargo sets this for what `cargo run` runs, and so for the alias `cargo fg` of a clone.
const CARGO_RUN: &str = "CARGO_MANIFEST_DIR";

/// Returns the clone to depend on: the wanted one, the one that runs this program by `cargo run`, the one that
/// `folder` is in, or the one that this program was installed from.
pub(super) fn find_checkout(wanted: Option<&Path>, folder: &Path) -> anyhow::Result<PathBuf> {
    if let Some(wanted) = wanted {
        let checkout = canonical_checkout(wanted);
        return checkout.with_context(|| {
            let shown = wanted.display();
            format!("{shown} is not a clone of the fg-extension repository: it has no folder fg-extension with a package")
        });
    }
    let run_by_cargo = std::env::var_os(CARGO_RUN).map(PathBuf::from);
    let run_by_cargo = run_by_cargo.as_deref().and_then(Path::parent);
    let found = run_by_cargo
        .into_iter()
        .chain(folder.ancestors())
        .find_map(canonical_checkout);
    if let Some(checkout) = found {
        return Ok(checkout);
    }
    let program = std::env::current_exe().context("cannot find the path of this program")?;
    let Some(package) = installed_from(&program) else {
        bail!(
            "cannot find a clone of the fg-extension repository, which is not published yet: name its folder with --path"
        );
    };
    package
        .parent()
        .and_then(canonical_checkout)
        .with_context(|| {
            format!(
                "cargo-fg was installed from {}, where fg-extension is not any more: install cargo-fg again, or name \
                 the folder of its repository with --path",
                package.display()
            )
        })
}

/// Returns whether `cargo run` runs this program.
pub(super) fn is_cargo_run() -> bool {
    std::env::var_os(CARGO_RUN).is_some()
}

/// The folder without symbolic links, if fg-extension is in it.
fn canonical_checkout(folder: &Path) -> Option<PathBuf> {
    let folder = folder.canonicalize().ok()?;
    folder
        .join("fg-extension/Cargo.toml")
        .is_file()
        .then_some(folder)
}

/// The folder of the package that the program was installed from by path. `cargo install` writes that into
/// `.crates2.json`, beside the folder `bin` of the program.
fn installed_from(program: &Path) -> Option<PathBuf> {
    let record = program.parent()?.parent()?.join(".crates2.json");
    let record: Value = serde_json::from_slice(&std::fs::read(record).ok()?).ok()?;
    let mut packages = record["installs"].as_object()?.keys();
    packages.find_map(|package| path_of_package(package))
}

/// The path in `cargo-fg 0.1.0 (path+file:///some/where/cargo-fg)`.
fn path_of_package(package: &str) -> Option<PathBuf> {
    let (_, source) = package.strip_prefix("cargo-fg ")?.split_once(" (")?;
    let url = source.strip_prefix("path+file://")?.strip_suffix(')')?;
    Some(PathBuf::from(OsString::from_vec(percent_decoded(url)?)))
}

/// The bytes of a URL in which special characters are escaped: a space is `%20`.
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

    use super::{find_checkout, installed_from};

    #[test]
    fn record_of_an_installation() {
        let root = tempfile::tempdir().unwrap();
        let program = root.path().join("bin/cargo-fg");
        for (record, expected) in [
            (
                r#"{"installs":{"a 1.0.0 (registry+https://x)":{},"cargo-fg 0.1.0 (path+file:///some%20where/cargo-fg)":{}}}"#,
                Some("/some where/cargo-fg"),
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
            assert_eq!(
                installed_from(&program).as_deref(),
                expected.map(Path::new),
                "{record}"
            );
        }
        fs::remove_file(root.path().join(".crates2.json")).unwrap();
        assert_eq!(installed_from(&program), None);
    }

    #[test]
    fn wanted_folder_must_be_a_checkout() {
        let folder = tempfile::tempdir().unwrap();
        let wanted = folder.path();
        let error = find_checkout(Some(wanted), Path::new("/")).unwrap_err();
        let message = format!(
            "{} is not a clone of the fg-extension repository: ",
            wanted.display()
        );
        assert!(error.to_string().starts_with(&message), "{error}");
        fs::create_dir(wanted.join("fg-extension")).unwrap();
        fs::write(wanted.join("fg-extension/Cargo.toml"), "").unwrap();
        assert_eq!(
            find_checkout(Some(wanted), Path::new("/")).unwrap(),
            wanted.canonicalize().unwrap()
        );
    }
}
