//! Builds with cargo: peers, packages of the workspace, and clean builds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::stage::{self, Staged};
use super::{Directories, run};

/// The target of every program: what `cargo fg package` builds for.
const TARGET: &str = if cfg!(target_arch = "aarch64") {
    "aarch64-unknown-linux-musl"
} else {
    "x86_64-unknown-linux-musl"
};

/// What `cargo fg package` sets. The manifests of the peers say the same.
const PROFILE: [&str; 6] = [
    "--config=profile.release.codegen-units=1",
    "--config=profile.release.lto=\"fat\"",
    "--config=profile.release.strip=\"symbols\"",
    "--release",
    "--target",
    TARGET,
];

/// A package that is built from scratch.
pub(crate) enum Hello {
    Ours,
    Peer(&'static str),
}

impl Hello {
    fn command(&self, directories: &Directories, subcommand: &str) -> Command {
        let mut command = cargo(directories);
        command.arg(subcommand).arg("--manifest-path");
        match self {
            Self::Ours => command.arg(directories.root.join("examples/hello/Cargo.toml")),
            Self::Peer(name) => command.arg(directories.peers().join(name).join("Cargo.toml")),
        };
        command
    }
}

/// Returns whether the target of every program is installed.
pub(crate) fn has_target() -> bool {
    let print = ["--print", "target-libdir", "--target", TARGET];
    super::first_line("rustc", &print).is_some_and(|it| Path::new(&it).is_dir())
}

/// Packages a package of the workspace, and unpacks its ZIP.
pub(crate) fn package(
    directories: &Directories,
    name: &str,
    script: &str,
    to: &Path,
) -> anyhow::Result<Staged> {
    let zip = directories.output().join(format!("{name}.zip"));
    fs::create_dir_all(directories.output())?;
    // The boot that verifies the ZIP has no collector.
    run(cargo(directories)
        .args([
            "fg",
            "package",
            "--env",
            "OTEL_SDK_DISABLED=true",
            "-p",
            name,
            "--out",
        ])
        .arg(&zip)
        .current_dir(&directories.root))?;
    stage::zip(&zip, name, script, to)
}

/// Builds both programs of a peer, and returns the directory that contains them.
pub(super) fn build_peer(
    directories: &Directories,
    name: &'static str,
    features: &str,
) -> anyhow::Result<PathBuf> {
    let target = directories
        .output()
        .join("peers")
        .join(format!("{name}{features}"));
    run(Hello::Peer(name)
        .command(directories, "build")
        .args(PROFILE)
        .args(["--features", features, "--target-dir"])
        .arg(&target))?;
    Ok(target.join(TARGET).join("release"))
}

/// Builds `hello` into an empty target directory, without downloads: its crates are there since it was built for the
/// other measurements.
pub(crate) fn clean_build(directories: &Directories, hello: &Hello) -> anyhow::Result<Duration> {
    let target = directories.output().join("clean");
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    let mut build = hello.command(directories, "build");
    build
        .args(PROFILE)
        .args(["--offline", "--bin", "hello", "--target-dir"])
        .arg(&target);
    let start = Instant::now();
    run(&mut build)?;
    let elapsed = start.elapsed();
    fs::remove_dir_all(&target)?;
    Ok(elapsed)
}

/// Returns how many crates are compiled for `hello`, with macros and build scripts, without `hello` itself.
pub(crate) fn crate_count(directories: &Directories, hello: &Hello) -> anyhow::Result<usize> {
    let tree = run(hello.command(directories, "tree").args([
        "--edges=normal,build",
        "--prefix=none",
        "--no-dedupe",
        "--format={p}",
        "--target",
        TARGET,
    ]))?;
    Ok(count_packages(&tree))
}

/// Counts the packages in the output of `cargo tree`, without the first.
fn count_packages(tree: &str) -> usize {
    let mut packages: Vec<_> = tree.lines().filter(|it| !it.is_empty()).collect();
    packages.sort_unstable();
    packages.dedup();
    packages.len().saturating_sub(1)
}

fn cargo(directories: &Directories) -> Command {
    let mut command = Command::new("cargo");
    // `cargo run` sets variables that would change what is built, and the flags of the user would differ between peers.
    command
        .env_remove("RUSTFLAGS")
        .env("CARGO_INCREMENTAL", "0")
        .current_dir(&directories.root);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_counted_once_and_without_the_root() {
        let tree = "hello v0.1.0 (/a)\nb v1.0.0\nc v2.0.0 (proc-macro)\nb v1.0.0\n\nc v2.0.0 (proc-macro)\n";
        assert_eq!(count_packages(tree), 2);
        assert_eq!(count_packages(""), 0);
    }
}
