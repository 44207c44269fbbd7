//! Checks whether the system can execute a file, and which interpreter a script needs.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// How much of a file is read to find its first line. Linux reads 256 bytes of it.
const FIRST_LINE_BYTES: u64 = 4096;

/// Checks that a file can be executed, because the system reports every problem of a script as a missing file.
///
/// # Errors
///
/// Returns what is wrong with the file and what to do, as the end of a message that names the file.
pub fn check_executable(path: &Path) -> Result<(), String> {
    let metadata = fs::metadata(path).map_err(|error| error.to_string())?;
    if metadata.is_dir() {
        return Err("it is a directory; pass the file to execute".to_owned());
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        let path = path.display();
        return Err(format!(
            "it is not executable; make it executable: chmod +x {path}"
        ));
    }
    let mut start = Vec::new();
    let opened = File::open(path);
    let read = opened.and_then(|file| file.take(FIRST_LINE_BYTES).read_to_end(&mut start));
    if read.is_err() || start.contains(&0) {
        // A program can be executable without being readable. Only programs contain zero bytes.
        return Ok(());
    }
    let interpreter = interpreter(&start)
        .map_err(|problem| format!("{problem}; start the script with a line such as #!/bin/sh"))?;
    if line_with_carriage_return(&start) == Some(1) {
        return Err(
            "line 1 ends with a carriage return; save the file with the line endings of Unix (LF)"
                .to_owned(),
        );
    }
    match missing_interpreter(&start) {
        Some(_) => Err(format!(
            "this machine does not have its interpreter {interpreter}; install it, or change the first line"
        )),
        None => Ok(()),
    }
}

/// Returns the interpreter that the first line of a script names, or what is wrong with that line.
pub(crate) fn interpreter(script: &[u8]) -> Result<String, String> {
    let line = first_line(script);
    if line.starts_with('\u{feff}') {
        return Err("the script starts with a byte order mark".to_owned());
    }
    let Some(rest) = line.strip_prefix("#!") else {
        return Err("the first line does not start with `#!`".to_owned());
    };
    match rest.split_whitespace().next() {
        Some(interpreter) if interpreter.starts_with('/') => Ok(interpreter.to_owned()),
        Some(interpreter) => Err(format!(
            "the interpreter `{interpreter}` is not an absolute path"
        )),
        None => Err("the `#!` line does not name an interpreter".to_owned()),
    }
}

/// Returns the interpreter of a script if this machine does not have it and cannot run the script.
pub(crate) fn missing_interpreter(script: &[u8]) -> Option<String> {
    let interpreter = interpreter(script).ok()?;
    (!Path::new(&interpreter).exists()).then_some(interpreter)
}

/// Returns the number of the first line that contains a carriage return.
pub(crate) fn line_with_carriage_return(script: &[u8]) -> Option<usize> {
    let mut lines = script.split(|byte| *byte == b'\n');
    let before = lines.position(|line| line.contains(&b'\r'))?;
    Some(before + 1)
}

fn first_line(script: &[u8]) -> String {
    let line = script.split(|byte| *byte == b'\n').next();
    String::from_utf8_lossy(line.unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::check_executable;

    #[test]
    fn file_that_cannot_be_executed_is_described() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("function");
        for (mode, text, expected) in [
            (0o755, "#!/bin/sh\n", None),
            (0o755, "#!/bin/sh\nexit\r\n", None),
            (0o755, "\u{7f}ELF\0", None),
            (0o644, "#!/bin/sh\n", Some("make it executable: chmod +x")),
            (0o755, "", Some("the first line does not start with `#!`; ")),
            (0o755, "#!sh", Some("`sh` is not an absolute path; ")),
            (0o755, "#!/bin/sh\r\nexit\r\n", Some("carriage return; ")),
            (0o755, "#!/no/sh -e\n", Some("its interpreter /no/sh; ")),
        ] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let problem = check_executable(&path).err();
            match (&problem, expected) {
                (None, None) => {}
                (Some(problem), Some(expected)) if problem.contains(expected) => {}
                _ => panic!("{text:?}: {problem:?}"),
            }
        }
        let problem = check_executable(directory.path()).unwrap_err();
        assert!(problem.starts_with("it is a directory; "), "{problem}");
    }
}
