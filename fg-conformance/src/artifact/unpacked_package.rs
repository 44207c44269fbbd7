//! [`UnpackedPackage`]: an unpacked ZIP that can be booted.

use std::path::{Path, PathBuf};

use fg_emulator::ExtensionCommand;
use tempfile::TempDir;

use super::Archive;
use super::cancellation::{Cancellation, run_blocking};
use super::unpack::unpack;
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
    /// If the ZIP contains several start scripts, `script` is the name of the one to boot.
    ///
    /// # Errors
    ///
    /// Returns an error if the ZIP cannot be unpacked, if it does not contain the start script, or if it contains several and
    /// `script` is `None`.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, a thread of the runtime stops unpacking and removes the temporary directory. The runtime waits
    /// for it when it is dropped.
    pub async fn unpack(zip: impl Into<PathBuf>, script: Option<String>) -> Result<Self, Error> {
        let zip = zip.into();
        run_blocking(move |cancellation| unpack_now(&zip, script.as_deref(), cancellation)).await?
    }

    pub(crate) fn new(script_name: String, directory: TempDir) -> Self {
        Self {
            script_name,
            directory,
        }
    }

    /// Returns the name of the start script.
    #[must_use]
    pub fn script_name(&self) -> &str {
        &self.script_name
    }

    /// Returns the directory that contains the files of the ZIP.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Returns a command that boots the extension as the platform would.
    #[must_use]
    pub fn command(&self) -> ExtensionCommand {
        ExtensionCommand::package(&self.script_name, self.directory.path())
    }
}

fn unpack_now(
    zip: &Path,
    script: Option<&str>,
    cancellation: Cancellation,
) -> Result<UnpackedPackage, Error> {
    let archive = Archive::open(zip, cancellation).map_err(|error| error.into_error(zip))?;
    let scripts = archive.script_names();
    let script_name = match (script, &scripts[..]) {
        (Some(script), _) => choose(zip, &scripts, script)?,
        (None, [script]) => script.clone(),
        (None, []) => return Err(no_script(zip)),
        (None, _) => {
            return Err(Error::new(format!(
                "{} has several start scripts: {}; choose one with --script",
                zip.display(),
                scripts.join(", ")
            )));
        }
    };
    let directory = unpack(&archive).map_err(|error| error.into_error(zip))?;
    Ok(UnpackedPackage::new(script_name, directory))
}

/// Returns the script if the ZIP contains it.
pub(crate) fn choose(zip: &Path, scripts: &[String], script: &str) -> Result<String, Error> {
    if scripts.is_empty() {
        return Err(no_script(zip));
    }
    let found = scripts.iter().find(|name| *name == script).cloned();
    found.ok_or_else(|| {
        Error::new(format!(
            "{} has no start script `{script}`; it has {}",
            zip.display(),
            scripts.join(", ")
        ))
    })
}

fn no_script(zip: &Path) -> Error {
    Error::new(format!(
        "{} has no start script; expected a file `extension/extension….sh`",
        zip.display()
    ))
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    #[test]
    fn the_script_to_boot_must_be_clear() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("demo.zip");
        let unpacked = |names: &[&str], script| {
            let mut zip = ZipWriter::new(File::create(&path).unwrap());
            for name in names {
                zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            }
            zip.finish().unwrap();
            let unpacked = unpack_now(&path, script, Cancellation::default());
            unpacked.map(|package| package.script_name)
        };
        let (a, b) = ("extension/extensionA.sh", "./extension//extensionB.sh");
        assert_eq!(unpacked(&[a], None).unwrap(), "extensionA.sh");
        let chosen = unpacked(&[a, b], Some("extensionB.sh")).unwrap();
        assert_eq!(chosen, "extensionB.sh");
        for (names, script, message) in [
            (
                &["extensionA.sh"][..],
                None,
                "has no start script; expected a file `extension/extension….sh`",
            ),
            (
                &[a, b],
                None,
                "has several start scripts: extensionA.sh, extensionB.sh; choose one with --script",
            ),
            (
                &[a, b],
                Some("extensionC.sh"),
                "has no start script `extensionC.sh`; it has extensionA.sh, extensionB.sh",
            ),
        ] {
            let error = unpacked(names, script).unwrap_err().to_string();
            assert!(error.ends_with(message), "{error}");
        }
    }
}
