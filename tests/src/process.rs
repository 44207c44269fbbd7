//! Extensions as child processes: starts them, reads their output, and waits for their exit.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use fg_emulator::PortLease;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::client::TEST_TIMEOUT;
use crate::{ScriptedPlatform, ScriptedResponse};

/// A builder that starts an extension.
#[derive(Debug)]
pub struct Start {
    command: Command,
    lease: PortLease,
    telemetry_lease: Option<PortLease>,
    unread: Option<Stream>,
}

/// A stream that an extension writes to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A running extension, which is killed when this is dropped.
#[derive(Debug)]
pub struct Extension {
    child: Child,
    lease: PortLease,
    _telemetry_lease: Option<PortLease>,
    stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    /// The pipes that nobody reads.
    unread: (Option<ChildStdout>, Option<ChildStderr>),
}

/// The exit status and the output of an extension that has exited.
#[derive(Debug)]
pub struct ExitedProcess {
    /// The exit status, or `None` if a signal killed the process.
    pub code: Option<i32>,
    /// The rest of its standard output, which the test has not read yet.
    pub stdout: String,
    /// The rest of its standard error, which the test has not read yet.
    pub stderr: String,
}

impl Start {
    /// Prepares the program to start on a leased port, which is also its port for telemetry.
    ///
    /// All other settings are removed from its environment.
    ///
    /// # Panics
    ///
    /// Panics if no port can be leased.
    #[must_use]
    pub fn new(program: &str) -> Self {
        let lease = PortLease::acquire().expect("a port of the platform's range");
        Self::on(Command::new(program), lease, None)
    }

    /// Prepares the program as [`Self::new`] does, to be started by a shell script, in which it is `"$0"`.
    ///
    /// # Panics
    ///
    /// Panics if no port can be leased.
    #[must_use]
    pub fn by_script(program: &str, script: &str) -> Self {
        let lease = PortLease::acquire().expect("a port of the platform's range");
        let mut shell = Command::new("sh");
        shell.args(["-c", script, program]);
        Self::on(shell, lease, None)
    }

    /// Prepares the program as [`Self::new`] does, with a separate port for telemetry.
    ///
    /// # Panics
    ///
    /// Panics if two ports cannot be leased.
    #[must_use]
    pub fn with_telemetry_port(program: &str) -> Self {
        let (lease, telemetry) = PortLease::acquire_pair().expect("ports of the platform's range");
        Self::on(Command::new(program), lease, Some(telemetry))
    }

    fn on(mut command: Command, lease: PortLease, telemetry_lease: Option<PortLease>) -> Self {
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
            unread: None,
        };
        let (port, telemetry_port) = (start.port(), start.telemetry_port());
        start
            .env("FG_EXTENSION_PORT", port.to_string())
            .env("FG_TELEMETRY_PORT", telemetry_port.to_string())
    }

    /// Returns the port that telemetry will be posted to.
    #[must_use]
    pub fn telemetry_port(&self) -> u16 {
        self.telemetry_lease.as_ref().unwrap_or(&self.lease).port()
    }

    /// Returns the port of the extension.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.lease.port()
    }

    /// Appends arguments to the command line.
    #[must_use]
    pub fn args<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.command.env(name, value.as_ref());
        self
    }

    /// Sets the platform that the extension registers with.
    #[must_use]
    pub fn with(self, platform: &ScriptedPlatform) -> Self {
        let address = platform.address.to_string();
        self.env("EXTENSION_API_ADDR", address)
    }

    /// Makes the extension the leader of a process group of its own.
    #[must_use]
    pub fn in_own_group(mut self) -> Self {
        self.command.process_group(0);
        self
    }

    /// Leaves the pipe of a stream unread, so that it fills up.
    #[must_use]
    pub fn unread(mut self, stream: Stream) -> Self {
        self.unread = Some(stream);
        self
    }

    /// Starts the extension.
    ///
    /// # Panics
    ///
    /// Panics if the program cannot be started.
    #[must_use]
    pub fn start(mut self) -> Extension {
        let mut child = self.command.spawn().expect("the program starts");
        let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
        let unread = match self.unread {
            Some(Stream::Stdout) => (stdout.take(), None),
            Some(Stream::Stderr) => (None, stderr.take()),
            None => (None, None),
        };
        let stdout = stdout.map_or_else(|| channel().1, lines);
        let stderr = stderr.map_or_else(|| channel().1, lines);
        Extension {
            unread,
            stdin: child.stdin.take(),
            child,
            lease: self.lease,
            _telemetry_lease: self.telemetry_lease,
            stdout,
            stderr,
        }
    }

    /// Starts the extension and waits until it exits by itself.
    #[must_use]
    pub fn run(self) -> ExitedProcess {
        self.start().wait()
    }

    /// Starts the extension with a platform that accepts its registration, and waits for the registration.
    #[must_use]
    pub fn registered(self) -> Extension {
        let platform = ScriptedPlatform::start([ScriptedResponse::registered()]);
        let extension = self.with(&platform).start();
        let _ = platform.request();
        extension
    }
}

