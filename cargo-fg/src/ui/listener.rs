//! The listener of the page, and the choice of its port.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::Ipv4Addr;

use anyhow::Context;
use fg_emulator::PORT_RANGE;
use tokio::net::TcpListener;

use crate::listen_port;

/// The port of the page, unless it is in use.
const DEFAULT_PORT: u16 = 8700;

/// The value of `--ui[=PORT]`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PagePort {
    /// If `None`, the default port, or a free one.
    pub(crate) fixed: Option<u16>,
}

impl PagePort {
    /// Checks that the port can be used, before anything is built.
    ///
    /// # Errors
    ///
    /// Returns an error if the user has chosen a port that is in use, or one of those of extensions.
    pub(crate) fn check(self) -> anyhow::Result<()> {
        match self.fixed {
            Some(port) => listen_port::check(&self.to_string(), port),
            None => Ok(()),
        }
    }

    /// Listens on loopback.
    pub(super) async fn listen(self) -> anyhow::Result<TcpListener> {
        self.check()?;
        let listener = match self.fixed {
            Some(port) => bind(port).await,
            None => match bind(DEFAULT_PORT).await {
                Err(error) if error.kind() == ErrorKind::AddrInUse => bind_free().await,
                result => result,
            },
        };
        listener.with_context(|| format!("cannot serve the page of {self}"))
    }
}

/// Writes the option.
impl fmt::Display for PagePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fixed {
            Some(port) => write!(f, "--ui={port}"),
            None => f.write_str("--ui"),
        }
    }
}

async fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

/// Listens on a free port that is not one of those of extensions. Some systems are configured to choose from them too.
async fn bind_free() -> io::Result<TcpListener> {
    let mut unsuitable = Vec::new();
    loop {
        let listener = bind(0).await?;
        if !PORT_RANGE.contains(&listener.local_addr()?.port()) {
            return Ok(listener);
        }
        // Until another port is chosen, this one stays in use, so that it is not chosen again.
        unsuitable.push(listener);
    }
}
