//! Writes the directory `extension` of a peer, as it is in its ZIP, and measures the ZIP.

use std::fs::{self, File, Permissions};
use std::io::{Cursor, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::Job;

/// The start script that `cargo fg package` writes.
const SCRIPT: &str = include_str!("start.sh");

/// A program next to its start script.
pub(crate) struct Staged {
    pub(crate) program: PathBuf,
    pub(crate) script: PathBuf,
    pub(crate) program_bytes: u64,
    pub(crate) zip_bytes: u64,
}

/// Stages an executable file.
pub(super) fn file(program: &Path, job: Job, to: &Path) -> anyhow::Result<Staged> {
    let content = fs::read(program).with_context(|| program.display().to_string())?;
    write(&content, job, to)
}

/// Stages a program that needs an interpreter.
pub(super) fn source(
    interpreter: &str,
    source: &Path,
    job: Job,
    to: &Path,
) -> anyhow::Result<Staged> {
    let source = fs::read_to_string(source).with_context(|| source.display().to_string())?;
    write(format!("#!{interpreter}\n{source}").as_bytes(), job, to)
}

fn write(program: &[u8], job: Job, to: &Path) -> anyhow::Result<Staged> {
    let directory = to.join(job.name()).join("extension");
    fs::create_dir_all(&directory)?;
    let script = SCRIPT.replace("<program>", job.name());
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .unix_permissions(0o755);
    zip.add_directory("extension", options)?;
    for (name, content) in [(job.script(), script.as_bytes()), (job.name(), program)] {
        // A new file: the old one may be running.
        let path = directory.join(name);
        let _ = fs::remove_file(&path);
        fs::write(&path, content)?;
        fs::set_permissions(&path, Permissions::from_mode(0o755))?;
        zip.start_file(format!("extension/{name}"), options)?;
        zip.write_all(content)?;
    }
    let zip = zip.finish()?.into_inner();
    Ok(Staged {
        program: directory.join(job.name()),
        script: directory.join(job.script()),
        program_bytes: program.len() as u64,
        zip_bytes: zip.len() as u64,
    })
}

/// Stages a ZIP of `cargo fg package`.
pub(super) fn zip(zip: &Path, program: &str, script: &str, to: &Path) -> anyhow::Result<Staged> {
    let file = File::open(zip).with_context(|| zip.display().to_string())?;
    let zip_bytes = file.metadata()?.len();
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    ZipArchive::new(file)?.extract(to)?;
    let program = to.join("extension").join(program);
    Ok(Staged {
        script: to.join("extension").join(script),
        program_bytes: fs::metadata(&program)?.len(),
        program,
        zip_bytes,
    })
}
