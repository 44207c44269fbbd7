//! [`Archive`]: examines a ZIP through its list of files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use fg_emulator::ScriptName;
use rawzip::CreatorSystem;
use zip::ZipArchive;

use super::limits::MAX_PROGRAM_BYTES;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How much of a start script is read. No reasonable script is larger.
const MAX_SCRIPT_BYTES: u64 = 1024 * 1024;
/// How much of the target of a link is read. Linux has no longer paths.
const MAX_LINK_BYTES: u64 = 4096;
/// The folder of a dependency that contains the start script (D 2705).
pub(crate) const FOLDER: &str = "extension/";
/// The first bytes of an ELF file.
const ELF_MAGIC: &[u8] = b"\x7fELF";

/// An open ZIP.
pub(crate) struct Archive {
    zip: ZipArchive<File>,
    /// The names of all entries. `zip` lists a name that occurs twice only once.
    names: Vec<String>,
    /// The entries from a system without mode bits, such as Windows.
    without_mode: BTreeSet<String>,
    /// The size of the ZIP in bytes.
    pub(crate) size: u64,
}

impl Archive {
    pub(crate) fn open(path: &Path) -> Result<Self, BoxError> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err("it is a directory".into());
        }
        let mut buffer = vec![0; rawzip::RECOMMENDED_BUFFER_SIZE];
        let raw = rawzip::ZipArchive::from_file(file.try_clone()?, &mut buffer)?;
        let (mut names, mut without_mode) = (Vec::new(), BTreeSet::new());
        let mut entries = raw.entries(&mut buffer);
        while let Some(entry) = entries.next_entry()? {
            let name = entry.file_path();
            let name = String::from_utf8_lossy(name.as_bytes()).into_owned();
            let made_on = entry.version_made_by().creator_system();
            if !matches!(made_on, CreatorSystem::UNIX | CreatorSystem::MACOS) {
                without_mode.insert(name.clone());
            }
            names.push(name);
        }
        Ok(Self {
            zip: ZipArchive::new(file)?,
            names,
            without_mode,
            size: metadata.len(),
        })
    }

    /// Iterates over the names of all files, without folders.
    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        let names = self.names.iter().map(String::as_str);
        names.filter(|name| !name.ends_with('/'))
    }

    pub(crate) fn has_folder(&self) -> bool {
        self.names.iter().any(|name| name.starts_with(FOLDER))
    }

    /// Iterates over the names of the files directly in the folder `extension`, without the name of the folder.
    pub(crate) fn files_in_folder(&self) -> impl Iterator<Item = &str> {
        let names = self.files().filter_map(|name| name.strip_prefix(FOLDER));
        names.filter(|name| !name.contains('/'))
    }

    /// Iterates over the names of the start scripts, without duplicates.
    pub(crate) fn scripts(&self) -> impl Iterator<Item = String> {
        let scripts = self
            .files_in_folder()
            .filter(|name| ScriptName::is_valid(name));
        let scripts: BTreeSet<_> = scripts.map(str::to_owned).collect();
        scripts.into_iter()
    }

    /// Returns a path that was probably meant to be the folder `extension`.
    pub(crate) fn misplaced_folder(&self) -> Option<String> {
        let path = |name: &str| {
            let (above, _) = name.split_once("/extension/")?;
            Some(format!("{above}/extension"))
        };
        let is_windows = |name: &&String| name.starts_with("extension\\");
        let windows = self.names.iter().find(is_windows).cloned();
        windows.or_else(|| {
            let mut paths = self
                .names
                .iter()
                .filter(|name| !name.starts_with("__MACOSX/"));
            paths.find_map(|name| path(name))
        })
    }

    /// Reads a start script, up to [`MAX_SCRIPT_BYTES`].
    pub(crate) fn read_script(&mut self, name: &str) -> Result<Vec<u8>, BoxError> {
        let mut bytes = Vec::new();
        let file = self.zip.by_name(name)?;
        file.take(MAX_SCRIPT_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Iterates over the names of the entries without mode bits.
    pub(crate) fn without_mode(&self) -> impl Iterator<Item = &str> {
        self.without_mode.iter().map(String::as_str)
    }

    /// Reads all ELF files, and calls `read` with the name and the contents of each, up to [`MAX_PROGRAM_BYTES`].
    pub(crate) fn read_elf_files(
        &mut self,
        mut read: impl FnMut(&str, &[u8]),
    ) -> Result<(), BoxError> {
        for i in 0..self.zip.len() {
            let mut file = self.zip.by_index(i)?;
            let name = file.name()?.into_owned();
            let mut bytes = Vec::new();
            file.by_ref()
                .take(ELF_MAGIC.len() as u64)
                .read_to_end(&mut bytes)?;
            if bytes == ELF_MAGIC {
                file.take(MAX_PROGRAM_BYTES).read_to_end(&mut bytes)?;
                read(&name, &bytes);
            }
        }
        Ok(())
    }

    /// Returns the mode bits of a file, or `None` if it comes from a system without mode bits.
    pub(crate) fn mode(&mut self, name: &str) -> Option<u32> {
        if self.without_mode.contains(name) {
            return None;
        }
        self.zip.by_name(name).ok()?.unix_mode()
    }

    /// Returns the paths and links that lead outside the directory into which the ZIP is unpacked.
    pub(crate) fn escaping_paths(&mut self) -> Result<Vec<String>, BoxError> {
        let mut escaping: Vec<_> = self
            .names
            .iter()
            .filter(|name| escapes(name))
            .cloned()
            .collect();
        for i in 0..self.zip.len() {
            let mut file = self.zip.by_index(i)?;
            if file.is_symlink() {
                let name = file.name()?.into_owned();
                let mut target = String::new();
                file.by_ref()
                    .take(MAX_LINK_BYTES)
                    .read_to_string(&mut target)?;
                let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
                if target.starts_with('/') || escapes(&format!("{folder}/{target}")) {
                    escaping.push(format!("{name} (a link to {target})"));
                }
            }
        }
        Ok(escaping)
    }

    /// Returns the names that occur more than once after normalization: `./a//b` is `a/b`.
    pub(crate) fn duplicates(&self) -> Vec<String> {
        let mut counts = BTreeMap::<_, usize>::new();
        for name in self.files() {
            let parts = name
                .split('/')
                .filter(|part| !part.is_empty() && *part != ".");
            *counts
                .entry(parts.collect::<Vec<_>>().join("/"))
                .or_default() += 1;
        }
        let duplicates = counts.into_iter().filter(|(_, count)| *count > 1);
        duplicates.map(|(name, _)| name).collect()
    }
}

/// Returns whether the path is absolute, or climbs above its starting point.
fn escapes(path: &str) -> bool {
    let mut depth = 0_usize;
    for part in path.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => match depth.checked_sub(1) {
                Some(above) => depth = above,
                None => return true,
            },
            _ => depth += 1,
        }
    }
    path.starts_with(['/', '\\'])
}

#[cfg(test)]
mod tests {
    use super::escapes;

    #[test]
    fn paths_that_lead_outside_are_found() {
        for inside in [
            "extension/demo",
            "extension/../demo",
            "./a//b",
            "a..b/...",
            "",
        ] {
            assert!(!escapes(inside), "{inside}");
        }
        for outside in [
            "/tmp/demo",
            "../demo",
            "extension/../../demo",
            "..\\demo",
            "\\demo",
        ] {
            assert!(escapes(outside), "{outside}");
        }
    }
}
