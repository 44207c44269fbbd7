//! The extension's own HTTP server: accepts, serves, and drains at the end.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::unconstrained;
use tokio::time::{Instant, timeout_at};

use crate::concurrent::{Either, either};
use crate::error::chain;
use crate::service::Service;
use crate::signals::Signals;
use crate::{Extension, ExtensionName, Port, RunError};

/// Binds the extension's address.
pub(crate) async fn listen(name: ExtensionName, port: Port) -> Result<TcpListener, RunError> {
    let address = port.address();
    TcpListener::bind(address).await.map_err(|error| {
        let what_to_do = if error.kind() == io::ErrorKind::AddrInUse {
            format!(
                ", which another process holds; set FG_EXTENSION_PORT=`{name}=<port>` to a free port from 8081 to 8090"
            )
        } else {
            String::new()
        };
        RunError::listen(format!("cannot listen on {address}{what_to_do}"), error)
    })
}

/// Serves until asked to end, then lets what is in flight finish, and then `shutdown`, within `shutdown_timeout`.
pub(crate) async fn serve<T: Extension>(
    listener: TcpListener,
    service: Arc<Service<T>>,
    mut signals: Signals,
    shutdown_timeout: Duration,
) -> Result<(), RunError> {
    // Every connection holds a sender, and so does every handler, so that the receiver sees the last one end.
    let (in_flight, drained) = mpsc::channel(1);
    let reason = {
        let mut stop = pin!(async {
            match either(signals.recv(), service.stop_requested()).await {
                Either::First(signal) => signal,
                Either::Second(()) => "POST /extension/shutdown",
            }
        });
        loop {
            match either(stop.as_mut(), accept(&listener)).await {
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
        unconstrained(poll_fn(|cx| match listener.poll_accept(cx) {
            Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
            Poll::Pending => Poll::Ready(None),
        }))
    };
    while let Some(accepted) = waiting().await {
        match accepted {
            Ok((stream, _)) => {
                tokio::spawn(connection(stream, Arc::clone(&service), in_flight.clone()));
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!("cannot accept what still waits: {error}");
                break;
            }
        }
    }
    drop(listener);
    drop(in_flight);
    end(&service, drained, shutdown_timeout).await
}

/// Lets what is in flight finish, then `shutdown`.
async fn end<T: Extension>(
    service: &Service<T>,
    mut drained: mpsc::Receiver<()>,
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
    match service.shutdown(began + shutdown_timeout).await {
        Some(Ok(())) => Ok(()),
        Some(Err(error)) => Err(RunError::shutdown(
            "the extension failed to shut down".to_owned(),
            Some(error),
        )),
        None => Err(RunError::shutdown(
            format!(
                "the extension did not shut down in time; FG_SHUTDOWN_TIMEOUT, {}, sets how long the end may take",
                text(shutdown_timeout),
            ),
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
