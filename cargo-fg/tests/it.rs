//! Integration tests of `cargo fg`: one module for each subcommand, in one binary to link only once.

use std::path::{Path, PathBuf};

mod check;
#[cfg(feature = "deploy")]
mod deploy;
mod dev;
mod docs;
mod new;
mod package;
mod ui;

/// Returns the root of the repository.
fn repository_root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    root.canonicalize().expect("the package has a parent")
}

/// Returns the directory that cargo builds into.
fn target_directory() -> &'static Path {
    let program = Path::new(env!("CARGO_BIN_EXE_cargo-fg"));
    program
        .ancestors()
        .nth(2)
        .expect("a program in target/debug")
}
