//! Undoes the changes of a `cargo fg new` that fails midway.

use std::fs;
use std::path::{Path, PathBuf};

/// A guard that restores the previous state when it is dropped, unless it was [disarmed](Self::disarm).
pub(crate) struct Rollback {
    /// The outermost directory that will be created.
    directory: PathBuf,
    /// The manifests above it and their contents, since `cargo new` adds a member to the manifest of a workspace.
    manifests: Vec<(PathBuf, Vec<u8>)>,
    armed: bool,
}

impl Rollback {
    /// Records the state before the directory is created. The path must be absolute.
    pub(crate) fn new(directory: &Path) -> Self {
        let missing = directory.ancestors().take_while(|it| !it.exists());
        let manifests = directory.ancestors().filter_map(|it| {
            let manifest = it.join("Cargo.toml");
            let text = fs::read(&manifest).ok()?;
            Some((manifest, text))
        });
        Self {
            directory: missing.last().unwrap_or(directory).to_owned(),
            manifests: manifests.collect(),
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
        let _ = fs::remove_dir_all(&self.directory);
        for (manifest, text) in &self.manifests {
            if fs::read(manifest).is_ok_and(|now| now != *text) {
                let _ = fs::write(manifest, text);
            }
        }
    }
}
