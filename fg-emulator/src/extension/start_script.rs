//! Start scripts for programs that have none.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::Error;

/// Writes a start script that executes the program, to `extension/<script>` as in a package that the platform has unpacked
/// (D 2705). Returns its path.
pub(super) fn write(
    script: &str,
    program: &Path,
    arguments: &[OsString],
    folder: &Path,
) -> Result<PathBuf, Error> {
    let program =
        find(program).map_err(Error::because(format!("cannot find {}", program.display())))?;
    let mut text = b"#!/bin/sh\nexec".to_vec();
    for word in [program.as_os_str()]
        .into_iter()
        .chain(arguments.iter().map(OsString::as_os_str))
    {
        text.extend_from_slice(b" '");
        text.extend_from_slice(&escaped(word));
        text.push(b'\'');
    }
    text.push(b'\n');
    let folder = folder.join("extension");
    let path = folder.join(script);
    let cannot = || Error::because::<std::io::Error>(format!("cannot write {}", path.display()));
    fs::create_dir_all(&folder).map_err(cannot())?;
    fs::write(&path, text).map_err(cannot())?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(cannot())?;
    Ok(path)
}

/// Finds a bare name in `PATH`, as a shell does, and anything else from the working directory.
fn find(program: &Path) -> std::io::Result<PathBuf> {
    let is_bare = !program.as_os_str().as_bytes().contains(&b'/');
    let path = env::var_os("PATH").filter(|_| is_bare);
    let in_path = path.iter().flat_map(env::split_paths);
    in_path
        .map(|folder| folder.join(program))
        .find(|candidate| is_executable(candidate))
        .map_or_else(|| fs::canonicalize(program), Ok)
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// Escapes a word for the single quotes of a shell.
fn escaped(word: &OsStr) -> Vec<u8> {
    let mut escaped = Vec::new();
    for byte in word.as_bytes() {
        match byte {
            b'\'' => escaped.extend_from_slice(br"'\''"),
            byte => escaped.push(*byte),
        }
    }
    escaped
}
