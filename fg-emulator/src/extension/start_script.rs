//! Generates start scripts for programs.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::Error;

/// Writes a start script that executes the program, and returns the script's path: `extension/<script>` in the directory, as in
/// an unpacked ZIP (D 2705).
pub(super) fn write(
    script: &str,
    program: &Path,
    arguments: &[OsString],
    directory: &Path,
) -> Result<PathBuf, Error> {
    let program =
        find(program).map_err(Error::context(format!("cannot find {}", program.display())))?;
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
    let directory = directory.join("extension");
    let path = directory.join(script);
    let context = || Error::context::<std::io::Error>(format!("cannot write {}", path.display()));
    fs::create_dir_all(&directory).map_err(context())?;
    fs::write(&path, text).map_err(context())?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).map_err(context())?;
    Ok(path)
}

/// Resolves a program. Like a shell, searches `PATH` for a name without a slash; otherwise, and if `PATH` does not contain
/// it, uses the path relative to the working directory.
fn find(program: &Path) -> std::io::Result<PathBuf> {
    let is_bare = !program.as_os_str().as_bytes().contains(&b'/');
    let path = env::var_os("PATH").filter(|_| is_bare);
    let in_path = path.iter().flat_map(env::split_paths);
    let found = in_path
        .map(|directory| directory.join(program))
        .find(|candidate| is_executable(candidate))
        .unwrap_or_else(|| program.to_owned());
    fs::metadata(&found)?;
    // Symbolic links stay: the Python of a virtualenv finds its packages by the path under which it was started.
    std::path::absolute(found)
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// Escapes a word for use between single quotes in a shell script.
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::find;

    #[test]
    fn symbolic_link_to_a_program_is_not_resolved() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("python");
        symlink("/bin/sh", &link).unwrap();
        assert_eq!(find(&link).unwrap(), link);
        assert!(find(&directory.path().join("missing")).is_err());
        assert!(find("sh".as_ref()).unwrap().is_absolute());
    }
}
