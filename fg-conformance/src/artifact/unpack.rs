//! [`UnpackedPackage`]: unpacks the ZIP of a dependency as the platform does.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use fg_emulator::{ExtensionCommand, ScriptName};
use tempfile::TempDir;
use zip::ZipArchive;
use zip::read::ExtractOptions;
use zip::result::{ZipError, ZipResult};

use super::Archive;
use super::limits::MAX_UNPACKED_BYTES;
use crate::Error;

/// The contents of a ZIP in a temporary directory, which is removed when this is dropped.
#[derive(Debug)]
pub struct UnpackedPackage {
    script_name: String,
    directory: TempDir,
}

impl UnpackedPackage {
    /// Unpacks the ZIP into a temporary directory, with its mode bits (? whether the platform applies them).
    ///
    /// # Errors
    ///
    /// Returns an error if the ZIP cannot be unpacked, or does not contain exactly one start script.
    pub fn unpack(zip: &Path) -> Result<Self, Error> {
        let directory = TempDir::with_prefix("cargo-fg-")
            .map_err(Error::because("cannot create a temporary directory"))?;
        Ok(Self {
            script_name: unpack(zip, directory.path())?,
            directory,
        })
    }

    /// Returns the name of the start script.
    #[must_use]
    pub fn script_name(&self) -> &str {
        &self.script_name
    }

    /// Returns the directory that contains the files of the ZIP.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Returns a command that boots the extension as the platform would.
    #[must_use]
    pub fn command(&self) -> ExtensionCommand {
        ExtensionCommand::package(&self.script_name, self.directory.path())
    }
}

/// Unpacks the ZIP into a directory, and returns the name of its only start script (D 2705: in the folder `extension`).
pub(super) fn unpack(zip: &Path, into: &Path) -> Result<String, Error> {
    let archive = try_unpack(zip, into).map_err(|error| {
        let cannot = format!("cannot unpack {}", zip.display());
        match error {
            // The message of the `zip` crate would only add the words "i/o error".
            ZipError::Io(error) => Error::because(cannot)(error),
            error => Error::because(cannot)(error),
        }
    })?;
    let mut scripts: Vec<_> = archive
        .file_names()
        .filter_map(|name| {
            let name = name.ok()?;
            let name = name.strip_prefix("extension/")?;
            ScriptName::is_valid(name).then(|| name.to_owned())
        })
        .collect();
    scripts.sort();
    match scripts.len() {
        1 => Ok(scripts.remove(0)),
        0 => Err(Error::new(format!(
            "{} has no start script; expected a file `extension/extension….sh`",
            zip.display()
        ))),
        _ => Err(Error::new(format!(
            "{} has several start scripts: {}; expected one",
            zip.display(),
            scripts.join(", ")
        ))),
    }
}

fn try_unpack(zip: &Path, into: &Path) -> ZipResult<ZipArchive<File>> {
    let mut archive = ZipArchive::new(File::open(zip)?)?;
    let options = ExtractOptions::default().with_size_limit(MAX_UNPACKED_BYTES);
    archive.extract_with_options(into, options)?;
    // It is unknown whether the platform executes files without mode bits (?), so the extension is tested as if it did.
    for name in Archive::open(zip).map_err(io::Error::other)?.without_mode() {
        let file = into.join(name);
        if file.is_file() {
            fs::set_permissions(file, Permissions::from_mode(0o755))?;
        }
    }
    Ok(archive)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::write::SimpleFileOptions;
    use zip::{System, ZipWriter};

    use super::*;

    fn unpacked(files: &[(&str, u32)]) -> (tempfile::TempDir, Result<String, Error>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("demo.zip");
        let mut zip = ZipWriter::new(File::create(&path).unwrap());
        for (name, mode) in files {
            let options = SimpleFileOptions::default().unix_permissions(*mode);
            zip.start_file(*name, options).unwrap();
            zip.write_all(b"text").unwrap();
        }
        zip.finish().unwrap();
        let script = unpack(&path, &directory.path().join("into"));
        (directory, script)
    }

    #[test]
    fn mode_bits_are_preserved() {
        let (directory, script) = unpacked(&[
            ("extension/extensionA.sh", 0o755),
            ("extension/demo", 0o640),
            ("extension/more/extensionB.sh", 0o644),
            ("extensionC.sh", 0o644),
        ]);
        assert_eq!(script.unwrap(), "extensionA.sh");
        for (name, mode) in [("extensionA.sh", 0o755), ("demo", 0o640)] {
            let path = directory.path().join("into/extension").join(name);
            assert_eq!(
                fs::metadata(path).unwrap().permissions().mode() & 0o777,
                mode
            );
        }
    }

    #[test]
    fn files_without_mode_bits_are_executable() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("demo.zip");
        let mut zip = ZipWriter::new(File::create(&path).unwrap());
        let options = SimpleFileOptions::default().system(System::Dos);
        zip.start_file("extension/extensionA.sh", options).unwrap();
        zip.finish().unwrap();
        let into = directory.path().join("into");
        unpack(&path, &into).unwrap();
        let script = fs::metadata(into.join("extension/extensionA.sh")).unwrap();
        assert_eq!(script.permissions().mode() & 0o777, 0o755);
    }

    #[test]
    fn package_that_is_too_large_is_not_unpacked() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("demo.zip");
        let mut zip = ZipWriter::new(File::create(&path).unwrap());
        let options = SimpleFileOptions::default().large_file(true);
        zip.start_file("extension/extensionA.sh", options).unwrap();
        let block = vec![0; 1 << 20];
        for _ in 0..=MAX_UNPACKED_BYTES >> 20 {
            zip.write_all(&block).unwrap();
        }
        zip.finish().unwrap();
        let into = directory.path().join("into");
        let error = unpack(&path, &into).unwrap_err();
        assert!(format!("{error:?}").contains("cannot unpack"), "{error:?}");
        let written = fs::read_dir(&into).map_or(0, Iterator::count);
        assert_eq!(written, 0);
    }

    #[test]
    fn invalid_packages_are_errors() {
        for (files, message) in [
            (&[("extension/demo", 0o755)][..], "has no start script"),
            (
                &[
                    ("extension/extensionA.sh", 0o755),
                    ("extension/extensionB.sh", 0o755),
                ],
                "has several start scripts: extensionA.sh, extensionB.sh",
            ),
            (&[("../outside", 0o755)], "cannot unpack"),
        ] {
            let (directory, script) = unpacked(files);
            let error = script.unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
            assert!(!directory.path().join("outside").exists());
        }
        assert!(unpack("/no/such.zip".as_ref(), "/no/such".as_ref()).is_err());
    }
}
