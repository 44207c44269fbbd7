//! [`Archive`]: examines a ZIP through its list of files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use fg_emulator::ScriptName;
use flate2::read::DeflateDecoder;
use rawzip::{CompressionMethod, MAX_CENTRAL_DIRECTORY_RECORD_SIZE, ZipArchive, ZipLocator};

use super::cancellation::{CancelableFile, Cancellation};
use super::entry::{Entry, Kind};
use super::limits::{
    MAX_ENTRIES, MAX_NAME_BYTES, MAX_PATH_BYTES, MAX_SCRIPT_BYTES, MAX_TARGET_BYTES,
};
use super::path::{escapes, file_name, parent};
use super::zip_error::ZipError;

/// The folder of a dependency that contains the start script (D 2705).
pub(crate) const FOLDER: &str = "extension/";
/// How many links lead to a file at most, as on Linux.
const MAX_LINKS: usize = 40;
/// How many parts of paths are followed to a file at most.
const MAX_STEPS: usize = 4096;

/// An open ZIP.
#[derive(Debug)]
pub(crate) struct Archive {
    zip: ZipArchive<CancelableFile>,
    entries: Vec<Entry>,
    /// The last entry with each path, which replaces the earlier ones when the ZIP is unpacked.
    by_path: BTreeMap<String, usize>,
    /// The targets of the links, by path. A target that cannot be read is empty.
    links: BTreeMap<String, String>,
    /// The size of the ZIP in bytes.
    pub(crate) size: u64,
}

/// What a path leads to when all links are followed.
pub(crate) enum Resolved<'a> {
    File(&'a Entry),
    Folder,
    /// The path does not exist.
    Missing(String),
    Outside,
    /// The links form a loop, or a very long chain.
    Loop,
}

impl Archive {
    pub(crate) fn open(path: &Path, cancellation: Cancellation) -> Result<Self, ZipError> {
        let cannot = || ZipError::machine(format!("cannot read {}", path.display()));
        // Opening a named pipe would block.
        let metadata = fs::metadata(path).map_err(cannot())?;
        if !metadata.is_file() {
            return Err(cannot()(io::Error::other("it is not a file")));
        }
        let file = File::open(path).map_err(cannot())?;
        let file = CancelableFile { file, cancellation };
        let mut buffer = vec![0; MAX_CENTRAL_DIRECTORY_RECORD_SIZE];
        let zip = ZipLocator::new()
            .locate_in_reader(file, &mut buffer, metadata.len())
            .map_err(|(_, error)| ZipError::structure("the list of files", error))?;
        let mut archive = Self {
            entries: read_list(&zip, &mut buffer)?,
            zip,
            by_path: BTreeMap::new(),
            links: BTreeMap::new(),
            size: metadata.len(),
        };
        archive.index()?;
        Ok(archive)
    }

    /// Indexes the entries, and reads the targets of the links.
    fn index(&mut self) -> Result<(), ZipError> {
        let mut bytes = 0;
        for (i, entry) in self.entries.iter().enumerate() {
            let Some(path) = &entry.path else { continue };
            self.by_path.insert(path.clone(), i);
            if entry.kind == Kind::Link {
                // A link that cannot be read has no target. It is reported with the contents of the files.
                let is_readable = entry.size <= MAX_PATH_BYTES as u64;
                let target = is_readable.then(|| self.read_up_to(entry, MAX_PATH_BYTES as u64));
                let target = target.and_then(Result::ok).map(String::from_utf8);
                let target = target.and_then(Result::ok).unwrap_or_default();
                bytes += target.len();
                if bytes > MAX_TARGET_BYTES {
                    return Err(ZipError::invalid(
                        "the targets of the links have more than 1 MB, the limit of this check",
                    ));
                }
                self.links.insert(path.clone(), target);
            }
        }
        Ok(())
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Iterates over the entries that are unpacked: the last one with each path.
    pub(super) fn unpacked_entries(&self) -> impl Iterator<Item = (&str, &Entry)> {
        let paths = self.by_path.iter();
        paths.filter_map(|(path, i)| Some((path.as_str(), self.entries.get(*i)?)))
    }

    /// Iterates over all files and links, without folders.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Entry> {
        let entries = self.entries.iter();
        entries.filter(|entry| entry.kind != Kind::Folder)
    }

    pub(crate) fn has_folder(&self) -> bool {
        self.entries
            .iter()
            .any(|entry| match entry.path.as_deref() {
                Some("extension") => entry.kind == Kind::Folder,
                Some(path) => path.starts_with(FOLDER),
                None => false,
            })
    }

    /// Iterates over the names of the files directly in the folder `extension`, without the name of the folder.
    pub(crate) fn files_in_folder(&self) -> impl Iterator<Item = &str> {
        let paths = self.files().filter_map(|entry| entry.path.as_deref());
        let names = paths.filter_map(|path| path.strip_prefix(FOLDER));
        names.filter(|name| !name.contains('/'))
    }

    /// Returns the names of the start scripts, sorted and without duplicates.
    pub(crate) fn script_names(&self) -> Vec<String> {
        let scripts = self
            .files_in_folder()
            .filter(|name| ScriptName::is_valid(name));
        let scripts: BTreeSet<_> = scripts.map(str::to_owned).collect();
        scripts.into_iter().collect()
    }

    /// Returns a path that was probably meant to be the folder `extension`.
    pub(crate) fn misplaced_folder(&self) -> Option<String> {
        let names = || self.entries.iter().map(|entry| entry.name.as_str());
        let windows = names().find(|name| name.starts_with("extension\\"));
        windows.map(str::to_owned).or_else(|| {
            let mut names = names().filter(|name| !name.starts_with("__MACOSX/"));
            names.find_map(|name| {
                let (above, _) = name.split_once("/extension/")?;
                Some(format!("{above}/extension"))
            })
        })
    }

