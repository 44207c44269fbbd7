//! A ZIP, as its list of files has it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::bail;
use rawzip::CreatorSystem;

use super::elf::Program;
use super::listed;
use crate::check::report::Finding;

/// More than a script has.
const SCRIPT: u64 = 1024 * 1024;
const FOLDER: &str = "extension/";
/// With which an ELF file begins.
const MAGIC: &[u8] = b"\x7fELF";

pub(super) struct Archive {
    zip: zip::ZipArchive<File>,
    /// As they are in the ZIP: a name may be there twice, which `zip` does not show.
    names: Vec<String>,
    /// Those that come from a system without mode bits, as Windows.
    without_mode: BTreeSet<String>,
    /// In bytes.
    pub(super) size: u64,
}

impl Archive {
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            bail!("it is a folder");
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
            zip: zip::ZipArchive::new(file)?,
            names,
            without_mode,
            size: metadata.len(),
        })
    }

    /// The names of all that is no folder.
    pub(super) fn files(&self) -> impl Iterator<Item = &str> {
        let names = self.names.iter().map(String::as_str);
        names.filter(|name| !name.ends_with('/'))
    }

    pub(super) fn has_folder(&self) -> bool {
        self.names.iter().any(|name| name.starts_with(FOLDER))
    }

    /// Files directly in the folder, without it.
    fn beside_script(&self) -> impl Iterator<Item = &str> {
        let names = self.files().filter_map(|name| name.strip_prefix(FOLDER));
        names.filter(|name| !name.contains('/'))
    }

    /// The start scripts, each once.
    pub(super) fn scripts(&self) -> impl Iterator<Item = String> {
        let scripts = self
            .beside_script()
            .filter(|name| name.starts_with("extension") && name.ends_with(".sh"));
        let scripts: BTreeSet<_> = scripts.map(str::to_owned).collect();
        scripts.into_iter()
    }

    /// What there is instead of the folder, if it can be told.
    pub(super) fn instead_of_folder(&self) -> Option<String> {
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

    /// What there is instead of a script.
    pub(super) fn in_folder(&self) -> String {
        let names: Vec<_> = self.beside_script().map(str::to_owned).collect();
        if names.is_empty() {
            "nothing else either".to_owned()
        } else {
            listed(&names)
        }
    }

    /// The beginning of one, with which a script is whole.
    pub(super) fn read(&mut self, name: &str) -> anyhow::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = self.zip.by_name(name)?;
        file.take(SCRIPT).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Those that are ELF.
    pub(super) fn programs(&mut self) -> anyhow::Result<Vec<Program>> {
        let mut programs = Vec::new();
        for i in 0..self.zip.len() {
            let mut file = self.zip.by_index(i)?;
            let name = file.name()?.into_owned();
            let mut bytes = Vec::new();
            file.by_ref()
                .take(MAGIC.len() as u64)
                .read_to_end(&mut bytes)?;
            if bytes == MAGIC {
                file.read_to_end(&mut bytes)?;
                programs.push(Program::new(&name, &bytes));
            }
        }
        Ok(programs)
    }

    /// PKG-03, of the scripts and of these programs.
    pub(super) fn executable(&mut self, programs: &[Program]) -> Finding {
        let scripts = self.scripts().map(|name| format!("{FOLDER}{name}"));
        let programs = programs.iter().filter(|program| program.is_executable());
        let all: Vec<_> = scripts
            .chain(programs.map(|program| program.name.clone()))
            .collect();
        let mut bad = Vec::new();
        for name in &all {
            match self
                .zip
                .by_name(name)
                .ok()
                .and_then(|file| file.unix_mode())
            {
                _ if self.without_mode.contains(name) => bad.push(format!("{name} has no mode")),
                Some(mode) if mode & 0o111 != 0 => {}
                Some(mode) => bad.push(format!("{name} has mode {:04o}", mode & 0o7777)),
                None => bad.push(format!("{name} has no mode")),
            }
        }
        match (all.is_empty(), bad.is_empty()) {
            (true, _) => Finding::skip("there is no script and no program in it"),
            (false, true) => Finding::pass(listed(&all)),
            (false, false) => Finding::fail(listed(&bad)),
        }
    }

    /// Names that lead out of the folder that it is unpacked into, and links that do.
    pub(super) fn outside(&mut self) -> anyhow::Result<Vec<String>> {
        let mut outside: Vec<_> = self
            .names
            .iter()
            .filter(|name| leads_out(name))
            .cloned()
            .collect();
        for i in 0..self.zip.len() {
            let mut file = self.zip.by_index(i)?;
            if file.is_symlink() {
                let name = file.name()?.into_owned();
                let mut target = String::new();
                file.read_to_string(&mut target)?;
                let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
                if target.starts_with('/') || leads_out(&format!("{folder}/{target}")) {
                    outside.push(format!("{name} (a link to {target})"));
                }
            }
        }
        Ok(outside)
    }

    /// Names that are there twice, however they are written.
    pub(super) fn twice(&self) -> Vec<String> {
        let mut counts = BTreeMap::<_, usize>::new();
        for name in self.files() {
            let parts = name
                .split('/')
                .filter(|part| !part.is_empty() && *part != ".");
            *counts
                .entry(parts.collect::<Vec<_>>().join("/"))
                .or_default() += 1;
        }
        let twice = counts.into_iter().filter(|(_, count)| *count > 1);
        twice.map(|(name, _)| name).collect()
    }
}

/// Whether the path is absolute, or climbs above where it starts.
fn leads_out(path: &str) -> bool {
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
    use super::leads_out;

    #[test]
    fn paths() {
        for inside in [
            "extension/demo",
            "extension/../demo",
            "./a//b",
            "a..b/...",
            "",
        ] {
            assert!(!leads_out(inside), "{inside}");
        }
        for outside in [
            "/tmp/demo",
            "../demo",
            "extension/../../demo",
            "..\\demo",
            "\\demo",
        ] {
            assert!(leads_out(outside), "{outside}");
        }
    }
}
