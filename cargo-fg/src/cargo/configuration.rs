//! Looks up cargo's configuration, since `cargo fg package` does not override what the user has configured.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// Returns whether an environment variable or one of cargo's configuration files sets this key, such as
/// `["profile", "release", "strip"]`.
pub(crate) fn is_configured(key: &[&str]) -> bool {
    let variable = format!("CARGO_{}", key.join("_"));
    let variable = variable.to_uppercase().replace(['-', '.'], "_");
    std::env::var_os(variable).is_some() || files().iter().any(|file| has_key(file, key))
}

/// Returns whether the TOML file has this key.
pub(crate) fn has_key(file: &Path, key: &[&str]) -> bool {
    let table = read_table(file);
    let mut keys = key.iter();
    let first = keys.next().and_then(|key| table.get(*key));
    keys.try_fold(first, |at, key| Some(at.and_then(|it: &Value| it.get(key))))
        .flatten()
        .is_some()
}

/// Returns the contents of a TOML file, and an empty table if it cannot be read: cargo itself reports that.
pub(crate) fn read_table(file: &Path) -> Table {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.parse().unwrap_or_default()
}

/// Returns cargo's configuration files and their contents, the one with the highest precedence first.
pub(crate) fn configuration_files() -> Vec<(PathBuf, Table)> {
    let tables = files().into_iter().map(|file| {
        let table = read_table(&file);
        (file, table)
    });
    tables.filter(|(_, table)| !table.is_empty()).collect()
}

/// Returns the configuration files that cargo reads in the current directory, whether or not they exist.
fn files() -> Vec<PathBuf> {
    let current = std::env::current_dir().unwrap_or_default();
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let directories = current.ancestors().map(|it| it.join(".cargo")).chain(home);
    directories
        .flat_map(|directory| [directory.join("config.toml"), directory.join("config")])
        .collect()
}
