//! Unpacks a dependency's ZIP as the platform would.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, bail};
use zip::ZipArchive;

/// Unpacks it into the folder, with the mode bits that it has (? whether the platform honours them); the name
/// of the one start script in it (D 2705: in the folder `extension`).
pub(crate) fn unpack(zip: &Path, into: &Path) -> anyhow::Result<String> {
    let cannot = || format!("cannot unpack {}", zip.display());
    let file = File::open(zip).with_context(cannot)?;
    let mut archive = ZipArchive::new(file).with_context(cannot)?;
    archive.extract(into).with_context(cannot)?;
    let mut scripts: Vec<_> = archive
        .file_names()
        .filter_map(|name| {
            let name = name.ok()?;
            let name = name.strip_prefix("extension/")?;
            let is_script =
                name.starts_with("extension") && name.ends_with(".sh") && !name.contains('/');
            is_script.then(|| name.to_owned())
        })
        .collect();
    scripts.sort();
    match scripts.len() {
        1 => Ok(scripts.remove(0)),
        0 => bail!(
            "{} has no start script: FunctionGraph looks for a file `extension/extension….sh` in it",
            zip.display()
        ),
        _ => bail!(
            "{} has several start scripts: {}",
            zip.display(),
            scripts.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::unpack;

    fn unpacked(files: &[(&str, u32)]) -> (tempfile::TempDir, anyhow::Result<String>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("demo.zip");
        let mut zip = ZipWriter::new(File::create(&path).unwrap());
        for (name, mode) in files {
            let options = SimpleFileOptions::default().unix_permissions(*mode);
            zip.start_file(*name, options).unwrap();
            zip.write_all(b"text").unwrap();
        }
        zip.finish().unwrap();
        let script = unpack(&path, &folder.path().join("into"));
        (folder, script)
    }

    #[test]
    fn modes_are_kept() {
        let (folder, script) = unpacked(&[
            ("extension/extensionA.sh", 0o755),
            ("extension/demo", 0o640),
            ("extension/more/extensionB.sh", 0o644),
            ("extensionC.sh", 0o644),
        ]);
        assert_eq!(script.unwrap(), "extensionA.sh");
        for (name, mode) in [("extensionA.sh", 0o755), ("demo", 0o640)] {
            let path = folder.path().join("into/extension").join(name);
            assert_eq!(
                fs::metadata(path).unwrap().permissions().mode() & 0o777,
                mode
            );
        }
    }

    #[test]
    fn what_is_no_package_is_told() {
        for (files, told) in [
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
            let (folder, script) = unpacked(files);
            let error = script.unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
            assert!(!folder.path().join("outside").exists());
        }
        assert!(unpack("/no/such.zip".as_ref(), "/no/such".as_ref()).is_err());
    }
}
