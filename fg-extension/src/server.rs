//! The extension's own HTTP server: accepts, serves, and drains at the end.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, unconstrained};
use tokio::time::{Instant, timeout_at};

use crate::concurrent::{Either, either};
use crate::error::chain;
use crate::service::Service;
use crate::signals::Signals;
use crate::telemetry::Delivery;
use crate::{Extension, ExtensionName, Port, RunError};

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

/// Serves until asked to end, then lets what is in flight finish, and then `shutdown`, within `shutdown_timeout`.
pub(crate) async fn serve<T: Extension>(
    listeners: Vec<TcpListener>,
    service: Arc<Service<T>>,
    mut signals: Signals,
    shutdown_timeout: Duration,
) -> Result<(), RunError> {
    // Every connection holds a sender, and so does every handler, so that the receiver sees the last one end.
    let (in_flight, drained) = mpsc::channel(1);
    let mut delivery = JoinSet::new();
    if service.telemetry().is_some() {
        let service = Arc::clone(&service);
        delivery.spawn(async move { service.deliver().await });
    }
    let reason = {
        let mut stop = pin!(async {
            match either(signals.recv(), service.stop_requested()).await {
                Either::First(signal) => signal,
                Either::Second(()) => "POST /extension/shutdown",
            }
        });
        loop {
            match either(stop.as_mut(), accept(&listeners)).await {
                Either::First(reason) => break reason,
                Either::Second(stream) => {
                    tokio::spawn(connection(stream, Arc::clone(&service), in_flight.clone()));
                }
            }
        }
    };
    tracing::info!("{reason}: ending");
    service.request_stop();

    // Events that the platform delivered into the backlog before we stopped are served too: all of them, so
    // without tokio's budget, which would have the listener seem idle after so many.
    let waiting = || {
        unconstrained(poll_fn(|cx| {
            Poll::Ready(match poll_accept(&listeners, cx) {
                Poll::Ready(accepted) => Some(accepted),
                Poll::Pending => None,
            })
        }))
    };
    while let Some(accepted) = waiting().await {
        match accepted {
            Ok(stream) => {
                tokio::spawn(connection(stream, Arc::clone(&service), in_flight.clone()));
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!("cannot accept what still waits: {error}");
                break;
            }
        }
    }
    drop(listeners);
    drop(in_flight);
    end(&service, drained, delivery, shutdown_timeout).await
}

/// Lets what is in flight finish, delivers what is acknowledged, then `shutdown`.
async fn end<T: Extension>(
    service: &Service<T>,
    mut drained: mpsc::Receiver<()>,
    mut delivery: JoinSet<()>,
    shutdown_timeout: Duration,
) -> Result<(), RunError> {
    let began = Instant::now();
    // Whatever hangs, `shutdown` has some time: it may be all that stands between the author's data and its
    // loss. In any case there is a moment for those who are given up to be told.
    let moment = Duration::from_millis(50);
    let (reserve, moment) = if T::SHUTS_DOWN {
        let reserve = (shutdown_timeout / 4).min(Duration::from_millis(500));
        (reserve, moment.min(reserve / 4))
    } else {
        let moment = moment.min(shutdown_timeout / 16);
        (moment, moment)
    };
    let patience = shutdown_timeout - reserve;
    if timeout_at(began + patience, drained.recv()).await.is_err() {
        tracing::warn!(
            "gave up what was still in flight {} after the end began, invocations: {}; \
             FG_SHUTDOWN_TIMEOUT, {}, sets how long the end may take",
            text(patience),
            service.invocations_in_flight(),
            text(shutdown_timeout),
        );
        service.give_up();
        // The handlers are dropped as soon as their tasks run. A client that does not listen is not waited for.
        tokio::task::yield_now().await;
        let _ = timeout_at(began + patience + moment, drained.recv()).await;
    }
    if let Some(telemetry) = service.telemetry() {
        telemetry.close();
    }
    let _ = timeout_at(began + patience, delivery.join_next()).await;
    // The handler is not to run beside `shutdown`: it is dropped as soon as its task runs. One that blocks its
    // thread cannot be stopped.
    delivery.abort_all();
    tokio::task::yield_now().await;
    let _ = timeout_at(began + patience + moment, delivery.shutdown()).await;
    let undelivered = service.telemetry().map_or(0, Delivery::abandon);
    let shutdown = service.shutdown(began + shutdown_timeout).await;

    let how_long = format!(
        "FG_SHUTDOWN_TIMEOUT, {}, sets how long the end may take",
        text(shutdown_timeout)
    );
    let lost = match undelivered {
        0 => None,
        1 => Some("1 event of telemetry was not delivered by the end".to_owned()),
        events => Some(format!(
            "{events} events of telemetry were not delivered by the end"
        )),
    };
    let and_lost = lost.iter().map(|lost| format!(", and {lost}"));
    let and_lost: String = and_lost.collect();
    match (shutdown, lost) {
        (Some(Ok(())), None) => Ok(()),
        (Some(Ok(())), Some(lost)) => Err(RunError::telemetry(format!("{lost}; {how_long}"))),
        (Some(Err(error)), _) => Err(RunError::shutdown(
            format!("the extension failed to shut down{and_lost}"),
            Some(error),
        )),
        (None, _) => Err(RunError::shutdown(
            format!("the extension did not shut down in time{and_lost}; {how_long}"),
            None,
        )),
    }
}

/// As the setting is written: zero is `0ns` otherwise.
fn text(duration: Duration) -> String {
    if duration.is_zero() {
        "0s".to_owned()
    } else {
        format!("{duration:?}")
    }
}

/// The next connection. Running out of file descriptors passes, so it is waited out, with one warning.
async fn accept(listeners: &[TcpListener]) -> TcpStream {
    let mut warned = false;
    loop {
        match poll_fn(|cx| poll_accept(listeners, cx)).await {
            Ok(stream) => return stream,
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

/// A connection of any of them, those of the first first: invocations before telemetry.
fn poll_accept(listeners: &[TcpListener], cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
    for listener in listeners {
        if let Poll::Ready(accepted) = listener.poll_accept(cx) {
            return Poll::Ready(accepted.map(|(stream, _)| stream));
        }
    }
    Poll::Pending
}

/// Serves one connection, until the client closes it or the extension ends.
async fn connection<T: Extension>(
    stream: TcpStream,
    service: Arc<Service<T>>,
    in_flight: mpsc::Sender<()>,
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
                    let (service, in_flight) = (Arc::clone(&service), in_flight.clone());
                    async move {
                        Ok::<_, std::convert::Infallible>(service.answer(request, &in_flight).await)
                    }
                }),
            )
    );
    // The connection comes first: a request that has arrived when the end begins is read, not cut off.
    let ended = match either(connection.as_mut(), service.stop_requested()).await {
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
