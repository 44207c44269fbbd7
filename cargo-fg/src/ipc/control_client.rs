//! The client of the control socket, in `cargo fg invoke`.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use tokio::io::BufReader;
use tokio::net::UnixStream;

use super::discovery::{existing_directory, socket_path};
use super::wire::{Greeting, read, write};
use crate::invocation::{InvocationReport, InvocationSpec};

/// How long a `dev` may take to send its greeting. It sends none while it shuts down an instance.
const GREETING_TIMEOUT: Duration = Duration::from_secs(10);

/// Returns whether a process with this ID exists.
fn is_alive(pid: u32) -> bool {
    let signal = |pid| kill(Pid::from_raw(pid), None);
    // The process of another user cannot be sent a signal, but it exists.
    i32::try_from(pid).is_ok_and(|pid| signal(pid) != Err(Errno::ESRCH))
}

/// A connection to a running `dev`.
pub(crate) struct ControlClient {
    stream: BufReader<UnixStream>,
    pub(crate) greeting: Greeting,
}

impl ControlClient {
    /// Opens another connection to the same `dev`.
    pub(crate) async fn reconnect(&self) -> anyhow::Result<Self> {
        Self::connect_to(self.greeting.pid).await
    }

    /// Invokes the function, and waits until the invocation has finished.
    pub(crate) async fn invoke(
        &mut self,
        spec: &InvocationSpec,
    ) -> anyhow::Result<InvocationReport> {
        let pid = self.greeting.pid;
        let dev_has_exited = || format!("cargo fg dev (pid {pid}) has exited");
        write(&mut self.stream, spec)
            .await
            .with_context(dev_has_exited)?;
        let response: Option<Result<InvocationReport, String>> =
            read(&mut self.stream).await.with_context(dev_has_exited)?;
        response
            .with_context(dev_has_exited)?
            .map_err(|message| anyhow!("{message}"))
    }

    /// Connects to the `dev` with this process ID.
    pub(super) async fn connect_to(pid: u32) -> anyhow::Result<Self> {
        let client = match existing_directory()? {
            Some(directory) => Self::connect(&socket_path(&directory, pid)).await?,
            None => None,
        };
        client.with_context(|| format!("no cargo fg dev is running with pid {pid}"))
    }

    /// Connects to a `dev`. Returns `None` if no `dev` listens on the socket, and removes the socket of one that was
    /// killed.
    ///
    /// # Errors
    ///
    /// Returns an error if the `dev` does not send its greeting in time.
    pub(super) async fn connect(path: &Path) -> anyhow::Result<Option<Self>> {
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let Some(pid) = stem.and_then(|stem| stem.parse::<u32>().ok()) else {
            return Ok(None);
        };
        let stream = match UnixStream::connect(path).await {
            Ok(stream) => stream,
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                // If the process is alive, it has created the socket and is about to listen.
                if !is_alive(pid) {
                    let _ = fs::remove_file(path);
                }
                return Ok(None);
            }
            // The `dev` has just exited.
            Err(_) => return Ok(None),
        };
        let mut stream = BufReader::new(stream);
        let greeting = tokio::time::timeout(GREETING_TIMEOUT, read(&mut stream)).await;
        let Ok(greeting) = greeting else {
            bail!(
                "cargo fg dev (pid {pid}) does not respond; is it suspended? choose another one with --dev PID"
            );
        };
        Ok(greeting
            .ok()
            .flatten()
            .map(|greeting| Self { stream, greeting }))
    }
}
