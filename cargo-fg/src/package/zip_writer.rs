//! Writes the ZIP, reproducibly and atomically.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context;
use tempfile::NamedTempFile;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::contents::{PackageContents, PackageEntry};

/// Writes the ZIP, and returns its size in bytes. The same contents always result in the same bytes.
///
/// # Errors
///
/// Returns an error if a file cannot be read, or the ZIP cannot be written. Then an existing ZIP is unchanged.
pub(crate) fn write_zip(contents: &PackageContents, zip: &Path) -> anyhow::Result<u64> {
    let cannot = || format!("cannot write {}", zip.display());
    let directory = zip.parent().filter(|it| !it.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    fs::create_dir_all(directory).with_context(cannot)?;
    let mut file = tempfile::Builder::new()
        .prefix(".cargo-fg-")
        // Like any new file: the umask applies.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory)
        .with_context(cannot)?;
    fill(contents, &mut file).with_context(cannot)?;
    let file = file.persist(zip).with_context(cannot)?;
    Ok(file.metadata().with_context(cannot)?.len())
}

fn fill(contents: &PackageContents, file: &mut NamedTempFile) -> anyhow::Result<()> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        // The slowest level, which takes less than a second: the ZIP is downloaded at a cold start.
        .compression_level(Some(9))
        .last_modified_time(DateTime::default());
    let mode = |is_executable| options.unix_permissions(if is_executable { 0o755 } else { 0o644 });
    let mut zip = ZipWriter::new(file);
    zip.add_directory("extension", mode(true))?;
    for (name, entry) in &contents.entries {
        let name = format!("extension/{name}");
        match entry {
            PackageEntry::Directory => zip.add_directory(name, mode(true))?,
            PackageEntry::Script(text) => {
                zip.start_file(name, mode(true))?;
                zip.write_all(text.as_bytes())?;
            }
            PackageEntry::Text(text) => {
                zip.start_file(name, mode(false))?;
                zip.write_all(text.as_bytes())?;
            }
            PackageEntry::File {
                path,
                is_executable,
            } => {
                let mut file = File::open(path).with_context(|| path.display().to_string())?;
                zip.start_file(name, mode(*is_executable))?;
                io::copy(&mut file, &mut zip)?;
            }
        }
    }
    zip.finish()?.flush()?;
    Ok(())
}
