//! A running `cargo fg dev` or `cargo fg check`.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use fg_emulator::PortLease;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::cargo_fg;

/// The longest time to wait for an event. It is long because a build may have to wait for another build.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Held while a test runs, and exclusively while one measures times.
static MACHINE: RwLock<()> = RwLock::new(());

/// What a test does not share with others: a directory, and two ports of the platform's range.
pub struct Context {
    /// The current directory of the commands; it also contains their control sockets.
    pub directory: TempDir,
    leases: (PortLease, PortLease),
    _share: Share,
}

/// A test's share of the machine.
enum Share {
    Part {
        _guard: RwLockReadGuard<'static, ()>,
    },
    Whole {
        _guard: RwLockWriteGuard<'static, ()>,
    },
}

impl Context {
    /// Waits until two ports are free, and no test measures times.
    #[allow(clippy::new_without_default, reason = "it waits, and may panic")]
    pub fn new() -> Self {
        let guard = MACHINE.read().unwrap_or_else(PoisonError::into_inner);
        Self::with(Share::Part { _guard: guard })
    }

    /// Waits until no other test runs, so that times can be measured.
    pub fn alone() -> Self {
        let guard = MACHINE.write().unwrap_or_else(PoisonError::into_inner);
        Self::with(Share::Whole { _guard: guard })
    }

    fn with(share: Share) -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            leases: PortLease::acquire_pair().unwrap(),
            _share: share,
        }
    }

    /// Returns the command `cargo fg` with these arguments; extensions use the ports of this context.
    pub fn fg(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(cargo_fg());
        command
            .arg("fg")
            .args(arguments)
            .current_dir(self.directory.path())
            .env("XDG_RUNTIME_DIR", self.directory.path())
            .env("FG_EXTENSION_PORT", self.leases.0.port().to_string())
            .env("FG_TELEMETRY_PORT", self.leases.1.port().to_string());
        command
    }

    /// Starts `cargo fg dev --ui` with the Python extension, which prints a line for each invocation, and receives telemetry.
    pub fn dev(&self, arguments: &[&str]) -> Run {
        Run::start(self.python(&[&["dev", "--ui", "--output", "json"], arguments].concat()))
    }

    /// Returns a `cargo fg` subcommand with the Python extension.
    pub fn python(&self, arguments: &[&str]) -> Command {
        let mut command = self.fg(arguments);
        let program = format!("python3 {}", night_watch().display());
        command.args(["--cmd", &program, "--script", "extensionNightWatch.sh"]);
        command
    }
}

/// Returns the path of the Python extension.
pub fn night_watch() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.join("fg-conformance/tests/night_watch.py")
        .canonicalize()
        .unwrap()
}

/// A running command whose output is JSON events, one per line. Dropping it shuts it down.
pub struct Run {
    child: Child,
    events: Receiver<Value>,
    seen: Vec<Value>,
    /// The URL of the page, after [`page`](Self::page) was called.
    page: Option<String>,
}

impl Run {
    /// Starts the command, which must have `--output json` if events are awaited.
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        Self::reading(child, stdout)
    }

    /// Starts a command whose events are its lines of stderr, such as `cargo fg check`, which prints a report on stdout.
    pub fn start_reading_stderr(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = child.stderr.take().unwrap();
        Self::reading(child, stderr)
    }

    fn reading(child: Child, output: impl Read + Send + 'static) -> Self {
        let (sender, events) = channel();
        // Reading from a channel can time out, reading from a pipe cannot.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if sender.send(event).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            events,
            seen: Vec::new(),
            page: None,
        }
    }

    /// Waits for the next event of this kind.
    pub fn event(&mut self, kind: &str) -> Value {
        self.event_that(kind, |event| event["event"] == kind)
    }

    /// Waits for the next event that matches.
    pub fn event_that(&mut self, description: &str, matches: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + TIMEOUT;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(event) = self.events.recv_timeout(left) else {
                panic!("no event {description}: {:#?}", self.seen);
            };
            self.seen.push(event.clone());
            if matches(&event) {
                return event;
            }
        }
    }

    /// Returns the URL of the page, which ends with `/`. Waits until the command has printed it.
    pub fn page(&mut self) -> String {
        if let Some(page) = &self.page {
            return page.clone();
        }
        // An event, or a line such as `page http://127.0.0.1:8700/`.
        let url = |event: &Value| -> Option<String> {
            if event["event"] == "page" {
                return Some(event["url"].as_str()?.to_owned());
            }
            Some(event.as_str()?.trim().strip_prefix("page ")?.to_owned())
        };
        let event = self.event_that("page", |event| url(event).is_some());
        self.page.insert(url(&event).unwrap_or_default()).clone()
    }

    /// Returns the port of the page.
    pub fn page_port(&mut self) -> u16 {
        let page = self.page();
        let (_, port) = page.trim_end_matches('/').rsplit_once(':').unwrap();
        port.parse().unwrap()
    }

    /// Sends a signal to the command.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Shuts the command down with SIGTERM, and returns its exit status.
    pub fn stop(mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.child.wait().unwrap()
    }

    /// Kills the command, as a crash would. Its extensions notice this and exit.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until the command exits.
    pub fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // SIGTERM, so that it stops its extensions, whose ports the next test uses.
            self.signal(Signal::SIGTERM);
            let _ = self.child.wait();
        }
    }
}
