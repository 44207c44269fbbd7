//! The HTTP listener: binds a port, accepts connections, and starts a task for each.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use fg_util::select::{Either, select};
use hyper::Request;
use hyper::body::Incoming;
use tokio::task::{unconstrained, yield_now};
use tokio::time::sleep;

use super::connection::{ConnectionState, serve_connection};
use super::open_connections;
use super::response::HttpResponse;
use crate::lifecycle::{Activity, Lifecycle, Phase, Tracked};
use crate::net::{TcpListener, TcpSocket, TcpStream};
use crate::panics::supervise;
use crate::{ExtensionName, Port, RunError};

/// How long after the start of a shutdown queued connections wait for descriptors.
const PATIENCE_IN_SHUTDOWN: Duration = Duration::from_millis(250);

/// The maximum number of connections in the listen backlog, such as those that arrive before `init` has completed.
const BACKLOG: u32 = 1024;

/// A bound port.
///
/// It counts as an activity in flight as soon as it is bound, so that a shutdown waits for the connections in its
/// backlog.
pub(crate) struct Listener {
    socket: TcpListener,
    tracked: Tracked,
}

/// Binds the port on 127.0.0.1. `setting` is the name of the setting that overrides the port, for the error message.
pub(crate) fn bind(
    name: ExtensionName,
    port: Port,
    setting: &str,
    lifecycle: &Arc<Lifecycle>,
) -> Result<Listener, RunError> {
    let address = port.address();
    // This does not block, since there is no host name to resolve.
    let listen = || {
        let socket = TcpSocket::new_v4()?;
        // Allows binding the port as soon as the process that used it before has exited.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    let socket = listen().map_err(|error| {
        let hint = (error.kind() == io::ErrorKind::AddrInUse).then(|| {
            format!("set {setting} to a free port from 8081 to 8090, as in `{name}=<port>`")
        });
        RunError::listen(
            format!("cannot listen on {}", port.authority()),
            error,
            hint,
        )
    })?;
    let tracked = lifecycle.track(Activity::Listener);
    Ok(Listener { socket, tracked })
}

/// Accepts connections and serves them with `respond`, until the lifecycle reaches [`Phase::Draining`]. Then it accepts
/// the connections that are still in the backlog, and returns.
pub(crate) async fn serve<F, R>(listener: Listener, respond: R)
where
    R: Fn(Request<Incoming>, Arc<ConnectionState>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = HttpResponse> + Send,
{
    supervise(|| accept_all(&listener, &respond)).await;
}

async fn accept_all<F, R>(listener: &Listener, respond: &R)
where
    R: Fn(Request<Incoming>, Arc<ConnectionState>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = HttpResponse> + Send,
{
    let Listener { socket, tracked } = listener;
    let lifecycle = tracked.lifecycle();
    {
        let mut draining = pin!(lifecycle.reached(Phase::Draining));
        while let Either::Second(stream) = select(draining.as_mut(), accept(socket)).await {
            if start(stream, lifecycle, respond) {
                let_connections_read().await;
                open_connections::close_one_of_many();
            }
        }
    }
    // Connections that are already in the backlog are served too. The poll is unconstrained, since tokio's coop budget
    // would make the socket appear idle before the backlog is empty. At most a full backlog is accepted, so that a
    // client that keeps connecting cannot delay the shutdown.
    let accept_queued = || {
        unconstrained(poll_fn(|cx| match socket.poll_accept(cx) {
            Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
            Poll::Pending => Poll::Ready(None),
        }))
    };
    let mut left = BACKLOG;
    while left > 0
        && let Some(accepted) = accept_queued().await
    {
        match accepted {
            Ok((stream, _)) => {
                left -= 1;
                start(stream, lifecycle, respond);
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => left -= 1,
            Err(error) => {
                // This also lets the requests of accepted connections finish, whose descriptors are free then.
                let_connections_read().await;
                if open_connections::close_any() {
                    yield_now().await;
                } else if lifecycle.shutdown_start().elapsed() < PATIENCE_IN_SHUTDOWN {
                    sleep(Duration::from_millis(10)).await;
                } else {
                    warn!("cannot accept queued connections: {error}");
                    break;
                }
            }
        }
    }
}

/// Lets the tasks of new connections read what has arrived. In the first turn, the runtime looks at their sockets, and in
/// the second one, the tasks run.
async fn let_connections_read() {
    yield_now().await;
    yield_now().await;
}

/// Starts the task that serves a connection. Returns whether there may be too many connections.
#[inline(never)]
fn start<F, R>(stream: TcpStream, lifecycle: &Arc<Lifecycle>, respond: &R) -> bool
where
    R: Fn(Request<Incoming>, Arc<ConnectionState>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = HttpResponse> + Send,
{
    let tracked = lifecycle.track(Activity::Connection);
    let (lifecycle, respond) = (Arc::clone(lifecycle), respond.clone());
    let state = ConnectionState::new();
    let weak = Arc::downgrade(&state);
    let task = tokio::spawn(async move {
        serve_connection(stream, &state, &lifecycle, respond).await;
        drop(tracked);
    });
    open_connections::add(weak, task.abort_handle())
}

/// Accepts the next connection.
///
/// If there are no descriptors left, it closes a connection that waits for a request. Errors are temporary, so it logs
/// one warning and retries.
async fn accept(listener: &TcpListener) -> TcpStream {
    let mut warned = false;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // The client closed the connection before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                // Such as a lack of descriptors. New connections read what has arrived before one is chosen, and the one
                // that is chosen is closed when its task runs.
                let_connections_read().await;
                if open_connections::close_any() {
                    yield_now().await;
                    continue;
                }
                if !std::mem::replace(&mut warned, true) {
                    warn!("cannot accept connections: {error}; retrying");
                }
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