impl Extension {
    /// Returns the port of the extension.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.lease.port()
    }

    /// Returns the process ID of the extension.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns whether the extension has exited.
    ///
    /// # Panics
    ///
    /// Panics if the operating system does not return its exit status.
    pub fn has_exited(&mut self) -> bool {
        let status = self.child.try_wait();
        status.expect("the process can be waited for").is_some()
    }

    /// Limits the number of file descriptors that the extension may have open.
    ///
    /// # Panics
    ///
    /// Panics if there is no `prlimit`, which is a part of util-linux.
    pub fn limit_descriptors(&self, limit: usize) {
        let pid = self.child.id().to_string();
        // The hard limit stays, so that this limit can be raised again.
        let limit = format!("--nofile={limit}:");
        let status = Command::new("prlimit")
            .args(["--pid", &pid, &limit])
            .status();
        assert!(status.expect("util-linux is installed").success());
    }

    /// Returns the number of file descriptors that the extension has open.
    ///
    /// # Panics
    ///
    /// Panics if the extension has exited.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        let path = format!("/proc/{}/fd", self.child.id());
        std::fs::read_dir(path).expect("the extension runs").count()
    }

    /// Returns the soft and the hard limit of the file descriptors that the extension may have open.
    ///
    /// # Panics
    ///
    /// Panics if the extension has exited.
    #[must_use]
    pub fn descriptor_limits(&self) -> (usize, usize) {
        let path = format!("/proc/{}/limits", self.child.id());
        let limits = std::fs::read_to_string(path).expect("the extension runs");
        let line = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max open files"));
        let mut numbers = line.expect("the limit is listed").split_whitespace();
        let mut next = || numbers.next().and_then(|number| number.parse().ok());
        next().zip(next()).expect("both limits are numbers")
    }

    /// Returns the peak of the extension's resident memory so far (`VmHWM`), in bytes.
    ///
    /// # Panics
    ///
    /// Panics if the extension has exited.
    #[must_use]
    pub fn peak_memory(&self) -> usize {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("the extension runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let kilobytes: Option<usize> = kilobytes.and_then(|number| number.parse().ok());
        kilobytes.expect("the status contains the peak") * 1024
    }

    /// Sends a signal to the extension.
    ///
    /// # Panics
    ///
    /// Panics if the extension has exited.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().expect("the process ID is valid"));
        kill(pid, signal).expect("the extension runs");
    }

    /// Suspends the extension for this long, and calls `meanwhile` while it is suspended.
    ///
    /// # Panics
    ///
    /// Panics if the extension has exited.
    pub fn freeze(&self, duration: Duration, meanwhile: impl FnOnce()) {
        self.signal(Signal::SIGSTOP);
        meanwhile();
        std::thread::sleep(duration);
        self.signal(Signal::SIGCONT);
    }

    /// Writes a line to the extension's standard input.
    ///
    /// # Panics
    ///
    /// Panics if the extension has exited.
    pub fn type_line(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().expect("stdin is piped"), "{line}")
            .expect("the extension runs");
    }

    /// Waits until the extension prints this line to standard output, and discards the lines before it.
    ///
    /// # Panics
    ///
    /// Panics if the line does not arrive in time.
    pub fn wait_for(&mut self, line: &str) {
        self.wait_until(line, |read| read == line);
    }

    /// Waits until the extension prints a line that ends with `end`.
    ///
    /// # Panics
    ///
    /// Panics if the line does not arrive in time.
    pub fn wait_for_end_of_line(&mut self, end: &str) {
        self.wait_until(end, |read| read.ends_with(end));
    }

    /// Waits until the extension prints a line that starts with `start`, and returns the line.
    ///
    /// # Panics
    ///
    /// Panics if the line does not arrive in time.
    pub fn wait_for_start_of_line(&mut self, start: &str) -> String {
        self.wait_until(start, |read| read.starts_with(start))
    }

    fn wait_until(&mut self, description: &str, matches: impl Fn(&str) -> bool) -> String {
        let mut before = Vec::new();
        loop {
            let Ok(line) = self.stdout.recv_timeout(TEST_TIMEOUT) else {
                panic!("expected a line `{description}`, found {before:#?}");
            };
            if matches(&line) {
                return line;
            }
            before.push(line);
        }
    }

    /// Waits for the next line on standard error, and returns it.
    ///
    /// # Panics
    ///
    /// Panics if no line arrives in time.
    #[must_use]
    pub fn error_line(&mut self) -> String {
        self.stderr
            .recv_timeout(TEST_TIMEOUT)
            .expect("a line arrives on standard error")
    }

    /// Reads the pipe of standard error, which was left unread.
    pub fn read_stderr(&mut self) {
        if let Some(stderr) = self.unread.1.take() {
            self.stderr = lines(stderr);
        }
    }

    /// Waits until the extension exits.
    ///
    /// # Panics
    ///
    /// Panics if it neither prints a line nor exits in time, or if the operating system does not return its exit status.
    #[must_use]
    pub fn wait(mut self) -> ExitedProcess {
        let text = |lines: &Receiver<String>| {
            let mut text = String::new();
            loop {
                match lines.recv_timeout(TEST_TIMEOUT) {
                    Ok(line) => text = text + &line + "\n",
                    Err(RecvTimeoutError::Disconnected) => return text,
                    Err(RecvTimeoutError::Timeout) => panic!("the extension does not exit: {text}"),
                }
            }
        };
        let (stdout, stderr) = (text(&self.stdout), text(&self.stderr));
        let status = self.child.wait().expect("the process can be waited for");
        ExitedProcess {
            code: status.code(),
            stdout,
            stderr,
        }
    }

    /// Sends SIGTERM and waits until the extension exits.
    #[must_use]
    pub fn terminate(self) -> ExitedProcess {
        self.signal(Signal::SIGTERM);
        self.wait()
    }
}

/// Returns a channel that receives the lines of a stream.
fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            // The receiver is gone if the test has finished.
            let _ = sender.send(line.expect("the output is UTF-8"));
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
