//! The client of an HTTP function (D functiongraph_01_1442): its bootstrap serves HTTP on 127.0.0.1:8000.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use hyper::body::Bytes;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::apig_event;
use super::response::RuntimeResponse;
use crate::http::client;
use crate::inner::Inner;
use crate::port::is_free;
use crate::{Error, FunctionOutcome};

/// The port on which an HTTP function must listen (D functiongraph_01_1442).
pub const HTTP_FUNCTION_PORT: u16 = 8000;
pub(super) const ADDRESS: SocketAddr = SocketAddr::new(
    std::net::IpAddr::V4(Ipv4Addr::LOCALHOST),
    HTTP_FUNCTION_PORT,
);
/// The pause between two attempts to connect while the function starts (I, the open engine).
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// How long to wait for a process that was killed.
const FREE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long to wait, after a connection has failed, for the exit that may be the reason.
const EXIT_WAIT: Duration = Duration::from_millis(500);

/// Waits until no process uses the port. A process of the function that was killed takes a moment to exit, and the kernel
/// sends no notification.
pub(super) async fn wait_until_port_is_free() -> Result<(), Error> {
    let deadline = Instant::now() + FREE_TIMEOUT;
    while !is_free(HTTP_FUNCTION_PORT) {
        if Instant::now() > deadline {
            return Err(Error::new(format!(
                "port {HTTP_FUNCTION_PORT} is in use, on which an HTTP function must listen; stop the program that uses it"
            )));
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Ok(())
}

/// Waits until the function listens, and sends it each queued event in a request of its own.
pub(super) async fn send_invocations(inner: Arc<Inner>) {
    while TcpStream::connect(ADDRESS).await.is_err() {
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    inner.update(|state| {
        state.runtime.mark_ready();
        state.telemetry.init_done(SystemTime::now());
    });
    let mut requests = JoinSet::new();
    loop {
        let (id, payload) = inner.wait_until(|state| state.runtime.dequeue()).await;
        let inner = Arc::clone(&inner);
        requests.spawn(async move {
            let response = send(&id, &payload, &inner).await;
            // The invocation may have been canceled.
            let _ = inner.update(|state| state.runtime.respond(&id, response));
        });
        while requests.try_join_next().is_some() {}
    }
}

async fn send(id: &str, payload: &Bytes, inner: &Inner) -> RuntimeResponse {
    let request = match apig_event::to_request(payload, &inner.http_function_headers(id)) {
        Ok(request) => request,
        Err(message) => return RuntimeResponse::error("InvalidPayload", &message),
    };
    match client::send(ADDRESS, request).await {
        Ok(response) => {
            let status = response.status();
            RuntimeResponse {
                outcome: match status.is_success() {
                    true => FunctionOutcome::Ok,
                    false => FunctionOutcome::Error,
                },
                body: response.into_body(),
                http_status: Some(status.as_u16()),
            }
        }
        Err(error) => {
            // If the process exits, this task is aborted, and the response says how it exited.
            tokio::time::sleep(EXIT_WAIT).await;
            let error = Error::context(format!("cannot send the event to {ADDRESS}"))(error);
            RuntimeResponse::error("InvalidResponse", &fg_util::error::chain(&error))
        }
    }
}