    /// Reads a start script, up to [`MAX_SCRIPT_BYTES`].
    pub(crate) fn read_script(&self, entry: &Entry) -> Result<Vec<u8>, ZipError> {
        self.read_up_to(entry, MAX_SCRIPT_BYTES)
    }

    /// Returns the names of all files, without the folders around them.
    pub(crate) fn file_names(&self) -> BTreeSet<&str> {
        let paths = self.files().filter_map(|entry| entry.path.as_deref());
        paths.map(file_name).collect()
    }

    /// Follows the links in a path. Their number is limited.
    pub(crate) fn resolve(&self, path: &str) -> Resolved<'_> {
        let (mut found, mut links, mut steps) = (Vec::<&str>::new(), 0, 0);
        let mut rest: Vec<&str> = path.split('/').rev().collect();
        while let Some(part) = rest.pop() {
            steps += 1;
            if steps > MAX_STEPS {
                return Resolved::Loop;
            }
            match part {
                "" | "." => continue,
                ".." if found.pop().is_none() => return Resolved::Outside,
                ".." => continue,
                part => found.push(part),
            }
            let Some(target) = self.links.get(&found.join("/")) else {
                continue;
            };
            links += 1;
            if target.starts_with('/') {
                return Resolved::Outside;
            } else if links > MAX_LINKS {
                return Resolved::Loop;
            }
            found.pop();
            rest.extend(target.split('/').rev());
        }
        let path = found.join("/");
        let entry = self.by_path.get(&path).and_then(|i| self.entries.get(*i));
        match entry {
            Some(entry) if entry.kind != Kind::Folder => Resolved::File(entry),
            Some(_) => Resolved::Folder,
            None if self.has_contents(&path) => Resolved::Folder,
            None => Resolved::Missing(path),
        }
    }

    /// Returns whether there is anything in this folder, which need not have an entry.
    fn has_contents(&self, folder: &str) -> bool {
        let folder = format!("{folder}/");
        let mut after = self.by_path.range(folder.clone()..);
        after
            .next()
            .is_some_and(|(path, _)| path.starts_with(&folder))
    }

    /// Returns the target of a link as the ZIP stores it.
    pub(crate) fn target(&self, path: &str) -> Option<&str> {
        self.links.get(path).map(String::as_str)
    }

    /// Returns the paths and links that lead outside the directory into which the ZIP is unpacked.
    pub(crate) fn escaping_paths(&self) -> Vec<String> {
        let names = self.entries.iter().map(|entry| &entry.name);
        let mut escaping: Vec<_> = names.filter(|name| escapes(name)).cloned().collect();
        for (path, target) in &self.links {
            let lexical = match parent(path) {
                "" => target.clone(),
                _ if target.starts_with('/') => target.clone(),
                folder => format!("{folder}/{target}"),
            };
            if escapes(&lexical) || matches!(self.resolve(path), Resolved::Outside) {
                escaping.push(format!("{path} (a link to {target})"));
            }
        }
        escaping
    }

    /// Returns the paths that occur more than once.
    pub(crate) fn duplicates(&self) -> Vec<String> {
        let mut counts = BTreeMap::<_, usize>::new();
        for path in self.files().filter_map(|entry| entry.path.as_deref()) {
            *counts.entry(path).or_default() += 1;
        }
        let duplicates = counts.into_iter().filter(|(_, count)| *count > 1);
        duplicates.map(|(path, _)| path.to_owned()).collect()
    }

    /// Returns a reader of the contents of an entry, which fails at the end if they are damaged. It never returns much more than
    /// the declared size.
    pub(super) fn reader(&self, entry: &Entry) -> Result<Box<dyn Read + '_>, ZipError> {
        let name = &entry.name;
        if entry.is_encrypted {
            return Err(ZipError::invalid(format!("{name} is encrypted")));
        }
        let found = self.zip.get_entry(entry.wayfinder);
        let found = found.map_err(|error| ZipError::structure(name, error))?;
        match entry.compression {
            CompressionMethod::STORE => Ok(Box::new(found.verifying_reader(found.reader()))),
            CompressionMethod::DEFLATE => {
                let inflated = DeflateDecoder::new(found.reader());
                Ok(Box::new(found.verifying_reader(inflated)))
            }
            method => Err(ZipError::invalid(format!(
                "{name} is compressed with {}; expected deflate",
                method.name().unwrap_or("an unknown method")
            ))),
        }
    }

    fn read_up_to(&self, entry: &Entry, limit: u64) -> Result<Vec<u8>, ZipError> {
        let mut bytes = Vec::new();
        let reader = self.reader(entry)?;
        let read = reader.take(limit).read_to_end(&mut bytes);
        read.map_err(|error| ZipError::reading(&entry.name, error))?;
        Ok(bytes)
    }
}

/// Reads the list of files, up to the limits.
fn read_list(zip: &ZipArchive<CancelableFile>, buffer: &mut [u8]) -> Result<Vec<Entry>, ZipError> {
    let (mut entries, mut bytes) = (Vec::new(), 0);
    let mut records = zip.entries(buffer);
    let damaged = |error| ZipError::structure("the list of files", error);
    while let Some(record) = records.next_entry().map_err(damaged)? {
        if entries.len() == MAX_ENTRIES {
            return Err(ZipError::invalid(
                "it has more than 100,000 entries, the limit of this check",
            ));
        }
        bytes += record.file_path().len();
        if bytes > MAX_NAME_BYTES {
            return Err(ZipError::invalid(
                "the names of the files have more than 16 MB, the limit of this check",
            ));
        }
        entries.push(Entry::new(&record));
    }
    Ok(entries)
}
