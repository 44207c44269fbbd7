//! The server of the control socket, in `cargo fg dev`.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use tokio::io::BufReader;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::discovery::{
    create_directory, directory_path, remove_if_empty, socket_path, workspace_of,
};
use super::wire::{Greeting, read, write};
use crate::invocation::{FunctionKind, InvocationReport, InvocationSpec};
use crate::signals::{KillHook, before_kill};

/// How many times to create the directory of the socket.
const MAX_ATTEMPTS: u32 = 100;

/// An invocation that a client has requested.
pub(crate) struct InvocationRequest {
    pub(crate) spec: InvocationSpec,
    pub(crate) reply: InvocationReply,
}

/// The sender for the report of an invocation, or for the reason why there is no report.
pub(crate) type InvocationReply = oneshot::Sender<Result<InvocationReport, String>>;

/// The control socket of a `dev`. Dropping it removes the socket.
pub(crate) struct ControlServer {
    path: PathBuf,
    listener: UnixListener,
    _kill_hook: KillHook,
    greeting: Greeting,
    connections: JoinSet<()>,
    sender: mpsc::Sender<InvocationRequest>,
    requests: mpsc::Receiver<InvocationRequest>,
}

impl ControlServer {
    /// Starts to listen. The greeting contains `scripts`, `function`, and the workspace of `directory`.
    pub(crate) fn listen(
        scripts: Vec<String>,
        function: FunctionKind,
        directory: &Path,
    ) -> anyhow::Result<Self> {
        let pid = std::process::id();
        let (path, listener) = bind(&directory_path(), pid)?;
        let killed = path.clone();
        let kill_hook = before_kill(move || remove(&killed));
        let folder = std::env::current_dir().unwrap_or_default();
        let (sender, requests) = mpsc::channel(64);
        Ok(Self {
            path,
            listener,
            _kill_hook: kill_hook,
            greeting: Greeting {
                pid,
                scripts,
                workspace: workspace_of(directory),
                folder,
                function,
            },
            connections: JoinSet::new(),
            sender,
            requests,
        })
    }

    /// Waits for the next invocation that a client requests, and returns it. Connections are accepted only while this
    /// method is polled.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: no request is lost.
    pub(crate) async fn next_request(&mut self) -> InvocationRequest {
        loop {
            tokio::select! {
                Some(request) = self.requests.recv() => return request,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let (greeting, sender) = (self.greeting.clone(), self.sender.clone());
                        self.connections.spawn(async move {
                            // Ignore errors: a client that has disconnected cannot receive them.
                            let _ = serve(stream, &greeting, &sender).await;
                        });
                    }
                    // There may be too many open files; retry later.
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                },
                Some(_) = self.connections.join_next() => {}
            }
        }
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Removes the socket, and the directory if it was the last one.
fn remove(socket: &Path) {
    let _ = fs::remove_file(socket);
    if let Some(directory) = socket.parent() {
        remove_if_empty(directory);
    }
}

fn bind(directory: &Path, pid: u32) -> anyhow::Result<(PathBuf, UnixListener)> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        create_directory(directory)?;
        let path = socket_path(directory, pid);
        // Remove the socket of a killed `dev` that had the same process ID.
        let _ = fs::remove_file(&path);
        match UnixListener::bind(&path) {
            Ok(listener) => return Ok((path, listener)),
            // Another `dev` has just exited, and removed the directory.
            Err(error) if error.kind() == ErrorKind::NotFound && attempts < MAX_ATTEMPTS => {}
            Err(error) => {
                return Err(error).context(format!("cannot listen on {}", path.display()));
            }
        }
    }
}

/// Serves one connection until the client closes it.
async fn serve(
    stream: UnixStream,
    greeting: &Greeting,
    sender: &mpsc::Sender<InvocationRequest>,
) -> anyhow::Result<()> {
    let mut stream = BufReader::new(stream);
    write(&mut stream, greeting).await?;
    while let Some(spec) = read(&mut stream).await? {
        let (reply, response) = oneshot::channel();
        sender.send(InvocationRequest { spec, reply }).await?;
        let response = response.await.unwrap_or_else(|_| {
            Err("the instance was shut down before the invocation finished".to_owned())
        });
        write(&mut stream, &response).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{bind, remove};

    #[tokio::test]
    async fn sockets_are_created_while_others_remove_the_directory() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("cargo-fg");
        let bind_often = |pid: u32| {
            let directory = directory.clone();
            tokio::task::spawn_blocking(move || {
                for _ in 0..300 {
                    let (path, _listener) = bind(&directory, pid).unwrap();
                    remove(&path);
                }
            })
        };
        let (one, two) = (bind_often(1), bind_often(2));
        one.await.unwrap();
        two.await.unwrap();
        assert!(!directory.exists());
    }
}
