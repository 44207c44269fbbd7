//! [`UnpackedPackage`]: unpacks the ZIP of a dependency as the platform does.

use std::fs::File;
use std::path::Path;

use fg_emulator::{ExtensionCommand, ScriptName};
use tempfile::TempDir;
use zip::ZipArchive;
use zip::result::{ZipError, ZipResult};

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
    archive.extract(into)?;
    Ok(archive)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::unpack;
    use crate::Error;

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
