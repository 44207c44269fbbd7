//! Undoes the changes of a `cargo fg new` that fails midway.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A guard that restores the previous state when it is dropped, unless it was [disarmed](Self::disarm).
pub(crate) struct Rollback {
    /// The files and directories that do not exist yet: of each path that will be created, its outermost missing part.
    missing: BTreeSet<PathBuf>,
    /// The files that cargo may change, and their contents: it adds a member to the manifest of a workspace, and a line
    /// to `.gitignore`.
    changing: Vec<(PathBuf, Vec<u8>)>,
    armed: bool,
}

impl Rollback {
    /// Records the state before `entries` are created, whose paths are absolute or relative to the directory. Its path must be
    /// absolute.
    pub(crate) fn new(directory: &Path, entries: impl Iterator<Item = PathBuf>) -> Self {
        let missing = entries.filter_map(|entry| {
            let path = directory.join(entry);
            let missing = path
                .ancestors()
                .take_while(|it| it.symlink_metadata().is_err());
            missing.last().map(Path::to_owned)
        });
        let manifests = directory.ancestors().map(|it| it.join("Cargo.toml"));
        let changing = manifests.chain([directory.join(".gitignore")]);
        let changing = changing.filter_map(|file| {
            let text = fs::read(&file).ok()?;
            Some((file, text))
        });
        Self {
            missing: missing.collect(),
            changing: changing.collect(),
            armed: true,
        }
    }

    /// Keeps the changes.
    pub(crate) fn disarm(mut self) {
        self.armed = false;
    }
}

impl Drop for Rollback {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        // Ignore errors: they would hide the error that caused the rollback.
        for path in &self.missing {
            let _ = if path.is_dir() {
                fs::remove_dir_all(path)
            } else {
                fs::remove_file(path)
            };
        }
        for (file, text) in &self.changing {
            if fs::read(file).is_ok_and(|now| now != *text) {
                let _ = fs::write(file, text);
            }
        }
    }
}
