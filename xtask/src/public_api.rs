//! `cargo xtask public-api`: compares the public API of each library crate with its `public-api.txt`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::run::{cargo, command, output, run};
use crate::workspace::{has_library, metadata, published};

/// The release whose rustdoc JSON the `public-api` crate can read. The format changes from release to release.
const RUSTC: &str = "rustc 1.95.";

/// The environment variable that is set when Cargo runs this program as rustdoc.
const IS_RUSTDOC: &str = "XTASK_IS_RUSTDOC";

/// A library crate that is published.
struct Library {
    name: String,
    /// The file that contains its public API.
    file: PathBuf,
}

/// Compares the public API of each crate with its file and prints the differences. Returns `false` if this compiler's output
/// cannot be read, so that nothing was compared.
pub(crate) fn compare() -> anyhow::Result<bool> {
    if !is_supported_rustc()? {
        println!("the public API was not compared, because that requires {RUSTC}*");
        return Ok(false);
    }
    let metadata = metadata()?;
    write_json()?;
    let mut differ = Vec::new();
    for library in libraries(&metadata) {
        let expected = fs::read_to_string(&library.file)
            .with_context(|| format!("cannot read {}", library.file.display()))?;
        let exported = exported(&library, &metadata)?;
        let (expected, exported) = (lines(&expected), lines(&exported));
        if expected == exported {
            continue;
        }
        println!("\n{}:", library.file.display());
        for line in expected.difference(&exported) {
            println!("-{line}");
        }
        for line in exported.difference(&expected) {
            println!("+{line}");
        }
        differ.push(library.name);
    }
    if !differ.is_empty() {
        bail!(
            "the public API of {} changed; if this is intended, run `cargo xtask public-api --update`",
            differ.join(", ")
        );
    }
    Ok(true)
}

/// Writes the public API of each crate to its file.
pub(crate) fn update() -> anyhow::Result<()> {
    if !is_supported_rustc()? {
        bail!("cannot update the public API: that requires {RUSTC}*");
    }
    let metadata = metadata()?;
    write_json()?;
    for library in libraries(&metadata) {
        let exported = exported(&library, &metadata)?;
        fs::write(&library.file, exported)
            .with_context(|| format!("cannot write {}", library.file.display()))?;
    }
    Ok(())
}

fn is_supported_rustc() -> anyhow::Result<bool> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    Ok(output(command(rustc)?.arg("--version"))?.starts_with(RUSTC))
}

/// Returns the packages of the workspace that are published and have a library other than a procedural macro.
fn libraries(metadata: &Value) -> Vec<Library> {
    let packages = published(metadata).into_iter();
    packages
        .filter(|package| has_library(package))
        .filter_map(|package| {
            let manifest = Path::new(package["manifest_path"].as_str()?);
            Some(Library {
                name: package["name"].as_str()?.to_owned(),
                file: manifest.with_file_name("public-api.txt"),
            })
        })
        .collect()
}

/// Runs rustdoc to write the JSON of all libraries.
///
/// Stable rustdoc writes JSON only if `RUSTC_BOOTSTRAP` is set. Setting it for Cargo would rebuild all dependencies, so
/// Cargo runs this program as rustdoc, which sets it for rustdoc only.
fn write_json() -> anyhow::Result<()> {
    run(cargo()?
        .args(["doc", "--quiet", "--workspace", "--no-deps", "--lib"])
        .env("RUSTDOC", std::env::current_exe()?)
        .env(IS_RUSTDOC, "1"))
}

/// Runs rustdoc with JSON output if Cargo runs this program as rustdoc; otherwise returns `None`.
pub(crate) fn rustdoc() -> Option<ExitCode> {
    std::env::var_os(IS_RUSTDOC)?;
    let mut command = Command::new("rustdoc");
    command
        .args(std::env::args_os().skip(1))
        .env("RUSTC_BOOTSTRAP", "1");
    // Cargo also runs rustdoc to query its version.
    if std::env::args_os().any(|argument| argument == "--crate-name") {
        command.args(["-Z", "unstable-options", "--output-format", "json"]);
    }
    Some(match run(&mut command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    })
}

/// Returns the public API, with one line for each item.
fn exported(library: &Library, metadata: &Value) -> anyhow::Result<String> {
    let target = metadata["target_directory"].as_str();
    let json = Path::new(target.context("cargo metadata does not contain the target directory")?)
        .join("doc")
        .join(library.name.replace('-', "_"))
        .with_extension("json");
    let api = public_api::Builder::from_rustdoc_json(&json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .build()
        .with_context(|| format!("cannot read {}", json.display()))?;
    Ok(api.items().map(|item| format!("{item}\n")).collect())
}

fn lines(text: &str) -> BTreeSet<&str> {
    text.lines().collect()
}
