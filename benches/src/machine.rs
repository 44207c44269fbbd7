//! The machine, the date and the versions that a run is labeled with.

use std::fs;
use std::time::SystemTime;

use crate::build::{Directories, first_line};

/// Returns the date in UTC, such as `2026-11-27`.
pub(crate) fn date() -> String {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    now.split('T').next().unwrap_or_default().to_owned()
}

pub(crate) fn machine() -> Vec<(String, String)> {
    let cpu = fs::read_to_string("/proc/cpuinfo").ok();
    let cpu = cpu.as_deref().and_then(|it| value(it, "model name"));
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").ok();
    let memory = memory.as_deref().and_then(|it| value(it, "MemTotal"));
    let memory: Option<f64> = memory.and_then(|it| it.trim_end_matches(" kB").parse().ok());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok();
    let mut machine = vec![(
        "processor".to_owned(),
        format!("{}, {cpus} CPUs", cpu.unwrap_or(std::env::consts::ARCH)),
    )];
    if let Some(memory) = memory {
        machine.push(("memory".to_owned(), format!("{:.0} GB", memory / 1e6)));
    }
    if let Some(kernel) = kernel {
        machine.push(("kernel".to_owned(), format!("Linux {}", kernel.trim())));
    }
    machine
}

/// Returns the versions of the clone, of the compilers and interpreters, and of the crates of the peers.
pub(crate) fn versions(directories: &Directories) -> Vec<(String, String)> {
    let root = directories.root.display().to_string();
    let describe = ["-C", &root, "describe", "--always", "--dirty"];
    let mut versions: Vec<_> = [
        ("fg-extension", "git", &describe[..]),
        ("Rust", "rustc", &["--version"]),
        ("Go", "go", &["version"]),
        ("Node", "node", &["--version"]),
        ("Python", "python3", &["--version"]),
        ("valgrind", "valgrind", &["--version"]),
    ]
    .into_iter()
    .filter_map(|(name, program, arguments)| {
        Some((name.to_owned(), first_line(program, arguments)?))
    })
    .collect();
    for (peer, name) in [
        ("hyper", "hyper"),
        ("hyper", "dlmalloc"),
        ("axum", "axum"),
        ("axum", "reqwest"),
        ("lambda-extension", "lambda-extension"),
    ] {
        let lock = fs::read_to_string(directories.peers().join(peer).join("Cargo.lock"));
        if let Some(version) = lock.ok().as_deref().and_then(|it| locked(it, name)) {
            versions.push((name.to_owned(), version));
        }
    }
    versions
}

fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let mut lines = text.lines().filter_map(|it| it.split_once(':'));
    let (_, value) = lines.find(|(it, _)| it.trim() == key)?;
    Some(value.trim())
}

/// Returns the version of a package in a lock file.
fn locked(lock: &str, name: &str) -> Option<String> {
    let lock: toml::Table = lock.parse().ok()?;
    let packages = lock.get("package")?.as_array()?;
    let package = packages
        .iter()
        .find(|it| it.get("name").and_then(toml::Value::as_str) == Some(name))?;
    Some(package.get("version")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_key() {
        let text = "processor\t: 0\nmodel name\t: A CPU @ 2 GHz\n";
        assert_eq!(value(text, "model name"), Some("A CPU @ 2 GHz"));
        assert_eq!(value(text, "model"), None);
    }

    #[test]
    fn versions_are_read_from_lock_files() {
        let lock = "version = 4\n[[package]]\nname = \"a\"\nversion = \"1.2.3\"\n";
        assert_eq!(locked(lock, "a").as_deref(), Some("1.2.3"));
        assert_eq!(locked(lock, "b"), None);
    }
}
