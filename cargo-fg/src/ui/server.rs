//! The HTTP server of the page: accepts connections, and shuts down without waiting for clients that keep one open.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::command::PageRequest;
use super::event_stream::{EventSource, closed};
use super::listener::PagePort;
use super::router;
use super::state::PageState;
use crate::journal::Journal;

/// The number of connections. Further ones wait until another one is closed.
const MAX_CONNECTIONS: usize = 128;
/// The number of connections that receive events, which stay open. It leaves room for requests.
const MAX_EVENT_STREAMS: usize = 64;
/// The time to send the head of a request, and for which an idle connection is kept.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
/// The number of exports that are created or sent at the same time.
const MAX_EXPORTS: usize = 2;
/// The number of large bodies that are received at the same time.
const MAX_LARGE_BODIES: usize = 4;
/// The size of the buffers of a connection, and so the longest head of a request.
const BUFFER_BYTES: usize = 64 * 1024;
/// The time for open pages to receive the last entries.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(250);

/// The server of the page. Dropping it closes all connections.
pub(crate) struct PageServer {
    port: u16,
    closing: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// What the server serves.
pub(crate) struct PageContent {
    pub(crate) journal: Arc<Journal>,
    pub(crate) state: watch::Receiver<PageState>,
    /// The channel to what executes the commands of the page; `None` if there are no controls.
    pub(crate) commands: Option<mpsc::Sender<PageRequest>>,
}

/// What all connections share.
pub(super) struct Shared {
    pub(super) port: u16,
    pub(super) events: EventSource,
    pub(super) event_streams: Arc<Semaphore>,
    pub(super) exports: Arc<Semaphore>,
    pub(super) large_bodies: Semaphore,
    pub(super) commands: Option<mpsc::Sender<PageRequest>>,
}

impl PageServer {
    /// Starts to listen and to serve. Must be called in a runtime.
    ///
    /// # Errors
    ///
    /// Returns an error if the port cannot be used.
    pub(crate) async fn start(port: PagePort, content: PageContent) -> anyhow::Result<Self> {
        let listener = port.listen().await?;
        let port = listener.local_addr()?.port();
        let closing = watch::Sender::new(false);
        let shared = Shared {
            port,
            events: EventSource {
                journal: content.journal,
                state: content.state,
                closing: closing.subscribe(),
            },
            event_streams: Arc::new(Semaphore::new(MAX_EVENT_STREAMS)),
            exports: Arc::new(Semaphore::new(MAX_EXPORTS)),
            large_bodies: Semaphore::new(MAX_LARGE_BODIES),
            commands: content.commands,
        };
        let task = tokio::spawn(serve(listener, Arc::new(shared)));
        Ok(Self {
            port,
            closing,
            task,
        })
    }

    /// Returns the address of the page.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Stops to listen, and waits a short time until open pages have received the last entries.
    pub(crate) async fn shut_down(mut self) {
        self.closing.send_replace(true);
        let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, &mut self.task).await;
    }
}

impl Drop for PageServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Accepts and serves connections until the server shuts down, and then waits for them.
async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut closing = shared.events.closing.clone();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = closed(&mut closing) => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve_connection(stream, Arc::clone(&shared)));
                }
                // There may be too many open files; retry later.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn serve_connection(stream: TcpStream, shared: Arc<Shared>) {
    let mut closing = shared.events.closing.clone();
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(router::respond(request, &shared).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // The client sees an error of the connection too.
    tokio::select! {
        _ = connection.as_mut() => return,
        () = closed(&mut closing) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
