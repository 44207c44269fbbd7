//! The listener: binds the address, accepts a limited number of connections, and shuts down.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fg_util::select::{Either, select};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::Service;
use crate::clock::wait;

/// The maximum number of connections. If there are more, an idle one is closed, and otherwise they wait.
pub(super) const MAX_CONNECTIONS: usize = 64;

/// The maximum size of the head of a request.
const MAX_HEAD_BYTES: usize = 16 << 10;

/// How long requests that have arrived may take when the shutdown starts. The function has exited by then (D, best practice
/// 05_1184), so there are hardly any.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(200);

/// How long after it was opened a connection without a request is not closed to make room for another one: its request may
/// have arrived, and wait to be read.
const FIRST_REQUEST_GRACE: Duration = Duration::from_millis(500);

/// How long to wait for a connection to become idle, before looking again.
const IDLE_POLL_INTERVAL: Duration = Duration::from_millis(100);

/// The pause after an error of the listener, such as a lack of descriptors.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);

/// A server that runs until it is shut down or dropped.
#[derive(Debug)]
pub(crate) struct Server {
    stop: watch::Sender<bool>,
    task: Mutex<JoinSet<()>>,
}

/// Binds the address, so that connections are queued from now on.
///
/// # Errors
///
/// Returns an error if the address cannot be bound, usually because another process uses the port.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    // The address is numeric, so this does not block.
    let listener = StdListener::bind(address)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

impl Server {
    /// Starts to accept requests.
    pub(crate) fn start(listener: TcpListener, service: Service) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut task = JoinSet::new();
        task.spawn(serve(listener, Arc::new(service), stopped));
        Self {
            stop,
            task: Mutex::new(task),
        }
    }

    /// Closes the listener, and waits for a short time until the requests that have arrived are responded to.
    pub(crate) async fn shut_down(&self) {
        self.stop.send_replace(true);
        let mut task = {
            let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *task)
        };
        while task.join_next().await.is_some() {}
    }
}

/// Serves connections until `stopped` is true, and then finishes the requests that have arrived.
async fn serve(listener: TcpListener, service: Arc<Service>, stopped: watch::Receiver<bool>) {
    let mut connections = Connections::default();
    let mut stop = pin!(stop(stopped.clone()));
    loop {
        let accept = async {
            connections.make_room().await;
            listener.accept().await
        };
        match select(stop.as_mut(), accept).await {
            Either::First(()) => break,
            Either::Second(Ok((stream, _))) => {
                connections.start(stream, &service, &stopped);
            }
            Either::Second(Err(_)) => {
                connections.close_idle();
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }
    drop(listener);
    wait(DRAIN_TIMEOUT, connections.join()).await;
}

/// Waits until the server shuts down.
async fn stop(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender was dropped, together with this task.
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// The open connections. Dropping it closes them.
#[derive(Default)]
struct Connections {
    tasks: JoinSet<()>,
    /// In the order in which they were opened.
    open: Vec<Connection>,
}

struct Connection {
    opened_at: Instant,
    state: Arc<ConnectionState>,
    task: AbortHandle,
}

#[derive(Default)]
struct ConnectionState {
    /// Whether a request waits for its response.
    is_busy: AtomicBool,
    /// Whether there was a request.
    was_used: AtomicBool,
}

impl Connections {
    /// Waits until there are fewer connections than the maximum. Closes an idle one if that is needed.
    async fn make_room(&mut self) {
        while self.tasks.try_join_next().is_some() {}
        while self.tasks.len() >= MAX_CONNECTIONS {
            // If all are busy, those that become idle until one is closed wait for the next request. So look again.
            if !self.close_idle() {
                wait(IDLE_POLL_INTERVAL, self.tasks.join_next()).await;
            } else {
                self.tasks.join_next().await;
            }
        }
    }

    /// Closes the oldest connection without a request. Returns whether there was one.
    fn close_idle(&mut self) -> bool {
        self.open.retain(|it| !it.task.is_finished());
        let now = Instant::now();
        let idle = self.open.iter().position(|it| it.is_idle(now));
        if let Some(index) = idle {
            self.open.remove(index).task.abort();
        }
        idle.is_some()
    }

    /// Starts the task that serves a connection until the client closes it, or until `stopped` is true and the current
    /// request has its response.
    fn start(
        &mut self,
        stream: TcpStream,
        service: &Arc<Service>,
        stopped: &watch::Receiver<bool>,
    ) {
        self.open.retain(|it| !it.task.is_finished());
        let state = Arc::new(ConnectionState::default());
        let task = serve_connection(
            stream,
            Arc::clone(service),
            stopped.clone(),
            Arc::clone(&state),
        );
        self.open.push(Connection {
            opened_at: Instant::now(),
            state,
            task: self.tasks.spawn(task),
        });
    }

    /// Waits until all connections are closed.
    async fn join(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

impl Connection {
    fn is_idle(&self, now: Instant) -> bool {
        let is_new = !self.state.was_used.load(Ordering::Relaxed)
            && now.saturating_duration_since(self.opened_at) < FIRST_REQUEST_GRACE;
        !is_new && !self.state.is_busy.load(Ordering::Relaxed)
    }
}

async fn serve_connection(
    stream: TcpStream,
    service: Arc<Service>,
    stopped: watch::Receiver<bool>,
    state: Arc<ConnectionState>,
) {
    // Without this, Nagle's algorithm would delay a small response until the previous one is acknowledged.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let (service, state) = (&service, &state);
        async move {
            state.was_used.store(true, Ordering::Relaxed);
            state.is_busy.store(true, Ordering::Relaxed);
            let response = service.respond(&request).await;
            state.is_busy.store(false, Ordering::Relaxed);
            Ok::<_, Infallible>(response)
        }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .max_buf_size(MAX_HEAD_BYTES)
            // The value is written from its own memory.
            .writev(true)
            .serve_connection(TokioIo::new(stream), service)
    );
    // A connection that failed was broken by its client.
    if let Either::Second(()) = select(connection.as_mut(), stop(stopped)).await {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}
