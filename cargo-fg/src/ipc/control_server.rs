//! The side of `cargo fg dev`.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use tokio::io::BufReader;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::discovery::{folder, socket};
use super::wire::{Greeting, read, write};
use crate::invocation::{FunctionKind, InvocationReport, InvocationSpec};

/// An invocation that a client has asked for.
pub(crate) struct InvocationRequest {
    pub(crate) spec: InvocationSpec,
    pub(crate) reply: InvocationReply,
}

/// Where the report of an invocation goes, or why there is none.
pub(crate) type InvocationReply = oneshot::Sender<Result<InvocationReport, String>>;

/// The control socket of a `dev`. Removes the socket when it is dropped.
pub(crate) struct ControlServer {
    path: PathBuf,
    listener: UnixListener,
    greeting: Greeting,
    connections: JoinSet<()>,
    sender: mpsc::Sender<InvocationRequest>,
    requests: mpsc::Receiver<InvocationRequest>,
}

impl ControlServer {
    /// Starts to listen. `scripts` and `function` are for the greeting.
    pub(crate) fn listen(scripts: Vec<String>, function: FunctionKind) -> anyhow::Result<Self> {
        let pid = std::process::id();
        let path = socket(&folder()?, pid);
        // The socket of a killed process that had the same pid.
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
                function,
            },
            connections: JoinSet::new(),
            sender,
            requests,
        })
    }

    /// Serves the connections, and returns the next invocation that a client asks for.
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
                            // A client that has hung up cannot receive an error either.
                            let _ = serve(stream, &greeting, &sender).await;
                        });
                    }
                    // Too many open files: that may pass.
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                },
                Some(_) = self.connections.join_next() => {}
            }
        }
    }
}

impl Drop for ControlServer {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

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
        let response = response
            .await
            .unwrap_or_else(|_| Err("the instance ended before the invocation did".to_owned()));
        write(&mut stream, &response).await?;
    }
    Ok(())
}
