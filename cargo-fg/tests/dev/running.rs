//! How the tests start `cargo fg`.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use fg_emulator::PortLease;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// No wait is longer; a build may have to wait for another one.
const PATIENCE: Duration = Duration::from_secs(300);

/// A place of one's own for sockets, and a port.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    pub(crate) lease: PortLease,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            lease: PortLease::acquire().expect("a port of the platform's range"),
        }
    }

    /// With a further port, both at once: who waits for one while holding another may wait for ever.
    pub(crate) fn pair() -> (Self, PortLease) {
        let (lease, other) = PortLease::acquire_pair().unwrap();
        let folder = tempfile::tempdir().unwrap();
        (Self { folder, lease }, other)
    }

    /// `cargo fg` with these arguments, on that port.
    pub(crate) fn fg(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-fg"));
        let port = self.lease.port().to_string();
        command
            .arg("fg")
            .args(arguments)
            .env("XDG_RUNTIME_DIR", self.folder.path())
            .env("FG_EXTENSION_PORT", &port);
        command
    }

    /// `cargo fg dev` of the extension in Python, which does not subscribe to telemetry.
    pub(crate) fn python(&self, arguments: &[&str]) -> Command {
        self.python_at(&night_watch(), arguments)
    }

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

/// The extension in Python.
pub(crate) fn night_watch() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fg-conformance/tests/night_watch.py")
}

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/dev")
        .join(name)
}

/// A command whose output is read as it comes. Dropped, it is killed.
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
        // A pipe cannot be read for a limited time, a channel can. It ends with the pipe.
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

    /// The next line that begins like this, without its indentation.
    pub(crate) fn line(&mut self, begins: &str) -> String {
        self.line_that(&format!("begins with `{begins}`"), |line| {
            line.starts_with(begins)
        })
    }

    pub(crate) fn line_that(
        &mut self,
        description: &str,
        matches: impl Fn(&str) -> bool,
    ) -> String {
        let until = Instant::now() + PATIENCE;
        // One that invokes on and on is not quiet while it lacks that line.
        while let Some(line) = self.next_line(until) {
            self.seen.push(line.clone());
            if matches(&line) {
                return line;
            }
        }
        panic!("there is no line that {description}: {:#?}", self.seen);
    }

    /// Waits for one line per prefix, in any order. What an extension prints comes through a pipe, what it requests
    /// through a socket, so `dev` may see either first.
    pub(crate) fn lines_in_any_order<const N: usize>(
        &mut self,
        prefixes: [&str; N],
    ) -> [String; N] {
        let mut found = prefixes.map(|_| None);
        while found.iter().any(Option::is_none) {
            let index = |line: &str| prefixes.iter().position(|prefix| line.starts_with(prefix));
            let line = self.line_that(&format!("begins with one of {prefixes:?}"), |line| {
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

    /// What is left of the output, and how it ended.
    pub(crate) fn end(mut self) -> (Vec<String>, ExitStatus) {
        let until = Instant::now() + PATIENCE;
        let rest = std::iter::from_fn(|| self.next_line(until)).collect();
        assert!(Instant::now() < until, "it does not end: {rest:#?}");
        (rest, self.child.wait().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, unless a test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn lines(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| line.trim().to_owned()).collect()
}

/// The rest of those that begin like this.
pub(crate) fn rests<'a>(lines: &'a [String], begins: &str) -> Vec<&'a str> {
    lines
        .iter()
        .filter_map(|line| line.strip_prefix(begins))
        .collect()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
