//! [`ProcessExit`]: how a process exited, and what it printed.

use std::process::ExitStatus;
use std::time::Duration;

use super::{OutputLine, OutputStream};

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
