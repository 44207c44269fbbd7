//! HTTP servers on the platform's ports: binding, accepting, one connection.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use fg_util::error::chain;
use fg_util::select::{Either, select};
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::unconstrained;

use super::response::HttpResponse;
use crate::lifecycle::{Activity, Lifecycle, Phase, Tracked};
use crate::{ExtensionName, Port, RunError};

/// How many connections may wait to be accepted, as those that arrive before `init` is done.
const BACKLOG: u32 = 1024;

/// A bound port. It counts as in flight from the start, so that a shutdown does not overlook what its backlog holds.
pub(crate) struct Listener {
    socket: TcpListener,
    tracked: Tracked,
}

/// Listens on 127.0.0.1 at the port, which the setting can change.
pub(crate) fn bind(
    name: ExtensionName,
    port: Port,
    setting: &str,
    lifecycle: &Arc<Lifecycle>,
) -> Result<Listener, RunError> {
    let address = port.address();
    // There is no name to look up, so nothing blocks here.
    let listen = || {
        let socket = TcpSocket::new_v4()?;
        // A port is free again as soon as its last owner has exited.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    let socket = listen().map_err(|error| {
        let hint = if error.kind() == io::ErrorKind::AddrInUse {
            format!(
                ", which another process holds; set {setting}=`{name}=<port>` to a free port from 8081 to 8090"
            )
        } else {
            String::new()
        };
        RunError::listen(format!("cannot listen on {address}{hint}"), error)
    })?;
    let tracked = lifecycle.track(Activity::Listener);
    Ok(Listener { socket, tracked })
}

/// Serves connections until the lifecycle drains, and then those that wait in the backlog; `respond` answers each
/// request.
pub(crate) async fn serve<F, R>(listener: Listener, respond: R)
where
    R: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = HttpResponse> + Send,
{
    let Listener { socket, tracked } = listener;
    let lifecycle = tracked.lifecycle();
    let serve = |stream: TcpStream| {
        let tracked = lifecycle.track(Activity::Connection);
        let (lifecycle, respond) = (Arc::clone(lifecycle), respond.clone());
        tokio::spawn(async move {
            serve_connection(stream, &lifecycle, respond).await;
            drop(tracked);
        });
    };
    {
        let mut draining = pin!(lifecycle.reached(Phase::Draining));
        while let Either::Second(stream) = select(draining.as_mut(), accept(&socket)).await {
            serve(stream);
        }
    }
    // What the platform delivered into the backlog before that is served too: all of it, so without tokio's budget,
    // which would have the socket seem idle after so many. A client that goes on connecting does not hold up the
    // shutdown: no more than a full backlog is accepted.
    let waiting = || {
        unconstrained(poll_fn(|cx| match socket.poll_accept(cx) {
            Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
            Poll::Pending => Poll::Ready(None),
        }))
    };
    for _ in 0..BACKLOG {
        let Some(accepted) = waiting().await else {
            break;
        };
        match accepted {
            Ok((stream, _)) => serve(stream),
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!("cannot accept what still waits: {error}");
                break;
            }
        }
    }
}

/// Serves one connection, until the client closes it or the lifecycle drains.
async fn serve_connection<F: Future<Output = HttpResponse>>(
    stream: TcpStream,
    lifecycle: &Lifecycle,
    respond: impl Fn(Request<Incoming>) -> F + Send,
) {
    // A small response must not wait for the acknowledgement of the one before it.
    let _ = stream.set_nodelay(true);
    let mut connection = pin!(
        hyper::server::conn::http1::Builder::new()
            // A client may close its side once it has sent its request.
            .half_close(true)
            .serve_connection(
                TokioIo::new(stream),
                service_fn(|request| {
                    let response = respond(request);
                    async move { Ok::<_, std::convert::Infallible>(response.await) }
                }),
            )
    );
    // The connection comes first: a request that has arrived when the shutdown begins is read, not cut off.
    let served = match select(connection.as_mut(), lifecycle.reached(Phase::Draining)).await {
        Either::First(served) => served,
        Either::Second(()) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!("connection broke off: {}", chain(&error));
    }
}

/// Waits for the next connection. A lack of file descriptors passes, so it is waited out, with one warning.
async fn accept(listener: &TcpListener) -> TcpStream {
    let mut warned = false;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // The client was gone before we accepted its connection.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                if !std::mem::replace(&mut warned, true) {
                    tracing::warn!("cannot accept connections for now: {error}");
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
