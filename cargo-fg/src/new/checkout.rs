//! Finds the clone of this repository that a new package depends on, until fg-extension is published.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::Value;

/// A variable that `cargo run` sets, and therefore also the alias `cargo fg` in a clone.
const CARGO_RUN: &str = "CARGO_MANIFEST_DIR";

/// Returns the clone to depend on. If `wanted` is `None`, it is the first of these that exists: the clone that runs this
/// program with `cargo run`, the clone that contains `directory`, and the clone that this program was installed from.
///
/// # Errors
///
/// Returns an error if `wanted` is not a clone, or if no clone is found.
pub(super) fn find_checkout(wanted: Option<&Path>, directory: &Path) -> anyhow::Result<PathBuf> {
    if let Some(wanted) = wanted {
        let checkout = canonical_checkout(wanted);
        return checkout.with_context(|| {
            let shown = wanted.display();
            format!("{shown} is not a clone of the fg-extension repository: it has no fg-extension/Cargo.toml")
        });
    }
    let run_by_cargo = std::env::var_os(CARGO_RUN).map(PathBuf::from);
    let run_by_cargo = run_by_cargo.as_deref().and_then(Path::parent);
    let found = run_by_cargo
        .into_iter()
        .chain(directory.ancestors())
        .find_map(canonical_checkout);
    if let Some(checkout) = found {
        return Ok(checkout);
    }
    let program = std::env::current_exe().context("cannot determine the path of this program")?;
    let Some(package) = installed_from(&program) else {
        bail!(
            "cannot find a clone of the fg-extension repository, which new packages depend on until fg-extension is \
             published; choose one with --path DIR"
        );
    };
    package
        .parent()
        .and_then(canonical_checkout)
        .with_context(|| {
            format!(
                "cannot find the clone that cargo-fg was installed from: {} is no longer in a clone of the \
                 fg-extension repository; install cargo-fg again, or choose a clone with --path DIR",
                package.display()
            )
        })
}

/// Returns whether `cargo run` runs this program.
pub(super) fn is_cargo_run() -> bool {
    std::env::var_os(CARGO_RUN).is_some()
}

/// Returns the path without symbolic links if it is a clone, and `None` otherwise.
fn canonical_checkout(directory: &Path) -> Option<PathBuf> {
    let directory = directory.canonicalize().ok()?;
    directory
        .join("fg-extension/Cargo.toml")
        .is_file()
        .then_some(directory)
}

/// Returns the package directory that the program was installed from with `cargo install --path`. cargo records it in
/// `.crates2.json`, next to the `bin` directory of the program.
fn installed_from(program: &Path) -> Option<PathBuf> {
    let record = program.parent()?.parent()?.join(".crates2.json");
    let record: Value = serde_json::from_slice(&std::fs::read(record).ok()?).ok()?;
    let mut packages = record["installs"].as_object()?.keys();
    packages.find_map(|package| path_of_package(package))
}

/// Returns the path in a record such as `cargo-fg 0.1.0 (path+file:///some/where/cargo-fg)`.
fn path_of_package(package: &str) -> Option<PathBuf> {
    let (_, source) = package.strip_prefix("cargo-fg ")?.split_once(" (")?;
    let url = source.strip_prefix("path+file://")?.strip_suffix(')')?;
    Some(PathBuf::from(OsString::from_vec(percent_decoded(url)?)))
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

    use super::{find_checkout, installed_from};

    #[test]
    fn source_of_an_installation_is_found() {
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
    fn wanted_directory_must_be_a_clone() {
        let directory = tempfile::tempdir().unwrap();
        let wanted = directory.path();
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
