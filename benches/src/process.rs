//! A peer as a running process, with the platform that it registers with.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use procfs::process::Process as Procfs;

use crate::cpu::Cpus;
use crate::platform::Platform;

/// How long a process may take to register. Under valgrind, everything is slower.
const REGISTER: Duration = Duration::from_secs(60);

/// How long a process may take to exit after SIGTERM.
const EXIT: Duration = Duration::from_secs(60);

/// A process that has registered. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    pub(crate) platform: Platform,
    /// From just before the process was started until its registration arrived.
    pub(crate) start: Duration,
    extension: Option<SocketAddr>,
}

impl Process {
    /// Starts the program, and waits until it has registered. With `events`, the job is telemetry: the process prints a
    /// line after so many events.
    pub(crate) fn start(cpus: Cpus, program: &Path, events: Option<u64>) -> anyhow::Result<Self> {
        Self::command(cpus, Command::new(program), events)
            .with_context(|| format!("cannot run {}", program.display()))
    }

    /// Starts a command as [`start`](Self::start) does.
    pub(crate) fn command(
        cpus: Cpus,
        mut command: Command,
        events: Option<u64>,
    ) -> anyhow::Result<Self> {
        for port in [8081, 8085, 8086] {
            wait_for_port(port)?;
        }
        let platform = Platform::start()?;
        let address = platform.address().to_string();
        command
            .stdin(Stdio::null())
            .env("EXTENSION_API_ADDR", &address)
            .env("AWS_LAMBDA_RUNTIME_API", &address)
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}"));
        match events {
            Some(events) => command
                .env("BENCH_EVENTS", events.to_string())
                .stdout(Stdio::piped()),
            None => command.stdout(Stdio::null()),
        };
        let (started, child) = cpus.on_the_other(|| (Instant::now(), command.spawn()))?;
        let mut child = child?;
        let stdout = child.stdout.take().map(BufReader::new);
        let mut process = Self {
            child,
            stdout,
            platform,
            start: Duration::ZERO,
            extension: None,
        };
        let (registered, extension) = loop {
            if let Some(registration) = process.platform.registration() {
                break registration;
            }
            if let Some(status) = process.child.try_wait()? {
                bail!("the process exited with {status} before it registered");
            }
            ensure!(started.elapsed() < REGISTER, "the process did not register");
        };
        process.start = registered - started;
        process.extension = extension;
        Ok(process)
    }

    /// The address that invocations are posted to.
    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        self.extension
            .context("the process registered without an address")
    }

    /// Waits for the line that says that all events have been handled, and checks the sum of the lengths of the trace IDs.
    pub(crate) fn wait_for_events(&mut self, trace_id_bytes: u64) -> anyhow::Result<()> {
        let stdout = self.stdout.as_mut().context("the job is not telemetry")?;
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let sum = line.rsplit(' ').next().map(str::trim);
        ensure!(
            line.starts_with("done ") && sum == Some(&trace_id_bytes.to_string()),
            "expected trace IDs of {trace_id_bytes} bytes, but the process printed {line:?}"
        );
        Ok(())
    }

    /// The CPU time that the process has used.
    pub(crate) fn cpu_time(&self) -> anyhow::Result<f64> {
        let stat = self.procfs()?.stat()?;
        let ticks = stat.utime + stat.stime;
        Ok(ticks as f64 / procfs::ticks_per_second() as f64)
    }

    /// Resident memory in bytes, after the process has been idle for some time.
    pub(crate) fn resident_memory(&self) -> anyhow::Result<u64> {
        thread::sleep(Duration::from_millis(500));
        let status = self.procfs()?.status()?;
        Ok(status.vmrss.context("no VmRSS")? * 1024)
    }

    /// Sends SIGTERM, waits until the process exits, and returns the CPU time that it used in its life.
    pub(crate) fn terminate(mut self) -> anyhow::Result<f64> {
        let pid = Pid::from_raw(i32::try_from(self.child.id())?);
        kill(pid, Signal::SIGTERM)?;
        let start = Instant::now();
        // A zombie still has its times.
        while self.procfs()?.stat()?.state != 'Z' {
            ensure!(start.elapsed() < EXIT, "the process ignores SIGTERM");
            thread::sleep(Duration::from_millis(5));
        }
        let cpu_time = self.cpu_time()?;
        self.child.wait()?;
        Ok(cpu_time)
    }

    fn procfs(&self) -> anyhow::Result<Procfs> {
        Ok(Procfs::new(i32::try_from(self.child.id())?)?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until the port is free: a killed process may still have it for a moment.
fn wait_for_port(port: u16) -> anyhow::Result<()> {
    let start = Instant::now();
    while let Err(error) = TcpListener::bind(("127.0.0.1", port)) {
        ensure!(
            start.elapsed() < Duration::from_secs(30),
            "cannot use port {port}, which the extensions need: {error}; stop what listens on it"
        );
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
