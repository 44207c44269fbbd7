//! Builds ZIPs and ELF files for the PKG cases.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use fg_conformance::{Checks, Error, ExtensionUnderTest, Report, Selection};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::support::check;

pub(crate) const SCRIPT: &str = "#!/bin/sh\nexec python3 \"${0%/*}/night_watch.py\"\n";
pub(crate) const PYTHON: &str = include_str!("../night_watch.py");

/// A ZIP under construction.
pub(crate) struct Zip {
    pub(crate) path: PathBuf,
    pub(crate) writer: ZipWriter<File>,
    _directory: TempDir,
}

impl Zip {
    /// Creates a ZIP with this many bytes before it, as a sparse file.
    pub(crate) fn after(bytes: u64) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("night-watch.zip");
        let mut file = File::create(&path).expect("a file");
        file.seek(SeekFrom::Start(bytes))
            .expect("a file has positions");
        Self {
            path,
            writer: ZipWriter::new(file),
            _directory: directory,
        }
    }

    pub(crate) fn new() -> Self {
        Self::after(0)
    }

    pub(crate) fn add(mut self, name: &str, mode: u32, content: impl AsRef<[u8]>) -> Self {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .unix_permissions(mode);
        self.writer.start_file(name, options).expect("a new name");
        self.writer
            .write_all(content.as_ref())
            .expect("room for it");
        self
    }

    pub(crate) fn link(mut self, name: &str, target: &str) -> Self {
        let options = SimpleFileOptions::default();
        let added = self.writer.add_symlink(name, target, options);
        added.expect("a new name");
        self
    }

    /// Finishes the ZIP, and edits its bytes.
    pub(crate) fn edit(self, edit: impl FnOnce(&mut Vec<u8>)) -> (TempDir, PathBuf) {
        self.writer.finish().expect("a list of files");
        let mut bytes = std::fs::read(&self.path).expect("the ZIP");
        edit(&mut bytes);
        std::fs::write(&self.path, bytes).expect("the ZIP");
        (self._directory, self.path)
    }

    /// Adds the files of a valid ZIP.
    pub(crate) fn good(self) -> Self {
        self.add("extension/extensionNightWatch.sh", 0o755, SCRIPT)
            .add("extension/night_watch.py", 0o644, PYTHON)
    }

    /// Checks the ZIP in these cases, or in all cases if there are no names.
    pub(crate) async fn check(self, names: &[&str]) -> Report {
        self.writer.finish().expect("a list of files");
        check(ExtensionUnderTest::zip(&self.path), names).await
    }

    /// Checks the PKG cases only.
    pub(crate) async fn check_package(self) -> Report {
        self.writer.finish().expect("a list of files");
        let report = check_package(&self.path).await;
        report.expect("a ZIP that can be read")
    }
}

/// Checks the PKG cases, which need neither a process nor a port.
pub(crate) async fn check_package(path: &Path) -> Result<Report, Error> {
    let checks = Checks::new(ExtensionUnderTest::zip(path));
    checks.select(Selection::parse(["PKG"])?).run().await
}

/// Returns the header of an ELF program for this machine, with this loader.
pub(crate) fn elf(machine: u16, loader: Option<&str>) -> Vec<u8> {
    let loader = loader.map(|path| format!("{path}\0")).unwrap_or_default();
    let headers = u16::from(!loader.is_empty());
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    elf.extend(2_u16.to_le_bytes()); // an executable
    elf.extend(machine.to_le_bytes());
    elf.extend(1_u32.to_le_bytes()); // version
    elf.extend(0x40_0000_u64.to_le_bytes()); // entry
    elf.extend(64_u64.to_le_bytes()); // program headers
    elf.extend(0_u64.to_le_bytes()); // no section headers
    elf.extend(0_u32.to_le_bytes()); // flags
    for half in [64, 56, headers, 64, 0, 0] {
        elf.extend(half.to_le_bytes());
    }
    if headers > 0 {
        elf.extend(3_u32.to_le_bytes()); // PT_INTERP
        elf.extend(4_u32.to_le_bytes()); // readable
        let length = loader.len() as u64;
        for word in [120, 0, 0, length, length, 1] {
            elf.extend(word.to_le_bytes());
        }
        elf.extend(loader.as_bytes());
    }
    elf
}

/// Returns an ELF program that needs these shared libraries. It has a section with their names and no code.
pub(crate) fn elf_with_libraries(libraries: &[&str]) -> Vec<u8> {
    let (mut strings, mut dynamic) = (b"\0".to_vec(), Vec::new());
    for library in libraries {
        for word in [1, strings.len() as u64] {
            dynamic.extend(word.to_le_bytes()); // DT_NEEDED
        }
        strings.extend(library.as_bytes());
        strings.push(0);
    }
    dynamic.extend([0; 16]); // DT_NULL
    let mut elf = elf(X86_64, None);
    let dynamic_at = elf.len() as u64;
    elf.extend(&dynamic);
    let strings_at = elf.len() as u64;
    elf.extend(&strings);
    elf.resize(elf.len().next_multiple_of(8), 0);
    let sections = elf.len() as u64;
    elf[40..48].copy_from_slice(&sections.to_le_bytes());
    elf[58..60].copy_from_slice(&64_u16.to_le_bytes());
    elf[60..62].copy_from_slice(&3_u16.to_le_bytes());
    elf[62..64].copy_from_slice(&2_u16.to_le_bytes()); // the names of sections
    // An empty section, SHT_DYNAMIC and SHT_STRTAB.
    for (kind, at, size, link, entry) in [
        (0_u32, 0, 0, 0_u32, 0),
        (6, dynamic_at, dynamic.len(), 2, 16_u64),
        (3, strings_at, strings.len(), 0, 0),
    ] {
        elf.extend(0_u32.to_le_bytes());
        elf.extend(kind.to_le_bytes());
        for word in [0, 0, at, size as u64] {
            elf.extend(word.to_le_bytes());
        }
        elf.extend(link.to_le_bytes());
        elf.extend(0_u32.to_le_bytes());
        for word in [8, entry] {
            elf.extend(word.to_le_bytes());
        }
    }
    elf
}

pub(crate) const X86_64: u16 = 62;
pub(crate) const AARCH64: u16 = 183;
pub(crate) const RISCV: u16 = 243;
