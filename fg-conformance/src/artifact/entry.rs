//! [`Entry`]: a file, folder or link in the list of files of a ZIP.

use rawzip::{CompressionMethod, CreatorSystem, ZipArchiveEntryWayfinder, ZipFileHeaderRecord};

use super::path::normalize;

/// A file, folder or link in a ZIP.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The name in the ZIP, for messages about it.
    pub(crate) name: String,
    /// The normalized name. `None` if it leads outside.
    pub(crate) path: Option<String>,
    pub(crate) kind: Kind,
    /// The mode bits, or `None` if the ZIP does not store them for this entry.
    pub(crate) mode: Option<u32>,
    /// The size that the list of files declares.
    pub(super) size: u64,
    pub(super) is_encrypted: bool,
    pub(super) compression: CompressionMethod,
    /// Where the contents are.
    pub(super) wayfinder: ZipArchiveEntryWayfinder,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    File,
    Folder,
    Link,
}

impl Entry {
    pub(super) fn new(record: &ZipFileHeaderRecord<'_>) -> Self {
        const TYPE: u32 = 0o170_000;
        let name = record.file_path();
        let name = String::from_utf8_lossy(name.as_bytes()).into_owned();
        let made_on = record.version_made_by().creator_system();
        let has_mode = matches!(made_on, CreatorSystem::UNIX | CreatorSystem::MACOS);
        // Some tools claim a Unix system, but store no mode.
        let mode = record.external_attributes() >> 16;
        let mode = Some(mode).filter(|mode| has_mode && *mode != 0);
        Self {
            path: normalize(&name),
            kind: match mode.map(|mode| mode & TYPE) {
                _ if name.ends_with('/') => Kind::Folder,
                Some(0o040_000) => Kind::Folder,
                Some(0o120_000) => Kind::Link,
                _ => Kind::File,
            },
            name,
            mode,
            size: record.uncompressed_size_hint(),
            is_encrypted: record.flags().is_encrypted(),
            compression: record.compression_method(),
            wayfinder: record.wayfinder(),
        }
    }
}
