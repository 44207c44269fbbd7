//! Finds the ports of the extensions around a new package: the members of its workspace, and the packages in the
//! directories next to it. It reads their sources as text, since nothing of them may be built yet.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use fg_emulator::PORT_RANGE;
use fg_util::env_file;

use crate::cargo::{has_key, workspace};

/// The directories of the clone of this repository whose packages are not extensions of anybody's function.
const OWN_DIRECTORIES: [&str; 4] = ["benches", "docs", "examples", "tests"];

/// The settings that replace the ports in the source.
const SETTINGS: [&str; 2] = ["FG_EXTENSION_PORT", "FG_TELEMETRY_PORT"];

/// The ports that are taken, with the package that each belongs to.
#[derive(Debug, Default)]
pub(super) struct TakenPorts(pub(super) BTreeMap<u16, String>);

impl TakenPorts {
    /// Finds the ports of the extensions around `directory`, which is absolute, and need not exist. `clone` is the
    /// clone of this repository that contains it.
    pub(super) fn around(directory: &Path, clone: Option<&Path>) -> Self {
        let existing = directory.ancestors().find(|it| it.is_dir());
        // If cargo cannot read the workspace, it reports that when it creates the package.
        let members = existing.and_then(|it| workspace(it).ok());
        let members = members.into_iter().flat_map(|it| it.packages);
        let members = members.filter_map(|it| it.manifest_path.parent().map(Path::to_owned));
        let neighbours = directory.parent().map(entries).unwrap_or_default();
        let packages: BTreeSet<PathBuf> = members.chain(neighbours).collect();
        let mut taken = BTreeMap::new();
        for package in packages {
            let in_clone = clone.and_then(|clone| package.strip_prefix(clone).ok());
            let is_own = in_clone
                .is_some_and(|path| OWN_DIRECTORIES.iter().any(|own| path.starts_with(own)));
            let manifest = package.join("Cargo.toml");
            if is_own || !has_key(&manifest, &["dependencies", "fg-extension"]) {
                continue;
            }
            let name = package.file_name().unwrap_or_default().to_string_lossy();
            for port in ports_of_package(&package) {
                taken.entry(port).or_insert_with(|| name.to_string());
            }
        }
        Self(taken)
    }

    pub(super) fn contains_key(&self, port: &u16) -> bool {
        self.0.contains_key(port)
    }

    /// Returns the ports for which `is_wanted` is true, such as `8081 (hello), 8082 (audit-log)`.
    pub(super) fn list(&self, is_wanted: impl Fn(u16) -> bool) -> String {
        let wanted = self.0.iter().filter(|(port, _)| is_wanted(**port));
        let wanted: Vec<_> = wanted
            .map(|(port, package)| format!("{port} ({package})"))
            .collect();
        wanted.join(", ")
    }
}

/// Returns the ports in the sources of a package, and in files with settings next to its Cargo.toml.
fn ports_of_package(package: &Path) -> Vec<u16> {
    let is_settings = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(".env") && path.is_file()
    };
    let settings = entries(package).into_iter().filter(is_settings);
    let settings = settings.filter_map(|path| fs::read_to_string(path).ok());
    let sources = sources(&package.join("src"));
    let sources = sources
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok());
    settings
        .flat_map(|text| ports_in_settings(&text))
        .chain(sources.flat_map(|text| ports_in_source(&text)))
        .filter(|port| PORT_RANGE.contains(port))
        .collect()
}

/// Returns the paths in a directory, and none if it cannot be read.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.filter_map(|it| Some(it.ok()?.path())).collect()
}

/// Returns the Rust files in a directory and its subdirectories.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in entries(directory) {
        if path.is_dir() && !path.is_symlink() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
    files
}

/// Returns the values of the settings, each a port or a list such as `extensionA.sh=8085,extensionB.sh=8086`.
fn ports_in_settings(text: &str) -> Vec<u16> {
    let settings = env_file::parse(text).unwrap_or_default().into_iter();
    let ports = settings.filter(|(name, _)| SETTINGS.contains(name));
    let ports = ports.flat_map(|(_, value)| value.split(','));
    ports
        .filter_map(|port| port.rsplit('=').next()?.trim().parse().ok())
        .collect()
}

/// Returns the ports in `#[extension(port = …)]`, `#[telemetry(port = …)]` and `Port::new(…)`: numbers, and constants
/// that the same file defines.
fn ports_in_source(source: &str) -> Vec<u16> {
    // Comments contain examples.
    let lines = source.lines();
    let code: Vec<_> = lines
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let code = code.join("\n");
    let attributes = code.split("#[").skip(1).filter_map(|rest| {
        let (path, arguments) = rest.split(']').next()?.split_once('(')?;
        let name = path.rsplit("::").next()?.trim();
        ["extension", "telemetry"]
            .contains(&name)
            .then_some(arguments)
    });
    let arguments = attributes.flat_map(|arguments| arguments.split(','));
    let ports = arguments.filter_map(|argument| {
        let value = argument.trim().strip_prefix("port")?.trim_start();
        value.strip_prefix('=')
    });
    let ports = ports.chain(code.split("Port::new(").skip(1));
    ports.filter_map(|value| port(value, &code)).collect()
}

/// Returns the number that `value` begins with, or that of the constant that it names.
fn port(value: &str, code: &str) -> Option<u16> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let value = value.trim_start();
    let word = value.split(|c| !is_word(c)).next()?;
    let word = word.rsplit("::").next()?;
    let number = word.trim_end_matches("u16").replace('_', "");
    number.parse().ok().or_else(|| {
        let (_, rest) = code.split_once(&format!("const {word}: u16 = "))?;
        let number: String = rest.chars().take_while(char::is_ascii_digit).collect();
        number.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::{ports_in_settings, ports_in_source};

    #[test]
    fn ports_are_read_from_sources() {
        for (source, expected) in [
            (
                "#[extension(name = \"extensionA.sh\", port = 8081)]\nasync fn a() {}",
                &[8081][..],
            ),
            (
                "#[fg_extension::extension(port=8_082u16, name = \"extensionA.sh\", timeout = \"2s\")]",
                &[8082],
            ),
            (
                "#[extension(\n    name = \"extensionA.sh\",\n    // The port.\n    port = Self::PORT,\n)]\nimpl A {\n    \
                 const PORT: u16 = 8083;\n    #[telemetry(port = 8084, types(platform, function))]\n}",
                &[8083, 8084],
            ),
            ("const PORT: Port = Port::new(8087);", &[8087]),
            (
                "/// #[extension(name = \"x\", port = 8081)]\n  // Port::new(8082)",
                &[],
            ),
            (
                "#[derive(Debug)]\n#[other(port = 8081)]\n#[extension(port = unknown())]\nlet port = 8082;",
                &[],
            ),
        ] {
            assert_eq!(ports_in_source(source), expected, "{source}");
        }
    }

    #[test]
    fn ports_are_read_from_settings() {
        let text = "FG_EXTENSION_PORT=8085\nFG_LOG=info\nFG_TELEMETRY_PORT=extensionA.sh=8086, extensionB.sh=8087\n";
        assert_eq!(ports_in_settings(text), [8085, 8086, 8087]);
        assert!(ports_in_settings("export FG_EXTENSION_PORT=8085").is_empty());
    }
}
