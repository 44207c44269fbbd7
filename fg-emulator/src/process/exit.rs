//! How a process exited.

use std::process::ExitStatus;
use std::time::Duration;

use super::{OutputLine, OutputStream};

/// How the process of an extension, or of the function, exited.
#[derive(Debug)]
#[non_exhaustive]
pub struct ProcessExit {
    /// Its script name; `bootstrap` for a function.
    pub script: String,
    /// Its exit status.
    pub status: ExitStatus,
    /// From SIGTERM to the exit; `None` if it exited by itself.
    pub stop_duration: Option<Duration>,
    /// Whether it outlasted the grace period and was killed.
    pub killed: bool,
    /// What it printed, the first MiB of each stream.
    pub output: Vec<OutputLine>,
    /// How many bytes of output were not kept.
    pub dropped_output_bytes: usize,
}

impl ProcessExit {
    /// Returns whether it shut down cleanly: with exit status 0, without being killed.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.status.success() && !self.killed
    }

    /// Returns what it printed on standard output, each line with its line break.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.lines_of(OutputStream::Stdout)
    }

    /// Returns what it printed on standard error, each line with its line break.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.lines_of(OutputStream::Stderr)
    }

    fn lines_of(&self, stream: OutputStream) -> String {
        let lines = self.output.iter().filter(|line| line.stream == stream);
        lines.flat_map(|line| [line.text.as_str(), "\n"]).collect()
    }
}
