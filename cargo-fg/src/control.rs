//! How `invoke` finds a running `dev` and talks to it: a Unix socket for each, in a folder of the user's own.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use nix::unistd::Uid;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::order::Order;
use crate::report::Report;

/// A payload of 6 MB each byte of which is escaped, and what is around it.
const LONGEST_LINE: u64 = 40 * 1024 * 1024;
/// How long a `dev` may take to say who it is, as while it stops an instance.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a `dev` says of itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Greeting {
    pub(crate) pid: u32,
    pub(crate) scripts: Vec<String>,
    pub(crate) folder: PathBuf,
    /// Whether the function is the synthetic one, which ends as it is told to.
    pub(crate) synthetic: bool,
}

/// An invocation that somebody wants.
pub(crate) struct Request {
    pub(crate) order: Order,
    pub(crate) reply: oneshot::Sender<Result<Report, String>>,
}

/// The side of `dev`. Dropped, its socket is gone.
pub(crate) struct Control {
    path: PathBuf,
    listener: UnixListener,
    greeting: Greeting,
    connections: JoinSet<()>,
    sender: mpsc::Sender<Request>,
    requests: mpsc::Receiver<Request>,
}

impl Control {
    pub(crate) fn listen(scripts: Vec<String>, synthetic: bool) -> anyhow::Result<Self> {
        let folder = folder()?;
        let pid = std::process::id();
        let path = folder.join(format!("{pid}.sock"));
        // One of the same number that was killed.
        let _ = fs::remove_file(&path);
        let listener = UnixListener::bind(&path)
            .with_context(|| format!("cannot listen on {}", path.display()))?;
        let (sender, requests) = mpsc::channel(64);
        Ok(Self {
            path,
            listener,
            greeting: Greeting {
                pid,
                scripts,
                folder: std::env::current_dir().unwrap_or_default(),
                synthetic,
            },
            connections: JoinSet::new(),
            sender,
            requests,
        })
    }

    /// The next invocation that is wanted.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when this is dropped unfinished.
    pub(crate) async fn next(&mut self) -> Request {
        loop {
            tokio::select! {
                Some(request) = self.requests.recv() => return request,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let (greeting, sender) = (self.greeting.clone(), self.sender.clone());
                        self.connections.spawn(async move {
                            // Whoever hangs up is told nothing.
                            let _ = serve(stream, &greeting, &sender).await;
                        });
                    }
                    // Out of files: it may pass.
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                },
                Some(_) = self.connections.join_next() => {}
            }
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

async fn serve(
    stream: UnixStream,
    greeting: &Greeting,
    sender: &mpsc::Sender<Request>,
) -> anyhow::Result<()> {
    let mut stream = BufReader::new(stream);
    write(&mut stream, greeting).await?;
    while let Some(order) = read(&mut stream).await? {
        let (reply, answer) = oneshot::channel();
        sender.send(Request { order, reply }).await?;
        let answer = answer
            .await
            .unwrap_or_else(|_| Err("the instance ended before the invocation did".to_owned()));
        write(&mut stream, &answer).await?;
    }
    Ok(())
}

/// The side of `invoke`: one conversation.
pub(crate) struct Client {
    stream: BufReader<UnixStream>,
    pub(crate) greeting: Greeting,
}

impl Client {
    /// Every `dev` of this user that is there. Those of killed ones are removed.
    pub(crate) async fn all() -> anyhow::Result<Vec<Self>> {
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

    /// The one with this pid, whatever the others do.
    pub(crate) async fn of(pid: u32) -> anyhow::Result<Self> {
        let path = folder()?.join(format!("{pid}.sock"));
        let client = Self::connect(&path).await?;
        client.with_context(|| format!("no cargo fg dev has pid {pid}"))
    }

    /// A further conversation with the same.
    pub(crate) async fn another(&self) -> anyhow::Result<Self> {
        Self::of(self.greeting.pid).await
    }

    async fn connect(path: &Path) -> anyhow::Result<Option<Self>> {
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        let Some(pid) = stem.and_then(|stem| stem.parse::<u32>().ok()) else {
            return Ok(None);
        };
        let stream = match UnixStream::connect(path).await {
            Ok(stream) => stream,
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                // One that is alive is about to listen.
                if !Path::new("/proc").join(pid.to_string()).exists() {
                    let _ = fs::remove_file(path);
                }
                return Ok(None);
            }
            // Gone meanwhile.
            Err(_) => return Ok(None),
        };
        let mut stream = BufReader::new(stream);
        let greeting = tokio::time::timeout(PATIENCE, read(&mut stream)).await;
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

    /// Has the function invoked, and waits for the end of it.
    pub(crate) async fn invoke(&mut self, order: &Order) -> anyhow::Result<Report> {
        let pid = self.greeting.pid;
        let gone = || format!("cargo fg dev (pid {pid}) has ended");
        write(&mut self.stream, order).await.with_context(gone)?;
        let answer: Option<Result<Report, String>> =
            read(&mut self.stream).await.with_context(gone)?;
        answer
            .with_context(gone)?
            .map_err(|refused| anyhow::anyhow!("{refused}"))
    }
}

async fn write(stream: &mut BufReader<UnixStream>, value: &impl Serialize) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    Ok(())
}

/// Nothing at the end.
async fn read<T: DeserializeOwned>(
    stream: &mut BufReader<UnixStream>,
) -> anyhow::Result<Option<T>> {
    let mut line = Vec::new();
    stream
        .take(LONGEST_LINE)
        .read_until(b'\n', &mut line)
        .await?;
    if line.is_empty() {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&line)?))
}

/// Where nobody but the user can put or open a socket.
fn folder() -> anyhow::Result<PathBuf> {
    let user = Uid::effective();
    let folder = match std::env::var_os("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty()) {
        Some(folder) => Path::new(&folder).join("cargo-fg"),
        None => std::env::temp_dir().join(format!("cargo-fg-{user}")),
    };
    let shown = folder.display();
    let created = fs::DirBuilder::new().mode(0o700).create(&folder);
    if let Err(error) = created
        && error.kind() != io::ErrorKind::AlreadyExists
    {
        return Err(error).with_context(|| format!("cannot make the folder {shown}"));
    }
    let metadata = fs::symlink_metadata(&folder).with_context(|| format!("cannot read {shown}"))?;
    if !metadata.is_dir() || metadata.uid() != user.as_raw() || metadata.mode() & 0o077 != 0 {
        bail!("{shown} is not a folder that only you can use: remove it, or set XDG_RUNTIME_DIR");
    }
    Ok(folder)
}
