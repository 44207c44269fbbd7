//! Takes back what a command that failed midway has left.

use std::fs;
use std::path::{Path, PathBuf};

/// Unless it is [kept](Self::keep), all is as it was before once this is dropped.
pub(crate) struct Undo {
    /// The outermost folder that is to be made.
    folder: PathBuf,
    /// cargo adds a new member to the workspace's manifest.
    manifests: Vec<(PathBuf, Vec<u8>)>,
    keep: bool,
}

impl Undo {
    /// Of making the folder, whose path is absolute.
    pub(crate) fn of(folder: &Path) -> Self {
        let missing = folder.ancestors().take_while(|it| !it.exists());
        let manifests = folder.ancestors().filter_map(|it| {
            let manifest = it.join("Cargo.toml");
            let text = fs::read(&manifest).ok()?;
            Some((manifest, text))
        });
        Self {
            folder: missing.last().unwrap_or(folder).to_owned(),
            manifests: manifests.collect(),
            keep: false,
        }
    }

    /// All went well.
    pub(crate) fn keep(mut self) {
        self.keep = true;
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        // The failure itself is told; there is nobody to tell of another.
        let _ = fs::remove_dir_all(&self.folder);
        for (manifest, text) in &self.manifests {
            if fs::read(manifest).is_ok_and(|now| now != *text) {
                let _ = fs::write(manifest, text);
            }
        }
    }
}
