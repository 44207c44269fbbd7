//! The listener: binds the address, accepts connections, and shuts down.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use fg_extension::Error;
use fg_util::select::{Either, select};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{JoinSet, unconstrained, yield_now};

use super::connections::Connections;
use super::pipe::Pipe;
use super::service::Service;
use crate::export::TimeLimit;

/// How long requests that are being received may take when the shutdown starts. The function has exited by then (D, best
/// practice 05_1184), so there are hardly any.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(200);

/// How long the receiver goes on at the shutdown while the function's SDK is connected, since the platform may stop the
/// function at the same time (?), and the SDK then sends its last data.
const LINGER: Duration = Duration::from_millis(200);

/// The pause after an error of the listener, such as a lack of descriptors.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);

/// The maximum size of a header, and of a part of a body. Each connection keeps a buffer of up to this size.
const MAX_BUFFER: usize = 32 << 10;

/// A receiver that runs until it is shut down or dropped.
pub(crate) struct Receiver {
    stop: watch::Sender<bool>,
    server: Mutex<JoinSet<()>>,
}

/// Binds the address, so that connections are queued from now on.
///
/// # Errors
///
/// Returns an error if the address cannot be bound, usually because another process uses the port.
pub(crate) fn bind(address: SocketAddr) -> io::Result<StdListener> {
    // The address is numeric, so this does not block.
    let listener = StdListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

impl Receiver {
    /// Starts to accept requests.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no Tokio runtime.
    pub(crate) fn start(listener: StdListener, pipe: Pipe) -> Result<Self, Error> {
        let runtime = Handle::try_current()?;
        let listener = TcpListener::from_std(listener)?;
        let (stop, stopped) = watch::channel(false);
        let mut server = JoinSet::new();
        server.spawn_on(
            serve(listener, Arc::new(Service::new(pipe)), stopped),
            &runtime,
        );
        Ok(Self {
            stop,
            server: Mutex::new(server),
        })
    }

    /// Closes the listener, and waits for a short time until the requests that have arrived are processed. Before that,
    /// waits for a short time for the last data of a function that has sent some.
    pub(crate) async fn shutdown(&self) {
        self.stop.send_replace(true);
        let mut server = {
            let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *server)
        };
        while server.join_next().await.is_some() {}
    }
}

/// Serves connections until `stopped` is true, and then finishes the requests that have arrived.
async fn serve(listener: TcpListener, service: Arc<Service>, stopped: watch::Receiver<bool>) {
    let mut connections = Connections::default();
    let (close, closed) = watch::channel(false);
    {
        let mut stop = pin!(stop(stopped.clone()));
        loop {
            match select(stop.as_mut(), listener.accept()).await {
                Either::First(()) => break,
                Either::Second(Ok((stream, _))) => {
                    // All connections can be busy for as long as a body may take.
                    let room = select(stop.as_mut(), connections.make_room()).await;
                    start(&mut connections, stream, &service, &closed);
                    if let Either::First(()) = room {
                        break;
                    }
                }
                Either::Second(Err(_)) => {
                    connections.close_idle();
                    tokio::time::sleep(PAUSE_AFTER_ERROR).await;
                }
            }
        }
    }
    if service.has_received() {
        let last_data = linger(&listener, &mut connections, &service, &closed);
        TimeLimit::new(LINGER).wait(last_data).await;
    }
    while connections.have_room()
        && let Some(stream) = queued(&listener).await
    {
        start(&mut connections, stream, &service, &closed);
    }
    close.send_replace(true);
    drop(listener);
    TimeLimit::new(DRAIN_TIMEOUT).wait(connections.join()).await;
}

/// Accepts connections until all are closed.
async fn linger(
    listener: &TcpListener,
    connections: &mut Connections,
    service: &Arc<Service>,
    closed: &watch::Receiver<bool>,
) {
    while connections.are_open() {
        let accepted = select(connections.wait_for_close(), listener.accept()).await;
        if let Either::Second(Ok((stream, _))) = accepted
            && connections.have_room()
        {
            start(connections, stream, service, closed);
        }
    }
}

/// Waits until the receiver shuts down.
async fn stop(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender was dropped, together with this task.
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// Returns a connection that has been queued, if there is one.
async fn queued(listener: &TcpListener) -> Option<TcpStream> {
    let accept = poll_fn(|cx| match listener.poll_accept(cx) {
        Poll::Ready(Ok((stream, _))) => Poll::Ready(Some(stream)),
        Poll::Ready(Err(_)) | Poll::Pending => Poll::Ready(None),
    });
    // Tokio's budget would make the listener appear empty.
    unconstrained(accept).await
}

/// Starts the task that serves a connection until the client closes it, or until `stopped` is true and the current
/// request is finished.
fn start(
    connections: &mut Connections,
    stream: TcpStream,
    service: &Arc<Service>,
    stopped: &watch::Receiver<bool>,
) {
    let (service, stopped) = (Arc::clone(service), stopped.clone());
    connections.spawn(|busy| async move {
        // Without this, Nagle's algorithm would delay a small response until the previous one is acknowledged.
        let _ = stream.set_nodelay(true);
        let service = service_fn(|request| {
            let guard = busy.enter();
            let service = &service;
            async move {
                let response = service.respond(request).await;
                drop(guard);
                Ok::<_, Infallible>(response)
            }
        });
        let mut connection = pin!(
            http1::Builder::new()
                .max_buf_size(MAX_BUFFER)
                .serve_connection(TokioIo::new(stream), service)
        );
        let stop_after_reading = async {
            stop(stopped).await;
            // Lets the connection read what has arrived: in the first turn, the runtime looks at the sockets.
            yield_now().await;
            yield_now().await;
        };
        // A connection that failed was broken by its client.
        if let Either::Second(()) = select(connection.as_mut(), stop_after_reading).await {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    });
}
