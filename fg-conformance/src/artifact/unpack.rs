//! Unpacks a ZIP into a temporary directory, as the platform does.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};

use tempfile::TempDir;

use super::Archive;
use super::entry::{Entry, Kind};
use super::limits::{
    MAX_DEPTH, MAX_ENTRIES, MAX_FILE_NAME_BYTES, MAX_PATH_BYTES, MAX_UNPACKED_BYTES,
};
use super::path::parent;
use super::zip_error::ZipError;

/// The mode of folders, and of files without mode bits. It is unknown whether the platform executes such files (?), so the
/// extension is tested as if it did.
const EXECUTABLE: u32 = 0o755;

/// Checks from the list of files that the ZIP can be unpacked, before anything is written.
pub(super) fn check_layout(archive: &Archive) -> Result<(), ZipError> {
    let sizes = archive.entries().iter().map(|entry| entry.size);
    let total = sizes.fold(0, u64::saturating_add);
    check_size(total, MAX_UNPACKED_BYTES)?;
    for entry in archive.entries() {
        if entry.kind == Kind::Link && entry.size > MAX_PATH_BYTES as u64 {
            let name = &entry.name;
            return Err(ZipError::invalid(format!(
                "the target of the link {name} has more than 4,096 bytes"
            )));
        }
    }
    let mut entries: Vec<_> = archive.unpacked_entries().collect();
    // In this order, the contents of a folder follow the folder.
    entries.sort_by(|(a, _), (b, _)| a.split('/').cmp(b.split('/')));
    let (mut folders, mut previous) = (0, None::<(&str, &Entry)>);
    for (path, entry) in entries {
        check_path(path)?;
        if path.is_empty() && entry.kind != Kind::Folder {
            let name = &entry.name;
            return Err(ZipError::invalid(format!("the file `{name}` has no name")));
        }
        if let Some((file, previous)) = previous
            && previous.kind != Kind::Folder
            && path
                .strip_prefix(file)
                .is_some_and(|rest| rest.starts_with('/'))
        {
            return Err(ZipError::invalid(format!("{file} is a file and a folder")));
        }
        let previous_path = previous.map_or("", |(path, _)| path);
        let parts = path.split('/').zip(previous_path.split('/'));
        let shared = parts.take_while(|(a, b)| a == b).count();
        folders += path.split('/').count().saturating_sub(shared);
        if folders > 2 * MAX_ENTRIES {
            return Err(ZipError::invalid(
                "it has more than 100,000 folders, the limit of this check",
            ));
        }
        previous = Some((path, entry));
    }
    check_kinds(archive)
}

/// Compares the declared size with the limit.
fn check_size(total: u64, limit: u64) -> Result<(), ZipError> {
    if total <= limit {
        return Ok(());
    }
    let gigabytes = |bytes: u64| {
        format!(
            "{}.{:02} GB",
            bytes / 1_000_000_000,
            bytes / 10_000_000 % 100
        )
    };
    Err(ZipError::invalid(format!(
        "its files have {} unpacked; this check unpacks at most {}",
        gigabytes(total),
        gigabytes(limit)
    )))
}

/// Checks that Linux can create the path.
fn check_path(path: &str) -> Result<(), ZipError> {
    let mut shown: String = path.chars().take(60).collect();
    if shown.len() < path.len() {
        shown.push('…');
    }
    let problem = if path.contains('\0') {
        "contains a NUL character"
    } else if path.len() > MAX_PATH_BYTES
        || path.split('/').any(|part| part.len() > MAX_FILE_NAME_BYTES)
    {
        "is longer than Linux permits"
    } else if path.matches('/').count() > MAX_DEPTH {
        "is in more than 100 folders"
    } else {
        return Ok(());
    };
    Err(ZipError::invalid(format!("the path {shown} {problem}")))
}

/// Checks that no path is both a file and a folder.
fn check_kinds(archive: &Archive) -> Result<(), ZipError> {
    let kinds: std::collections::BTreeMap<_, _> = archive
        .unpacked_entries()
        .map(|(path, entry)| (path, entry.kind == Kind::Folder))
        .collect();
    for entry in archive.entries() {
        if let Some(path) = &entry.path
            && kinds.get(path.as_str()) != Some(&(entry.kind == Kind::Folder))
        {
            return Err(ZipError::invalid(format!("{path} is a file and a folder")));
        }
    }
    Ok(())
}

