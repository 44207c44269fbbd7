//! Finds the program `cargo-fg`, and builds it if it is older than its sources.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;

/// Returns the path of `cargo-fg` in the directory that cargo builds into.
///
/// `cargo test --workspace` has built it. Otherwise, this function builds it, because the tests of this package would not test
/// the current sources.
pub fn cargo_fg() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let this = std::env::current_exe().unwrap();
        // Tests are in `target/debug/deps`, programs in `target/debug`.
        let directory = this.parent().unwrap();
        let directory = match directory.ends_with("deps") {
            true => directory.parent().unwrap(),
            false => directory,
        };
        let program = directory.join("cargo-fg");
        if !is_current(&program) {
            let status = Command::new(env!("CARGO"))
                .args(["build", "--quiet", "--package", "cargo-fg", "--target-dir"])
                .arg(directory.parent().unwrap())
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .status()
                .unwrap();
            assert!(status.success(), "cannot build cargo-fg: {status}");
        }
        program
    })
}

/// Returns whether the program is newer than all files in its dep-info file, which cargo writes beside it.
fn is_current(program: &Path) -> bool {
    let modified = |path: &Path| -> Option<SystemTime> { fs::metadata(path).ok()?.modified().ok() };
    let (Some(built), Ok(info)) = (
        modified(program),
        fs::read_to_string(program.with_extension("d")),
    ) else {
        return false;
    };
    // `/target/debug/cargo-fg: /cargo-fg/src/main.rs …`, with escaped spaces.
    let Some((_, sources)) = info.trim_end().split_once(": ") else {
        return false;
    };
    let sources = sources.replace("\\ ", "\0");
    sources.split(' ').all(|source| {
        let source = source.replace('\0', " ");
        modified(Path::new(&source)).is_some_and(|modified| modified <= built)
    })
}
