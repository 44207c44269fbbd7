//! Removes what a command that failed midway has created.

use std::fs;
use std::path::{Path, PathBuf};

/// Restores the previous state when it is dropped, unless it was [disarmed](Self::disarm).
pub(crate) struct Rollback {
    /// The outermost folder that is created.
    folder: PathBuf,
    /// cargo adds a new member to the workspace's manifest.
    manifests: Vec<(PathBuf, Vec<u8>)>,
    armed: bool,
}

impl Rollback {
    /// Prepares for the creation of the folder, whose path is absolute.
    pub(crate) fn new(folder: &Path) -> Self {
        let missing = folder.ancestors().take_while(|it| !it.exists());
        let manifests = folder.ancestors().filter_map(|it| {
            let manifest = it.join("Cargo.toml");
            let text = fs::read(&manifest).ok()?;
            Some((manifest, text))
        });
        Self {
            folder: missing.last().unwrap_or(folder).to_owned(),
            manifests: manifests.collect(),
            armed: true,
        }
    }

    /// Keeps what was created.
    pub(crate) fn disarm(mut self) {
        self.armed = false;
    }
}

impl Drop for Rollback {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        // The command reports its own failure; one of the rollback would only hide it.
        let _ = fs::remove_dir_all(&self.folder);
        for (manifest, text) in &self.manifests {
            if fs::read(manifest).is_ok_and(|now| now != *text) {
                let _ = fs::write(manifest, text);
            }
        }
    }
}
