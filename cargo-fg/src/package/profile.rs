//! The settings of the release profile. They make the program small, since all of it is loaded at a cold start, but never
//! replace what the user has set.

use std::path::Path;

use fg_conformance::artifact::Elf;
use toml::{Table, Value};

use crate::cargo::{configuration_files, has_key, is_configured, read_table};

const SMALL: [(&str, &str); 3] = [("strip", "symbols"), ("lto", "fat"), ("codegen-units", "1")];

/// The variable that sets the `debug` of the release profile.
const DEBUG: &str = "CARGO_PROFILE_RELEASE_DEBUG";

/// The settings of the release profile that `cargo fg package` adds.
#[derive(Default)]
pub(crate) struct ReleaseProfile {
    /// The variables for cargo.
    pub(crate) environment: Vec<(String, String)>,
    /// Where the user asks for debug information; `None` if nowhere.
    debug: Option<String>,
}

impl ReleaseProfile {
    /// Reads the settings of the user in the manifest of the workspace, cargo's configuration files and the environment.
    pub(crate) fn new(workspace: &Path) -> Self {
        let manifest = workspace.join("Cargo.toml");
        let debug = debug_source(&manifest);
        let added = SMALL.iter().filter(|(setting, _)| {
            let key = ["profile", "release", setting];
            let is_set = has_key(&manifest, &key) || is_configured(&key);
            // Stripping would remove the debug information again.
            let is_unwanted = *setting == "strip" && debug.is_some();
            !is_set && !is_unwanted
        });
        let variable = |setting: &str| setting.to_uppercase().replace('-', "_");
        Self {
            environment: added
                .map(|(setting, value)| {
                    let name = format!("CARGO_PROFILE_RELEASE_{}", variable(setting));
                    (name, (*value).to_owned())
                })
                .collect(),
            debug,
        }
    }

    /// Returns a note about the size of the debug information, if the user asks for it and the program has any.
    pub(crate) fn debug_note(&self, program: &Elf) -> Option<String> {
        let debug = self.debug.as_ref()?;
        let megabytes =
            |bytes: u64| format!("{}.{:02}", bytes / 1_000_000, bytes % 1_000_000 / 10_000);
        let size = program.debug_size();
        (size > 0).then(|| {
            format!(
                "{} MB of the program are debug information and symbols, because {debug} asks for them; to leave them out, \
                 set strip = \"symbols\" in the release profile",
                megabytes(size)
            )
        })
    }
}

/// Returns where the release profile, or that of a package, enables debug information.
fn debug_source(manifest: &Path) -> Option<String> {
    let files = configuration_files();
    let tables = files
        .into_iter()
        .chain([(manifest.to_owned(), read_table(manifest))]);
    let tables: Vec<_> = tables.collect();
    let release = tables.iter().filter_map(|(file, table)| {
        let release: &Table = table.get("profile")?.get("release")?.as_table()?;
        Some((file, release))
    });
    let in_file = |file: &Path| format!("`debug` in {}", file.display());
    // The first place that sets it decides about the profile; packages can have more than the profile.
    let variable = std::env::var(DEBUG).ok().map(|value| {
        let is_debug = is_debug(&Value::String(value));
        (is_debug, DEBUG.to_owned())
    });
    let setting = variable.or_else(|| {
        let mut settings = release.clone();
        settings.find_map(|(file, table)| Some((is_debug(table.get("debug")?), in_file(file))))
    });
    if let Some((true, source)) = setting {
        return Some(source);
    }
    let mut packages = release;
    packages.find_map(|(file, table)| {
        let mut packages = table.get("package")?.as_table()?.values();
        let any = packages.any(|package| package.get("debug").is_some_and(is_debug));
        any.then(|| in_file(file))
    })
}

/// Returns whether a value of `debug` enables debug information.
fn is_debug(value: &Value) -> bool {
    match value {
        Value::Boolean(enabled) => *enabled,
        Value::Integer(level) => *level != 0,
        Value::String(level) => !["", "0", "none", "false"].contains(&level.as_str()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::ReleaseProfile;
    use crate::package::linkage::read_program;

    #[test]
    fn debug_information_causes_a_note() {
        let program = read_program(&std::env::current_exe().unwrap()).unwrap();
        let mut profile = ReleaseProfile::default();
        assert_eq!(profile.debug_note(&program), None);
        profile.debug = Some("`debug` in Cargo.toml".to_owned());
        let note = profile.debug_note(&program).unwrap();
        assert!(
            note.contains(" MB of the program are debug information and symbols, because `debug` in Cargo.toml asks for"),
            "{note}"
        );
    }
}
