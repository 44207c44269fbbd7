//! Extensions as child processes: start, output, exit.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use fg_emulator::PortLease;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::client::PATIENCE;
use crate::{ScriptedPlatform, ScriptedResponse};

/// How to start an extension.
#[derive(Debug)]
pub struct Start {
    command: Command,
    lease: PortLease,
    telemetry_lease: Option<PortLease>,
}

/// An extension that runs. Dropped, it is killed.
#[derive(Debug)]
pub struct Extension {
    child: Child,
    lease: PortLease,
    _telemetry_lease: Option<PortLease>,
    stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

/// What is left of it.
#[derive(Debug)]
pub struct ExitedProcess {
    /// The exit status; `None` after a signal.
    pub code: Option<i32>,
    /// What it printed there since it was last looked at.
    pub stdout: String,
    /// Likewise.
    pub stderr: String,
}

impl Start {
    /// The program, on a leased port, which telemetry is posted to as well, without any other setting of ours.
    ///
    /// # Panics
    ///
    /// If there is no port to be had.
    #[must_use]
    pub fn new(program: &str) -> Self {
        let lease = PortLease::acquire().expect("a port of the platform's range");
        Self::on(program, lease, None)
    }

    /// Likewise, with telemetry posted to a port of its own.
    ///
    /// # Panics
    ///
    /// If there are no ports to be had.
    #[must_use]
    pub fn with_telemetry_port(program: &str) -> Self {
        let (lease, telemetry) = PortLease::acquire_pair().expect("ports of the platform's range");
        Self::on(program, lease, Some(telemetry))
    }

    fn on(program: &str, lease: PortLease, telemetry_lease: Option<PortLease>) -> Self {
        let mut command = Command::new(program);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for setting in [
            "EXTENSION_API_ADDR",
            "FG_LOG",
            "FG_REGISTER_TIMEOUT",
            "FG_SHUTDOWN_TIMEOUT",
            "FG_TELEMETRY_BUFFER",
            "FG_TELEMETRY_OVERFLOW",
            "FG_TELEMETRY_TIMEOUT",
            "RUNTIME_FUNC_NAME",
            "RUNTIME_FUNC_VERSION",
        ] {
            command.env_remove(setting);
        }
        let start = Self {
            command,
            lease,
            telemetry_lease,
        };
        let (port, telemetry_port) = (start.port(), start.telemetry_port());
        start
            .env("FG_EXTENSION_PORT", port.to_string())
            .env("FG_TELEMETRY_PORT", telemetry_port.to_string())
    }

    /// The port that telemetry will be posted to.
    #[must_use]
    pub fn telemetry_port(&self) -> u16 {
        self.telemetry_lease.as_ref().unwrap_or(&self.lease).port()
    }

    /// The port that it will have.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.lease.port()
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.command.env(name, value.as_ref());
        self
    }

    /// Points it at the platform.
    #[must_use]
    pub fn with(self, platform: &ScriptedPlatform) -> Self {
        let address = platform.address.to_string();
        self.env("EXTENSION_API_ADDR", address)
    }

    /// Starts it.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    #[must_use]
    pub fn start(mut self) -> Extension {
        let mut child = self.command.spawn().expect("the program starts");
        let stdout = lines(child.stdout.take().expect("stdout is piped"));
        let stderr = lines(child.stderr.take().expect("stderr is piped"));
        Extension {
            stdin: child.stdin.take(),
            child,
            lease: self.lease,
            _telemetry_lease: self.telemetry_lease,
            stdout,
            stderr,
        }
    }

    /// Starts it, and waits until it ends by itself.
    #[must_use]
    pub fn run(self) -> ExitedProcess {
        self.start().wait()
    }

    /// Starts it on a platform that registers it, and waits until it has.
    #[must_use]
    pub fn registered(self) -> Extension {
        let platform = ScriptedPlatform::start([ScriptedResponse::registered()]);
        let extension = self.with(&platform).start();
        let _ = platform.request();
        extension
    }
}

impl Extension {
    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.lease.port()
    }

    /// Sends it a signal.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().expect("a process number"));
        kill(pid, signal).expect("the extension runs");
    }

    /// Writes a line to its standard input.
    ///
    /// # Panics
    ///
    /// If it has ended.
    pub fn type_line(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().expect("stdin is piped"), "{line}")
            .expect("the extension runs");
    }

    /// Waits until it prints this line on standard output; what comes before is dropped.
    ///
    /// # Panics
    ///
    /// If it ends first.
    pub fn wait_for(&mut self, line: &str) {
        self.wait_until(line, |read| read == line);
    }

    /// Waits until it prints a line that ends like this.
    ///
    /// # Panics
    ///
    /// If it ends first.
    pub fn wait_for_end_of_line(&mut self, end: &str) {
        self.wait_until(end, |read| read.ends_with(end));
    }

    /// Waits until it prints a line that begins like this; the line.
    ///
    /// # Panics
    ///
    /// If it ends first.
    pub fn wait_for_start_of_line(&mut self, start: &str) -> String {
        self.wait_until(start, |read| read.starts_with(start))
    }

    fn wait_until(&mut self, description: &str, matches: impl Fn(&str) -> bool) -> String {
        let mut before = Vec::new();
        loop {
            let Ok(line) = self.stdout.recv_timeout(PATIENCE) else {
                panic!("no line `{description}` came, but {before:#?}");
            };
            if matches(&line) {
                return line;
            }
            before.push(line);
        }
    }

    /// The next line that it prints on standard error; waits for it.
    ///
    /// # Panics
    ///
    /// If none comes.
    #[must_use]
    pub fn error_line(&mut self) -> String {
        self.stderr
            .recv_timeout(PATIENCE)
            .expect("a line comes on standard error")
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    ///
    /// If the operating system will not tell.
    #[must_use]
    pub fn wait(mut self) -> ExitedProcess {
        // Both to their end.
        let text = |lines: &Receiver<String>| lines.iter().map(|line| line + "\n").collect();
        let (stdout, stderr) = (text(&self.stdout), text(&self.stderr));
        let status = self.child.wait().expect("it was started");
        ExitedProcess {
            code: status.code(),
            stdout,
            stderr,
        }
    }

    /// SIGTERM, and its end.
    #[must_use]
    pub fn terminate(self) -> ExitedProcess {
        self.signal(Signal::SIGTERM);
        self.wait()
    }
}

/// The lines of a stream, as they come.
fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            // A test that has ended no longer listens.
            let _ = sender.send(line.expect("what it prints is UTF-8"));
        }
    });
    lines
}

impl Drop for Extension {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
