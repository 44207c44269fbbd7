//! Boots of the extension, each on a platform of its own.

use std::cell::OnceCell;
use std::net::{SocketAddr, TcpStream};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use fg_emulator::{Faults, Platform, Registered, Stopped, Stream};

use super::watch::Watch;
use crate::boot::BootSpec as Prepared;
use crate::holder::{held, is_about_ports, is_lingering};

/// How long it may go on after its last registration was refused, or answered not at all. Some pause for 5 seconds.
pub(super) const QUIET: Duration = Duration::from_secs(8);

/// What is booted again and again.
pub(super) struct Boots<'a> {
    pub(super) prepared: &'a Prepared,
    pub(super) environment: &'a [(String, String)],
    /// Where it listens, once it was registered.
    pub(super) address: OnceCell<SocketAddr>,
}

/// One boot.
pub(super) struct Booted {
    pub(super) platform: Platform,
    pub(super) watch: Arc<Watch>,
    pub(super) start: Start,
}

/// How a process ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// On both streams.
    pub(super) printed: String,
}

/// How it went.
#[derive(Debug)]
pub(super) enum Start {
    Registered(Registered),
    /// It ended by itself before it was registered.
    Ended(Ended),
    /// It was not registered, and did not end.
    Neither,
}

impl Boots<'_> {
    /// Waits until it is registered, has ended, or does nothing to that purpose any more.
    pub(super) async fn boot(&self, faults: Faults) -> anyhow::Result<Booted> {
        let booted = self.boot_once(faults.clone()).await?;
        let ended = match &booted.start {
            Start::Ended(ended) if booted.watch.seen().calls.is_empty() => ended,
            Start::Registered(registered) => {
                self.address.get_or_init(|| registered.address);
                return Ok(booted);
            }
            _ => return Ok(booted),
        };
        let complaint = match self.address.get() {
            // What it says may be less than we know.
            Some(address) if is_about_ports(&ended.printed) => address.to_string(),
            _ => ended.printed.clone(),
        };
        is_port_free(&complaint)?;
        // The platform boots it once, and we again and again.
        if !is_lingering(&complaint) {
            return Ok(booted);
        }
        lingered(&complaint).await;
        self.boot_once(faults).await
    }

    async fn boot_once(&self, faults: Faults) -> anyhow::Result<Booted> {
        let watch = Arc::new(Watch::default());
        let observer = Arc::clone(&watch);
        let platform = Platform::builder()
            .observer(move |event| observer.observe(event))
            .faults(faults)
            .start()
            .await?;
        let mut boot = self.prepared.boot();
        for (name, value) in self.environment {
            boot = boot.env(name, value);
        }
        let booted = tokio::select! {
            biased;
            booted = platform.boot(boot) => Some(booted),
            () = watch.quiet(QUIET) => None,
        };
        let start = match booted {
            None => Start::Neither,
            Some(Ok(registered)) => Start::Registered(registered),
            Some(Err(error)) => match error.stopped() {
                Some(stopped) if stopped.took.is_zero() => Start::Ended(Ended::from(stopped)),
                Some(_) => Start::Neither,
                // It could not even be started.
                None => return Err(error.into()),
            },
        };
        Ok(Booted {
            platform,
            watch,
            start,
        })
    }
}

impl Booted {
    /// Ends it: in order, or, where that is known to take long, at once.
    pub(super) async fn end(self, in_order: bool) -> anyhow::Result<()> {
        // What is not registered is none of the platform's any more.
        if in_order && matches!(self.start, Start::Registered(_)) {
            self.platform.shutdown().await?;
            return Ok(());
        }
        let address = self.watch.seen().address();
        drop(self.platform);
        if let Some(address) = address {
            vacated(address).await.with_context(|| {
                format!("what was killed still listens at {address}: it left its process group")
            })?;
        }
        Ok(())
    }
}

/// Another process on its port is nothing that could be held against the extension.
fn is_port_free(complaint: &str) -> anyhow::Result<()> {
    let held = held(complaint);
    if held.is_empty() {
        return Ok(());
    }
    bail!(
        "the extension ended before it registered, and {}: end that process, or give the extension another port",
        held.join(", ")
    )
}

/// Waits until the connections of earlier boots are forgotten, which takes a minute. The kernel tells nobody.
async fn lingered(complaint: &str) {
    eprintln!(
        "it does not set SO_REUSEADDR: waiting until the connections of the last boot are forgotten"
    );
    let deadline = Instant::now() + Duration::from_secs(90);
    while is_lingering(complaint) && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Waits until nobody listens there. A process that was killed is not gone at once, and tells nobody.
async fn vacated(address: SocketAddr) -> std::io::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(5);
    while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok() {
        if Instant::now() > deadline {
            return Err(std::io::ErrorKind::AddrInUse.into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

impl From<&Stopped> for Ended {
    fn from(stopped: &Stopped) -> Self {
        Self {
            status: stopped.status,
            printed: stopped.printed(Stream::Stderr) + &stopped.printed(Stream::Stdout),
        }
    }
}
