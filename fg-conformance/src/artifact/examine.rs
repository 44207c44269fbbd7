//! [`examine`]: reads everything that the PKG cases need from a ZIP.

use std::io::Read;
use std::path::Path;

use tempfile::TempDir;

use super::cancellation::Cancellation;
use super::entry::{Entry, Kind};
use super::limits::{MAX_NAME_BYTES, MAX_PROGRAM_BYTES};
use super::unpack::{check_layout, unpack};
use super::zip_error::ZipError;
use super::{Archive, Elf};

/// The first bytes of an ELF file.
pub(crate) const ELF_MAGIC: &[u8] = b"\x7fELF";

/// A ZIP and its contents.
#[derive(Debug)]
pub(crate) struct ExaminedZip {
    pub(crate) archive: Archive,
    /// The ELF files, or `None` if the contents were not read because they exceed a limit.
    pub(crate) programs: Option<Vec<ExaminedProgram>>,
    /// The paths and links that lead outside. If there are any, the ZIP is not unpacked.
    pub(crate) escaping_paths: Vec<String>,
    /// The unpacked ZIP, or why it cannot be unpacked.
    pub(crate) unpacked: Result<Option<TempDir>, String>,
}

/// An ELF file in a ZIP.
#[derive(Debug)]
pub(crate) struct ExaminedProgram {
    pub(crate) path: String,
    pub(crate) mode: Option<u32>,
    /// The parsed file, or why it cannot be parsed.
    pub(crate) elf: Result<Elf, String>,
}

/// Reads the list of files and all contents of a ZIP, and unpacks it into a temporary directory.
pub(crate) fn examine(path: &Path, cancellation: Cancellation) -> Result<ExaminedZip, ZipError> {
    let archive = Archive::open(path, cancellation)?;
    let escaping_paths = archive.escaping_paths();
    let mut programs = None;
    let unpacked = check_layout(&archive)
        .and_then(|()| read_programs(&archive, programs.insert(Vec::new())))
        .and_then(|()| {
            let is_inside = escaping_paths.is_empty();
            is_inside.then(|| unpack(&archive)).transpose()
        });
    let unpacked = match unpacked {
        Ok(directory) => Ok(directory),
        Err(ZipError::Invalid(reason)) => Err(reason),
        Err(error) => return Err(error),
    };
    Ok(ExaminedZip {
        archive,
        programs,
        escaping_paths,
        unpacked,
    })
}

/// Reads all files. Those after a damaged file are read too; the error is that of the first one.
fn read_programs(archive: &Archive, programs: &mut Vec<ExaminedProgram>) -> Result<(), ZipError> {
    let (mut outcome, mut names) = (Ok(()), 0);
    for (path, entry) in archive.unpacked_entries() {
        if entry.kind == Kind::Folder {
            continue;
        }
        match read_program(archive, path, entry) {
            Ok(None) => {}
            Ok(Some(mut program)) => {
                if let Ok(elf) = &mut program.elf {
                    names += elf.libraries.iter().map(String::len).sum::<usize>();
                    if names > MAX_NAME_BYTES {
                        elf.libraries.clear();
                    }
                }
                programs.push(program);
            }
            Err(ZipError::Invalid(reason)) => {
                outcome = outcome.and(Err(ZipError::Invalid(reason)));
            }
            Err(error) => return Err(error),
        }
    }
    outcome
}

/// Reads a file, and examines it if it is an ELF file.
fn read_program(
    archive: &Archive,
    path: &str,
    entry: &Entry,
) -> Result<Option<ExaminedProgram>, ZipError> {
    let damaged = |error| ZipError::reading(&entry.name, error);
    let mut reader = archive.reader(entry)?;
    let mut bytes = Vec::new();
    let magic = ELF_MAGIC.len() as u64;
    let start = reader.by_ref().take(magic).read_to_end(&mut bytes);
    start.map_err(damaged)?;
    let mut program = None;
    if bytes == ELF_MAGIC {
        let elf = if entry.size > MAX_PROGRAM_BYTES {
            Err("it has more than 300 MB, the limit of this check".to_owned())
        } else {
            // The reader fails if the file is not as large as declared.
            bytes.reserve_exact(usize::try_from(entry.size).unwrap_or_default());
            reader.read_to_end(&mut bytes).map_err(damaged)?;
            Elf::parse(&bytes).map_err(|error| error.to_string())
        };
        program = Some(ExaminedProgram {
            path: path.to_owned(),
            mode: entry.mode,
            elf,
        });
    }
    // The checksum is checked at the end.
    std::io::copy(&mut reader, &mut std::io::sink()).map_err(damaged)?;
    Ok(program)
}
