use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use fg_emulator::PortLease;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{Answer, ScriptedPlatform};

/// How to start an extension.
#[derive(Debug)]
pub struct Start {
    command: Command,
    lease: PortLease,
}

/// An extension that runs. Dropped, it is killed.
#[derive(Debug)]
pub struct Extension {
    child: Child,
    lease: PortLease,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    stderr: Option<JoinHandle<String>>,
}

/// What is left of it.
#[derive(Debug)]
pub struct Ended {
    /// The exit status; `None` after a signal.
    pub code: Option<i32>,
    /// What it printed there since it was last looked at.
    pub stdout: String,
    /// All that it printed there.
    pub stderr: String,
}

impl Start {
    /// The program, on a leased port, without any other setting of ours.
    ///
    /// # Panics
    ///
    /// If there is no port to be had.
    #[must_use]
    pub fn new(program: &str) -> Self {
        let lease = PortLease::take().expect("a port of the platform's range");
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
            "RUNTIME_FUNC_NAME",
            "RUNTIME_FUNC_VERSION",
        ] {
            command.env_remove(setting);
        }
        command.env("FG_EXTENSION_PORT", lease.port().to_string());
        Self { command, lease }
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
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut stderr = child.stderr.take().expect("stderr is piped");
        let stderr = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).expect("stderr is UTF-8");
            text
        });
        Extension {
            stdin: child.stdin.take(),
            child,
            lease: self.lease,
            stdout,
            stderr: Some(stderr),
        }
    }

    /// Starts it, and waits until it ends by itself.
    #[must_use]
    pub fn run(self) -> Ended {
        self.start().wait()
    }

    /// Starts it on a platform that registers it, and waits until it has.
    #[must_use]
    pub fn registered(self) -> Extension {
        let platform = ScriptedPlatform::start([Answer::registered()]);
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
        let mut read = String::new();
        while read.trim_end() != line {
            read.clear();
            assert_ne!(
                self.stdout.read_line(&mut read).expect("stdout is UTF-8"),
                0,
                "no line `{line}` came"
            );
        }
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    ///
    /// If the operating system will not tell.
    #[must_use]
    pub fn wait(mut self) -> Ended {
        let mut stdout = String::new();
        self.stdout
            .read_to_string(&mut stdout)
            .expect("stdout is UTF-8");
        let stderr = self
            .stderr
            .take()
            .expect("it is waited for once")
            .join()
            .expect("stderr is read");
        let status = self.child.wait().expect("it was started");
        Ended {
            code: status.code(),
            stdout,
            stderr,
        }
    }

    /// SIGTERM, and its end.
    #[must_use]
    pub fn terminate(self) -> Ended {
        self.signal(Signal::SIGTERM);
        self.wait()
    }
}

impl Drop for Extension {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
