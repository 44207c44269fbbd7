//! [`ProcessExit`]: how a process exited, and what it printed.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::{OutputLine, OutputStream};

/// Returns how a process exited, in words that follow its name: `exited with status 1`, or `was killed by SIGSEGV`.
///
/// ```
/// let status = std::process::Command::new("false").status()?;
/// assert_eq!(fg_emulator::describe_exit(status), "exited with status 1");
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use]
pub fn describe_exit(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with status {code}"),
        (None, Some(number)) => match Signal::try_from(number) {
            Ok(signal) => format!("was killed by {}", signal.as_str()),
            Err(_) => format!("was killed by signal {number}"),
        },
        // A process that was waited for has exited or was killed.
        (None, None) => "exited".to_owned(),
    }
}

/// Describes how the process of an extension or the function exited.
#[derive(Debug)]
#[non_exhaustive]
pub struct ProcessExit {
    /// The script name of the extension, or `bootstrap` for a function.
    pub script: String,
    /// The exit status.
    pub status: ExitStatus,
    /// The time from SIGTERM to the exit. `None` if the process exited by itself.
    pub stop_duration: Option<Duration>,
    /// When it received SIGTERM. `None` if the process exited by itself.
    pub stop_requested_at: Option<Instant>,
    /// When its exit was observed.
    pub exited_at: Instant,
    /// Whether the process was killed because it did not exit within the grace period of five seconds.
    pub killed: bool,
    /// The lines that the process printed: the first MiB of each stream.
    pub output: Vec<OutputLine>,
    /// The number of bytes that exceeded this limit.
    pub dropped_output_bytes: usize,
}

impl ProcessExit {
    /// Returns whether the process shut down cleanly: with exit status 0, and without being killed.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.status.success() && !self.killed
    }

    /// Returns the standard output of the process. Every line ends with a line break.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.lines_of(OutputStream::Stdout)
    }

    /// Returns the standard error of the process. Every line ends with a line break.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.lines_of(OutputStream::Stderr)
    }

    fn lines_of(&self, stream: OutputStream) -> String {
        let lines = self.output.iter().filter(|line| line.stream == stream);
        lines.flat_map(|line| [line.text.as_str(), "\n"]).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::describe_exit;

    #[test]
    fn exits_are_described_in_words() {
        for (raw, description) in [
            (0, "exited with status 0"),
            (7 << 8, "exited with status 7"),
            (11, "was killed by SIGSEGV"),
            // With a core dump.
            (0x80 | 6, "was killed by SIGABRT"),
            (40, "was killed by signal 40"),
        ] {
            assert_eq!(describe_exit(ExitStatus::from_raw(raw)), description);
        }
    }
}
