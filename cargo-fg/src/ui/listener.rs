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
    /// A port that this process uses for something else.
    pub(crate) reserved: Option<u16>,
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
            None if self.is_suitable(DEFAULT_PORT) => match bind(DEFAULT_PORT).await {
                Err(error) if error.kind() == ErrorKind::AddrInUse => self.bind_free().await,
                result => result,
            },
            None => self.bind_free().await,
        };
        listener.with_context(|| format!("cannot serve the page of {self}"))
    }

    /// Listens on a free port. Some systems are configured to choose from those of extensions too.
    async fn bind_free(self) -> io::Result<TcpListener> {
        let mut unsuitable = Vec::new();
        loop {
            let listener = bind(0).await?;
            if self.is_suitable(listener.local_addr()?.port()) {
                return Ok(listener);
            }
            // Until another port is chosen, this one stays in use, so that it is not chosen again.
            unsuitable.push(listener);
        }
    }

    fn is_suitable(self, port: u16) -> bool {
        !PORT_RANGE.contains(&port) && self.reserved != Some(port)
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
