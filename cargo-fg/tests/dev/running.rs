//! Test helpers that start `cargo fg` and read its output.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use fg_emulator::PortLease;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// The longest time to wait for a line. It is long because a build may have to wait for another build.
const TIMEOUT: Duration = Duration::from_secs(600);

/// The resources that a test does not share with others: a directory, which also contains the control sockets, and a port.
pub(crate) struct TestContext {
    pub(crate) directory: TempDir,
    pub(crate) lease: PortLease,
}

impl TestContext {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            lease: PortLease::acquire().expect("a port of the platform's range"),
        }
    }

    /// Creates a context and leases a second port. Both ports are leased together, since two tests that wait for a port
    /// while they hold another one may deadlock.
    pub(crate) fn with_second_port() -> (Self, PortLease) {
        let (lease, other) = PortLease::acquire_pair().unwrap();
        let directory = tempfile::tempdir().unwrap();
        (Self { directory, lease }, other)
    }

    /// Returns the command `cargo fg` with these arguments; extensions use the port of this context.
    pub(crate) fn fg(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-fg"));
        let port = self.lease.port().to_string();
        command
            .arg("fg")
            .args(arguments)
            .env("XDG_RUNTIME_DIR", self.directory.path())
            .env("FG_EXTENSION_PORT", &port);
        command
    }

    /// Returns the command `cargo fg dev` for the Python extension, which does not subscribe to telemetry.
    pub(crate) fn python(&self, arguments: &[&str]) -> Command {
        self.python_at(&night_watch(), arguments)
    }

    /// Returns the same command for another file.
    pub(crate) fn python_at(&self, script: &Path, arguments: &[&str]) -> Command {
        let command = format!("python3 {}", script.display());
        let defaults = [
            "dev",
            "--cmd",
            &command,
            "--script",
            "extensionNightWatch.sh",
        ];
        let mut command = self.fg(&[&defaults, arguments].concat());
        command.env("FG_TELEMETRY_PORT", "");
        command
    }
}

/// Returns the path of the Python extension.
pub(crate) fn night_watch() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fg-conformance/tests/night_watch.py")
}

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/dev")
        .join(name)
}

/// A running command whose output is read line by line. Dropping it kills the command.
pub(crate) struct Running {
    pub(crate) child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        let (sender, lines) = channel();
        // Reading from a channel can time out, reading from a pipe cannot. The channel is closed when the pipe is.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                if sender.send(line.unwrap().trim().to_owned()).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// Returns the lines that have been read so far.
    pub(crate) fn seen(&self) -> &[String] {
        &self.seen
    }

    /// Returns the lines of stderr, which must be piped.
    pub(crate) fn errors(&mut self) -> impl Iterator<Item = String> + use<> {
        let stderr = self.child.stderr.take().expect("stderr is piped");
        BufReader::new(stderr).lines().map_while(Result::ok)
    }

    /// Waits for the next line that starts with the prefix. Returns it without its indentation.
    pub(crate) fn line(&mut self, prefix: &str) -> String {
        self.line_that(&format!("starts with `{prefix}`"), |line| {
            line.starts_with(prefix)
        })
    }

    /// Waits for the next line that matches; `description` completes "no line that" in the message of a failure.
    pub(crate) fn line_that(
        &mut self,
        description: &str,
        matches: impl Fn(&str) -> bool,
    ) -> String {
        let line = self.find_line(matches);
        line.unwrap_or_else(|| panic!("no line {description}: {:#?}", self.seen))
    }

    /// Waits for the next line that matches. Returns `None` if the output ends before.
    pub(crate) fn find_line(&mut self, matches: impl Fn(&str) -> bool) -> Option<String> {
        let until = Instant::now() + TIMEOUT;
        // The deadline is for the whole wait, since a `dev` may print other lines all the time.
        while let Some(line) = self.next_line(until) {
            self.seen.push(line.clone());
            if matches(&line) {
                return Some(line);
            }
        }
        None
    }

    /// Waits for one line per prefix, in any order. The output of an extension arrives through a pipe and its requests
    /// through a socket, so `dev` may see either first.
    pub(crate) fn lines_in_any_order<const N: usize>(
        &mut self,
        prefixes: [&str; N],
    ) -> [String; N] {
        let mut found = prefixes.map(|_| None);
        while found.iter().any(Option::is_none) {
            let index = |line: &str| prefixes.iter().position(|prefix| line.starts_with(prefix));
            let line = self.line_that(&format!("starts with one of {prefixes:?}"), |line| {
                index(line).is_some()
            });
            if let Some(index) = index(&line) {
                found[index].get_or_insert(line);
            }
        }
        found.map(|line| line.expect("the loop ends when every prefix was found"))
    }

    fn next_line(&self, until: Instant) -> Option<String> {
        let left = until.saturating_duration_since(Instant::now());
        self.lines.recv_timeout(left).ok()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Waits until the command exits. Returns the rest of its output, and its exit status.
    pub(crate) fn wait_for_exit(mut self) -> (Vec<String>, ExitStatus) {
        let until = Instant::now() + TIMEOUT;
        let rest = std::iter::from_fn(|| self.next_line(until)).collect();
        assert!(
            Instant::now() < until,
            "the command does not exit: {rest:#?}"
        );
        (rest, self.child.wait().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The command is still running only if the test has failed or does not wait for it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the lines of stdout without their indentation.
pub(crate) fn lines(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| line.trim().to_owned()).collect()
}

/// Returns the lines that start with the prefix, without it.
pub(crate) fn after_prefix<'a>(lines: &'a [String], prefix: &str) -> Vec<&'a str> {
    lines
        .iter()
        .filter_map(|line| line.strip_prefix(prefix))
        .collect()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
