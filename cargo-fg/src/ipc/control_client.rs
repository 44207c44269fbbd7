//! The side of `cargo fg invoke`.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use tokio::io::BufReader;
use tokio::net::UnixStream;

use super::control_socket::{Greeting, folder, read, socket, write};
use super::invocation_report::InvocationReport;
use super::invocation_spec::InvocationSpec;

/// How long a `dev` may take to send its greeting; it is slow while it stops an instance.
const GREETING_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection to a running `dev`.
pub(crate) struct ControlClient {
    stream: BufReader<UnixStream>,
    pub(crate) greeting: Greeting,
}

impl ControlClient {
    /// Connects to the `dev` with this pid; without one, to the only `dev` of this user.
    pub(crate) async fn find(pid: Option<u32>) -> anyhow::Result<Self> {
        if let Some(pid) = pid {
            return Self::connect_to(pid).await;
        }
        let mut clients = Self::connect_to_all().await?;
        match clients.len() {
            0 => bail!(
                "no cargo fg dev is running: start one in another terminal, as with `cargo fg dev -p NAME`"
            ),
            1 => Ok(clients.remove(0)),
            _ => {
                let all = clients.iter().map(|client| {
                    let greeting = &client.greeting;
                    let (scripts, folder) =
                        (greeting.scripts.join(", "), greeting.folder.display());
                    format!("{} ({scripts} in {folder})", greeting.pid)
                });
                let all: Vec<_> = all.collect();
                bail!(
                    "several cargo fg dev are running, choose one with --dev PID: {}",
                    all.join("; ")
                )
            }
        }
    }

    /// Opens another connection to the same `dev`.
    pub(crate) async fn reconnect(&self) -> anyhow::Result<Self> {
        Self::connect_to(self.greeting.pid).await
    }

    /// Has the function invoked, and waits until the invocation has ended.
    pub(crate) async fn invoke(
        &mut self,
        spec: &InvocationSpec,
    ) -> anyhow::Result<InvocationReport> {
        let pid = self.greeting.pid;
        let dev_has_exited = || format!("cargo fg dev (pid {pid}) has ended");
        write(&mut self.stream, spec)
            .await
            .with_context(dev_has_exited)?;
        let response: Option<Result<InvocationReport, String>> =
            read(&mut self.stream).await.with_context(dev_has_exited)?;
        response
            .with_context(dev_has_exited)?
            .map_err(|message| anyhow!("{message}"))
    }

    /// Connects to every running `dev` of this user, and removes the sockets of those that were killed.
    async fn connect_to_all() -> anyhow::Result<Vec<Self>> {
        let folder = folder()?;
        let entries =
            fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        let mut clients = Vec::new();
        for entry in entries.filter_map(Result::ok) {
            let path = entry.path();
            if let Some(client) = Self::connect(&path).await? {
                clients.push(client);
            }
        }
        clients.sort_by_key(|client| client.greeting.pid);
        Ok(clients)
    }

    /// Connects to the `dev` with this pid, whatever state the others are in.
    async fn connect_to(pid: u32) -> anyhow::Result<Self> {
        let client = Self::connect(&socket(&folder()?, pid)).await?;
        client.with_context(|| format!("no cargo fg dev has pid {pid}"))
    }

    /// `None` if no `dev` listens on the socket.
    async fn connect(path: &Path) -> anyhow::Result<Option<Self>> {
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let Some(pid) = stem.and_then(|stem| stem.parse::<u32>().ok()) else {
            return Ok(None);
        };
        let stream = match UnixStream::connect(path).await {
            Ok(stream) => stream,
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                // A process that is alive is about to listen.
                if !Path::new("/proc").join(pid.to_string()).exists() {
                    let _ = fs::remove_file(path);
                }
                return Ok(None);
            }
            // It has ended in the meantime.
            Err(_) => return Ok(None),
        };
        let mut stream = BufReader::new(stream);
        let greeting = tokio::time::timeout(GREETING_TIMEOUT, read(&mut stream)).await;
        let Ok(greeting) = greeting else {
            bail!(
                "cargo fg dev (pid {pid}) does not answer: is it suspended? --dev PID chooses another"
            );
        };
        Ok(greeting
            .ok()
            .flatten()
            .map(|greeting| Self { stream, greeting }))
    }
}
