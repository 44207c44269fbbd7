//! Runs a build, and records when the build scripts of the packages finished.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde_json::Value;

use super::{CargoStderr, stderr_copy};

/// When the build script of each package last finished in a build of this process, by the directory of the package.
static FINISHED: Mutex<BTreeMap<PathBuf, SystemTime>> = Mutex::new(BTreeMap::new());

/// Runs `cargo build` with JSON messages, and returns its stdout, and the last part of its stderr if that is copied.
pub(super) fn output(command: &mut Command, stderr: CargoStderr) -> io::Result<Output> {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
    if stderr == CargoStderr::Copied {
        stderr_copy::pipe(command);
    }
    let mut child = command.spawn()?;
    let stderr = child.stderr.take().map(stderr_copy::copy_to_stderr);
    let mut stdout = Vec::new();
    if let Some(pipe) = child.stdout.take() {
        let mut reader = BufReader::new(pipe);
        loop {
            let start = stdout.len();
            if reader.read_until(b'\n', &mut stdout)? == 0 {
                break;
            }
            record(&stdout[start..]);
        }
    }
    Ok(Output {
        status: child.wait()?,
        stdout,
        stderr: stderr
            .and_then(|copying| copying.join().ok())
            .unwrap_or_default(),
    })
}

/// Returns when the build script of the package that contains the file last finished. The compiler reads the sources of
/// the package after that, so a build that was running then contains what had been written to the file before.
///
/// Returns `None` if the package has no build script.
pub(crate) fn finished_for(file: &Path) -> Option<SystemTime> {
    let finished = finished();
    let mut directories = file.ancestors();
    directories.find_map(|directory| finished.get(directory).copied())
}

/// Records the time if the message says that a build script has been executed.
fn record(message: &[u8]) {
    let Ok(message) = serde_json::from_slice::<Value>(message) else {
        return;
    };
    if message["reason"] == "build-script-executed"
        && let Some(directory) = message["package_id"].as_str().and_then(directory)
    {
        // The directories that files are compared with are canonical.
        let directory = directory.canonicalize().unwrap_or(directory);
        finished().insert(directory, SystemTime::now());
    }
}

/// Returns the directory of a package by its ID, such as `path+file:///some/where/night-watch#0.1.0`. Returns `None` for a
/// package from a registry.
fn directory(package_id: &str) -> Option<PathBuf> {
    let url = package_id.strip_prefix("path+file://")?;
    let (path, _) = url.rsplit_once('#')?;
    Some(PathBuf::from(percent_decoded(path)))
}

fn percent_decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let byte = part
            .get(..2)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend(&part.as_bytes()[2..]);
            }
            None => {
                bytes.push(b'%');
                bytes.extend(part.as_bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn finished() -> MutexGuard<'static, BTreeMap<PathBuf, SystemTime>> {
    FINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{directory, finished_for, record};

    #[test]
    fn directory_is_that_of_a_local_package() {
        for (id, expected) in [
            ("path+file:///a/night-watch#0.1.0", Some("/a/night-watch")),
            ("path+file:///a%20b/c%2#d@0.1.0", Some("/a b/c%2")),
            (
                "registry+https://github.com/rust-lang/crates.io-index#serde@1.0.0",
                None,
            ),
        ] {
            assert_eq!(directory(id), expected.map(PathBuf::from), "{id}");
        }
    }

    #[test]
    fn files_belong_to_the_innermost_package() {
        let message = |directory: &str| {
            format!(
                r#"{{"reason":"build-script-executed","package_id":"path+file://{directory}#0.1.0"}}"#
            )
        };
        let outer = "/no/such/outer";
        record(message(outer).as_bytes());
        let first = finished_for(Path::new("/no/such/outer/src/a.rs"));
        assert!(first.is_some());
        assert_eq!(
            finished_for(Path::new("/no/such/outer/inner/src/a.rs")),
            first
        );
        record(message("/no/such/outer/inner").as_bytes());
        assert!(finished_for(Path::new("/no/such/outer/inner/src/a.rs")) > first);
        assert_eq!(finished_for(Path::new("/no/such/src/a.rs")), None);
    }
}
