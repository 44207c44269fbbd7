//! `cargo xtask public-api`: the public API of each library crate, pinned in a text file beside its Cargo.toml.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::run::{cargo, command, output, run};

/// The JSON of rustdoc changes from release to release; public-api reads that of this one.
const RUSTC: &str = "rustc 1.95.";

/// Set where cargo takes this program for rustdoc.
const IS_RUSTDOC: &str = "XTASK_IS_RUSTDOC";

/// A library crate that is published.
struct Library {
    name: String,
    /// Where its public API is written down.
    file: PathBuf,
}

/// Compares what each crate exports with its file, and shows the difference.
pub(crate) fn compare() -> anyhow::Result<()> {
    if !is_read_by_public_api()? {
        println!("the public API was not compared: that needs {RUSTC}*");
        return Ok(());
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
            "the public API of {} changed; if that is meant, `cargo xtask public-api --update` writes it down",
            differ.join(", ")
        );
    }
    Ok(())
}

/// Writes down what each crate exports.
pub(crate) fn update() -> anyhow::Result<()> {
    if !is_read_by_public_api()? {
        bail!("the public API can be written down with {RUSTC}* only");
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

fn is_read_by_public_api() -> anyhow::Result<bool> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    Ok(output(command(rustc)?.arg("--version"))?.starts_with(RUSTC))
}

fn metadata() -> anyhow::Result<Value> {
    let metadata = output(cargo()?.args(["metadata", "--no-deps", "--format-version=1"]))?;
    Ok(serde_json::from_str(&metadata)?)
}

/// The workspace's packages that may be published and have a library that is not a procedural macro.
fn libraries(metadata: &Value) -> Vec<Library> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let mut libraries: Vec<_> = packages
        .filter(|package| package["publish"].is_null() && has_library(package))
        .filter_map(|package| {
            let manifest = Path::new(package["manifest_path"].as_str()?);
            Some(Library {
                name: package["name"].as_str()?.to_owned(),
                file: manifest.with_file_name("public-api.txt"),
            })
        })
        .collect();
    libraries.sort_by(|left, right| left.name.cmp(&right.name));
    libraries
}

fn has_library(package: &Value) -> bool {
    let targets = package["targets"].as_array().into_iter().flatten();
    let mut kinds = targets.flat_map(|target| target["kind"].as_array().into_iter().flatten());
    kinds.any(|kind| kind == "lib")
}

/// Has rustdoc write the JSON of all libraries.
///
/// Stable rustdoc does that where `RUSTC_BOOTSTRAP` is set. For all of cargo that would build the dependencies once more,
/// so cargo gets this program for its rustdoc.
fn write_json() -> anyhow::Result<()> {
    run(cargo()?
        .args(["doc", "--quiet", "--workspace", "--no-deps", "--lib"])
        .env("RUSTDOC", std::env::current_exe()?)
        .env(IS_RUSTDOC, "1"))
}

/// If cargo takes this program for rustdoc: runs rustdoc, which writes JSON.
pub(crate) fn rustdoc() -> Option<ExitCode> {
    std::env::var_os(IS_RUSTDOC)?;
    let mut command = Command::new("rustdoc");
    command
        .args(std::env::args_os().skip(1))
        .env("RUSTC_BOOTSTRAP", "1");
    // Not where cargo asks for the version only.
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

/// One line an item, by path.
fn exported(library: &Library, metadata: &Value) -> anyhow::Result<String> {
    let target = metadata["target_directory"].as_str();
    let json = Path::new(target.context("cargo names its target folder")?)
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