/// Unpacks the ZIP into a temporary directory, with its mode bits (? whether the platform applies them).
///
/// Of several entries with the same path, the last one is unpacked. Nothing is written outside of the directory: no path leads
/// outside, each file is new, and links are created when all files are written.
pub(super) fn unpack(archive: &Archive) -> Result<TempDir, ZipError> {
    check_layout(archive)?;
    if let Some(path) = archive.escaping_paths().first() {
        return Err(ZipError::invalid(format!("{path} leads outside")));
    }
    let directory = TempDir::with_prefix("cargo-fg-")
        .map_err(ZipError::machine("cannot create a temporary directory"))?;
    let cannot = || {
        let into = directory.path().display();
        ZipError::machine(format!("cannot unpack the ZIP into {into}"))
    };
    for (path, entry) in archive.unpacked_entries() {
        let into = directory.path().join(path);
        match entry.kind {
            Kind::Folder => fs::create_dir_all(into).map_err(cannot())?,
            Kind::File => {
                let folder = directory.path().join(parent(path));
                fs::create_dir_all(folder).map_err(cannot())?;
                let mut options = OpenOptions::new();
                let options = options.write(true).create_new(true).mode(0o600);
                let mut file = options.open(&into).map_err(cannot())?;
                copy(archive, entry, &mut file, cannot)?;
                let mode = entry.mode.map_or(EXECUTABLE, |mode| mode & 0o777 | 0o111);
                let permissions = Permissions::from_mode(mode);
                file.set_permissions(permissions).map_err(cannot())?;
            }
            Kind::Link => {}
        }
    }
    for (path, entry) in archive.unpacked_entries() {
        if entry.kind == Kind::Link {
            let target = archive.target(path).filter(|target| !target.is_empty());
            let target = target.ok_or_else(|| {
                ZipError::invalid(format!("the target of the link {path} cannot be read"))
            })?;
            let folder = directory.path().join(parent(path));
            fs::create_dir_all(folder).map_err(cannot())?;
            symlink(target, directory.path().join(path)).map_err(cannot())?;
        }
    }
    Ok(directory)
}

/// Copies the contents of an entry to a file.
fn copy<F: FnOnce(io::Error) -> ZipError>(
    archive: &Archive,
    entry: &Entry,
    file: &mut fs::File,
    cannot: impl Fn() -> F,
) -> Result<(), ZipError> {
    let mut reader = archive.reader(entry)?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => file.write_all(&buffer[..read]).map_err(cannot())?,
            Err(error) => return Err(ZipError::reading(&entry.name, error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::PathBuf;

    use zip::write::SimpleFileOptions;
    use zip::{System, ZipWriter};

    use super::*;
    use crate::artifact::cancellation::Cancellation;

    /// Writes a ZIP with these files and modes, each with the same contents. Returns its directory and its path.
    fn zip(files: &[(&str, SimpleFileOptions)]) -> (TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("demo.zip");
        let mut zip = ZipWriter::new(File::create(&path).unwrap());
        for (name, options) in files {
            zip.start_file(*name, *options).unwrap();
            zip.write_all(b"text").unwrap();
        }
        zip.finish().unwrap();
        (directory, path)
    }

    fn unpacked(files: &[(&str, SimpleFileOptions)]) -> Result<TempDir, ZipError> {
        let (_directory, path) = zip(files);
        unpack(&Archive::open(&path, Cancellation::default())?)
    }

    fn mode(mode: u32) -> SimpleFileOptions {
        SimpleFileOptions::default().unix_permissions(mode)
    }

    fn mode_of(directory: &TempDir, path: &str) -> u32 {
        let metadata = fs::metadata(directory.path().join(path)).unwrap();
        metadata.permissions().mode() & 0o777
    }

    #[test]
    fn mode_bits_are_preserved() {
        let files = [
            ("./extension//extensionA.sh", mode(0o755)),
            ("extension/demo", mode(0o640)),
            ("demo", SimpleFileOptions::default().system(System::Dos)),
        ];
        let directory = unpacked(&files).unwrap();
        for (path, mode) in [
            ("extension/extensionA.sh", 0o755),
            ("extension/demo", 0o751),
            ("demo", 0o755),
        ] {
            assert_eq!(mode_of(&directory, path), mode, "{path}");
        }
    }

    #[test]
    fn size_is_checked_before_unpacking() {
        assert!(check_size(1_000_000_000, MAX_UNPACKED_BYTES).is_ok());
        let error = check_size(5_368_709_120, MAX_UNPACKED_BYTES).unwrap_err();
        let expected = "its files have 5.36 GB unpacked; this check unpacks at most 1.00 GB";
        assert!(matches!(error, ZipError::Invalid(reason) if reason == expected));
    }

    #[test]
    fn what_cannot_be_unpacked_is_invalid() {
        let deep = "a/".repeat(101) + "b";
        let long = "a".repeat(256);
        for (names, message) in [
            (&["../outside"][..], "../outside leads outside"),
            (&["a", "a/b"], "a is a file and a folder"),
            (&["a/b", "a-b", "a"], "a is a file and a folder"),
            (&["a", "./a/"], "a is a file and a folder"),
            (&["a\0b"], "contains a NUL character"),
            (&[&deep], "is in more than 100 folders"),
            (&[&long], "is longer than Linux permits"),
        ] {
            let files: Vec<_> = names.iter().map(|name| (*name, mode(0o644))).collect();
            match unpacked(&files) {
                Err(ZipError::Invalid(reason)) => assert!(reason.contains(message), "{reason}"),
                other => panic!("{names:?}: {other:?}"),
            }
        }
    }

    #[test]
    fn canceled_work_fails() {
        let (_directory, path) = zip(&[("a", mode(0o644))]);
        let cancellation = Cancellation::default();
        let archive = Archive::open(&path, cancellation.clone()).unwrap();
        cancellation.cancel();
        assert!(matches!(unpack(&archive), Err(ZipError::Machine { .. })));
    }
}
