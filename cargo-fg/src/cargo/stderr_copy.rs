//! Copies what cargo prints to stderr, where the user sees it as it is written, to find out later why a build failed.

use std::io::{self, IsTerminal, Read, Write};
use std::process::{ChildStderr, Command, Stdio};
use std::thread::JoinHandle;

/// Where cargo prints to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum CargoStderr {
    /// To the stderr of this process.
    Inherited,
    /// To a pipe that is copied to stderr, so that the reason of a failure can be examined.
    Copied,
}

/// How much of the end is kept. The command line of a linker, which rustc prints, has some 10 KB.
const MAX_KEPT: usize = 256 * 1024;

/// Makes the stderr of a command a pipe.
pub(super) fn pipe(command: &mut Command) {
    command.stderr(Stdio::piped());
    if !io::stderr().is_terminal() {
        return;
    }
    // cargo does not see the terminal, but should look as if it did.
    let width = terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| width.0);
    for (name, value) in [
        ("CARGO_TERM_COLOR", "always"),
        ("CARGO_TERM_PROGRESS_WHEN", "always"),
        ("CARGO_TERM_PROGRESS_WIDTH", &width.to_string()),
    ] {
        if std::env::var_os(name).is_none() {
            command.env(name, value);
        }
    }
}

/// Starts a thread that copies the pipe to stderr, and returns the last part of it.
pub(super) fn copy_to_stderr(pipe: ChildStderr) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(|| copy(pipe, io::stderr()))
}

/// Writes what is read to `to`, and returns the last part of it.
fn copy(mut from: impl Read, mut to: impl Write) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut buffer = vec![0; 8192];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return kept,
            Ok(len) => {
                // If stderr is closed, read on: cargo must not be blocked.
                let _ = to.write_all(&buffer[..len]);
                kept.extend_from_slice(&buffer[..len]);
                kept.drain(..kept.len().saturating_sub(MAX_KEPT));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return kept,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_KEPT, copy};

    #[test]
    fn the_end_is_kept() {
        let mut text = vec![b' '; MAX_KEPT];
        text.extend_from_slice(b"\nend\n");
        let mut written = Vec::new();
        let kept = copy(text.as_slice(), &mut written);
        assert_eq!(written, text);
        assert_eq!(kept.len(), MAX_KEPT);
        assert!(kept.ends_with(b"\nend\n"));
    }
}
