//! An extension that runs from its start script: its log lines, and what it takes of the machine.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use procfs::process::Process as Procfs;

use crate::platform::Platform;

/// How long an extension may take to register.
const REGISTER: Duration = Duration::from_secs(30);

/// How many log lines are kept: the first half and the last half.
const LINES: usize = 2000;

/// A running extension that has registered. Dropping it kills it.
pub(crate) struct ExtensionProcess {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
    /// The address that invocations are posted to.
    pub(crate) address: SocketAddr,
}

/// What a process takes of the machine. Memory is in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Sample {
    /// Resident memory.
    pub(crate) rss: u64,
    /// Resident memory, where a page that several processes share is divided among them.
    pub(crate) pss: u64,
    /// Resident memory that is not backed by a file: heap, stacks, and data that was written to.
    pub(crate) anonymous: u64,
    pub(crate) descriptors: u64,
    pub(crate) threads: u64,
}

/// How a process exited.
pub(crate) struct Exit {
    pub(crate) status: ExitStatus,
    /// From the signal until the process had exited.
    pub(crate) duration: Duration,
    pub(crate) log: Vec<String>,
}

impl ExtensionProcess {
    /// Starts an extension on the platform, and waits until it has registered.
    pub(crate) fn start(
        script: &Path,
        environment: &[(&str, String)],
        platform: &Platform,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new(script);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .env("EXTENSION_API_ADDR", platform.address().to_string())
            .envs(environment.iter().map(|(name, value)| (name, value)));
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot run {}", script.display()))?;
        let stderr = child.stderr.take().context("stderr is piped")?;
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&log);
        let reader = thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                if lines.len() == LINES {
                    lines.remove(LINES / 2);
                }
                lines.push(line);
            }
        });
        let mut process = Self {
            child,
            log,
            reader: Some(reader),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let name = script.file_name().unwrap_or_default().to_string_lossy();
        let started = Instant::now();
        process.address = loop {
            if let Some(address) = platform.address_of(&name) {
                break address;
            }
            if let Some(status) = process.child.try_wait()? {
                bail!(
                    "{name} exited with {status} before it registered: {}",
                    process.finish_log().join("\n")
                );
            }
            ensure!(started.elapsed() < REGISTER, "{name} did not register");
        };
        Ok(process)
    }

    pub(crate) fn sample(&self) -> anyhow::Result<Sample> {
        let process = Procfs::new(self.pid().as_raw())?;
        let rollup = process.smaps_rollup()?.memory_map_rollup;
        let map = rollup.into_iter().next().context("an empty smaps_rollup")?;
        let bytes = |name: &str| map.extension.map.get(name).copied().unwrap_or_default();
        Ok(Sample {
            rss: bytes("Rss"),
            pss: bytes("Pss"),
            anonymous: bytes("Anonymous"),
            descriptors: process.fd_count()? as u64,
            threads: process.status()?.threads,
        })
    }

    pub(crate) fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        kill(self.pid(), signal).with_context(|| format!("cannot send {signal}"))
    }

    /// Returns whether the process has exited.
    pub(crate) fn has_exited(&mut self) -> anyhow::Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Sends SIGTERM, and waits until the process exits.
    pub(crate) fn terminate(mut self, timeout: Duration) -> anyhow::Result<Exit> {
        // A process that has exited before is reported by its status.
        if !self.has_exited()? {
            self.signal(Signal::SIGTERM)?;
        }
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            ensure!(start.elapsed() < timeout, "the process ignores SIGTERM");
            thread::sleep(Duration::from_millis(5));
        };
        Ok(Exit {
            status,
            duration: start.elapsed(),
            log: self.finish_log(),
        })
    }

    /// Waits until stderr is closed, and returns its lines.
    fn finish_log(&mut self) -> Vec<String> {
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut log)
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }
}

impl Drop for ExtensionProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
