//! The addresses of a host.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use tokio::sync::oneshot;

use crate::Error;
use crate::log::writer::spawn;

/// Returns the addresses of an IP address or host name, with a port.
///
/// The operating system's resolver blocks, so it runs on a thread. tokio's resolver does the same, but panics if no
/// thread can be started, which happens when the function uses up all processes of the instance.
pub(super) async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![(address, port).into()]);
    }
    let (sender, addresses) = oneshot::channel();
    let name = host.to_owned();
    let resolver = move || {
        let addresses = (name.as_str(), port).to_socket_addrs();
        // The receiver is gone if the attempt has been aborted.
        let _ = sender.send(addresses.map(Vec::from_iter));
    };
    spawn("resolver", Box::new(resolver))
        .map_err(|error| format!("cannot start a thread to resolve `{host}`: {error}"))?;
    let addresses = addresses.await.map_err(|_| "the resolver panicked")?;
    Ok(addresses.map_err(|error| format!("cannot resolve `{host}`: {error}"))?)
}
