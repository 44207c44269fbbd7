//! HTTP servers on the platform's ports: listening, accepting, one connection.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::unconstrained;

use crate::http::response::HttpResponse;
use crate::lifecycle::{Lifecycle, Phase};
use crate::{ExtensionName, Port, RunError};
use fg_util::error::chain;
use fg_util::select::{Either, select};

/// How many connections may wait to be accepted: what comes before `init` is done does.
const BACKLOG: u32 = 1024;

/// Listens on the address with this port, which the setting can change.
pub(crate) fn listen(
    name: ExtensionName,
    port: Port,
    setting: &str,
) -> Result<TcpListener, RunError> {
    let address = port.address();
    // Without a name to look up there is nothing to wait for.
    let listen = || {
        let socket = TcpSocket::new_v4()?;
        // A port is free again as soon as its last owner has ended.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|error| {
        let what_to_do = if error.kind() == io::ErrorKind::AddrInUse {
            format!(
                ", which another process holds; set {setting}=`{name}=<port>` to a free port from 8081 to 8090"
            )
        } else {
            String::new()
        };
        RunError::listen(format!("cannot listen on {address}{what_to_do}"), error)
    })
}

/// Accepts connections until `stop`, and then those that wait in the backlog; gives each to `connect`.
pub(crate) async fn accept_until<R>(
    listener: TcpListener,
    stop: impl Future<Output = R>,
    connect: impl Fn(TcpStream),
) -> R {
    let stopped = {
        let mut stop = pin!(stop);
        loop {
            match select(stop.as_mut(), accept(&listener)).await {
                Either::First(stopped) => break stopped,
                Either::Second(stream) => connect(stream),
            }
        }
    };
    // What the platform delivered into the backlog before we stopped is served too: all of it, so without tokio's
    // budget, which would have the listener seem idle after so many.
    let waiting = || {
        unconstrained(poll_fn(|cx| match listener.poll_accept(cx) {
            Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
            Poll::Pending => Poll::Ready(None),
        }))
    };
    while let Some(accepted) = waiting().await {
        match accepted {
            Ok((stream, _)) => connect(stream),
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!("cannot accept what still waits: {error}");
                break;
            }
        }
    }
    stopped
}

/// Serves one connection, until the client closes it or the extension ends.
pub(crate) async fn connection<F: Future<Output = HttpResponse>>(
    stream: TcpStream,
    lifecycle: Arc<Lifecycle>,
    answer: impl Fn(Request<Incoming>) -> F,
) {
    // A small answer must not wait for the acknowledgement of the one before it.
    let _ = stream.set_nodelay(true);
    let mut connection = pin!(
        hyper::server::conn::http1::Builder::new()
            // A client may close its side once it has sent its request.
            .half_close(true)
            .serve_connection(
                TokioIo::new(stream),
                service_fn(|request| {
                    let answer = answer(request);
                    async move { Ok::<_, std::convert::Infallible>(answer.await) }
                }),
            )
    );
    // The connection comes first: a request that has arrived when the end begins is read, not cut off.
    let ended = match select(connection.as_mut(), lifecycle.reached(Phase::Draining)).await {
        Either::First(ended) => ended,
        Either::Second(()) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("connection broke off: {}", chain(&error));
    }
}

/// The next connection. Running out of file descriptors passes, so it is waited out, with one warning.
async fn accept(listener: &TcpListener) -> TcpStream {
    let mut warned = false;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // The client was gone before we came to it.
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
