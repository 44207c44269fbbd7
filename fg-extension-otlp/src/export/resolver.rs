//! Looks up host names.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;

use hyper_util::client::legacy::connect::dns::Name;
use tokio::sync::oneshot;
use tower_service::Service;

/// Looks up each host name on a thread of its own.
///
/// The resolver of `hyper-util` panics if the system cannot start a thread, which happens while the function uses up
/// the processes that the instance may have. Here, that is an error like any other, and the request is retried.
#[derive(Clone)]
pub(super) struct Resolver;

type Addresses = std::vec::IntoIter<SocketAddr>;

impl Service<Name> for Resolver {
    type Response = Addresses;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Addresses>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (found, addresses) = oneshot::channel();
        let look_up = move || {
            // The request may have timed out.
            let _ = found.send((name.as_str(), 0).to_socket_addrs());
        };
        let started = thread::Builder::new()
            .name("resolver".to_owned())
            .spawn(look_up);
        Box::pin(async move {
            started.map_err(|error| {
                let message = format!("cannot start a thread to look up the host: {error}");
                io::Error::new(error.kind(), message)
            })?;
            let stopped = |_| {
                Err(io::Error::other(
                    "the thread that looks up the host panicked",
                ))
            };
            addresses.await.unwrap_or_else(stopped)
        })
    }
}
