//! [`Harness`]: boots the extension, each time on a platform of its own.

mod call_recorder;
pub(crate) mod client;

use std::net::SocketAddr;
use std::process::ExitStatus;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fg_emulator::{Faults, Platform, ProcessExit, RegisteredExtension};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

pub(crate) use self::call_recorder::{CallRecorder, MAX_STDERR_LINES, Recorded};
use crate::Error;
use crate::extension_under_test::PreparedExtension;
use crate::port_owner::{is_in_time_wait, mentions_port, ports_in_use};

/// How long an extension may run on after its last registration was rejected, or not answered at all. Some pause for
/// 5 seconds.
pub(crate) const QUIET_PERIOD: Duration = Duration::from_secs(8);

/// Boots one extension again and again.
pub(crate) struct Harness<'a> {
    pub(crate) extension: &'a PreparedExtension,
    on_notice: &'a (dyn Fn(&str) + Send + Sync),
    /// Where it listens, once it was registered.
    address: OnceLock<SocketAddr>,
}

/// One boot, and what came of it.
pub(crate) struct Booted {
    pub(crate) platform: Platform,
    pub(crate) recorder: Arc<CallRecorder>,
    pub(crate) start: Start,
}

/// How a start went.
#[derive(Debug)]
pub(crate) enum Start {
    Registered(RegisteredExtension),
    /// It exited by itself before it was registered.
    Exited(Exit),
    /// It was not registered, and did not exit.
    Unregistered,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Exit {
    pub(crate) status: ExitStatus,
    /// What it printed, on both streams.
    output: String,
}

/// How a boot is stopped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum StopMode {
    /// SIGTERM, and SIGKILL after the grace.
    Graceful,
    /// SIGKILL, where SIGTERM is known to take long.
    Kill,
}

impl<'a> Harness<'a> {
    pub(crate) fn new(
        extension: &'a PreparedExtension,
        on_notice: &'a (dyn Fn(&str) + Send + Sync),
    ) -> Self {
        Self {
            extension,
            on_notice,
            address: OnceLock::new(),
        }
    }

    /// Boots the extension, and waits until it is registered, has exited, or has stopped trying.
    pub(crate) async fn boot(&self, faults: Faults) -> Result<Booted, Error> {
        let booted = self.boot_once(faults.clone()).await?;
        let exit = match &booted.start {
            Start::Exited(exit) if booted.recorder.recorded().requests.is_empty() => exit,
            Start::Registered(registered) => {
                self.address.get_or_init(|| registered.address);
                return Ok(booted);
            }
            _ => return Ok(booted),
        };
        let message = match self.address.get() {
            // What it printed may be less than we know.
            Some(address) if mentions_port(&exit.output) => address.to_string(),
            _ => exit.output.clone(),
        };
        expect_free_port(&message)?;
        // The platform boots it once, and we again and again.
        if !is_in_time_wait(&message) {
            return Ok(booted);
        }
        (self.on_notice)(
            "it does not set SO_REUSEADDR: waiting until the connections of the last boot are forgotten",
        );
        time_wait_is_over(&message).await;
        self.boot_once(faults).await
    }

    async fn boot_once(&self, faults: Faults) -> Result<Booted, Error> {
        let recorder = Arc::new(CallRecorder::default());
        let observer = Arc::clone(&recorder);
        let platform = Platform::builder()
            .observer(move |event| observer.observe(event))
            .faults(faults)
            .start()
            .await?;
        let booted = tokio::select! {
            biased;
            booted = platform.boot(self.extension.command()) => Some(booted),
            () = recorder.quiet(QUIET_PERIOD) => None,
        };
        let start = match booted {
            None => Start::Unregistered,
            Some(Ok(registered)) => Start::Registered(registered),
            Some(Err(error)) => match error.process_exit() {
                Some(exit) if exit.stop_duration.is_none() => Start::Exited(Exit::from(exit)),
                Some(_) => Start::Unregistered,
                // It could not even be started.
                None => return Err(error.into()),
            },
        };
        Ok(Booted {
            platform,
            recorder,
            start,
        })
    }
}

impl Booted {
    /// Stops it, and waits until its port is free.
    pub(crate) async fn stop(self, mode: StopMode) -> Result<(), Error> {
        // The platform does not stop what is not registered.
        if mode == StopMode::Graceful && matches!(self.start, Start::Registered(_)) {
            self.platform.shutdown().await?;
            return Ok(());
        }
        let address = self.recorder.recorded().address();
        drop(self.platform);
        if let Some(address) = address {
            port_is_free(address).await?;
        }
        Ok(())
    }
}

/// Another process on its port is not the extension's fault.
fn expect_free_port(message: &str) -> Result<(), Error> {
    let in_use = ports_in_use(message);
    if in_use.is_empty() {
        return Ok(());
    }
    let in_use = in_use.join(", ");
    Err(Error::new(format!(
        "the extension ended before it registered, and {in_use}: end that process, or give the extension another port"
    )))
}

/// Waits until the connections of earlier boots are forgotten, which takes a minute. The kernel does not report that.
async fn time_wait_is_over(message: &str) {
    let deadline = Instant::now() + Duration::from_secs(90);
    while is_in_time_wait(message) && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Waits until no process listens there. One that was killed is not gone at once, and the kernel does not report when.
async fn port_is_free(address: SocketAddr) -> Result<(), Error> {
    let deadline = Instant::now() + Duration::from_secs(5);
    let second = Duration::from_secs(1);
    while let Ok(Ok(_)) = timeout(second, TcpStream::connect(address)).await {
        if Instant::now() > deadline {
            return Err(Error::new(format!(
                "what was killed still listens at {address}: it left its process group"
            )));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

impl From<&ProcessExit> for Exit {
    fn from(exit: &ProcessExit) -> Self {
        Self {
            status: exit.status,
            output: exit.stderr() + &exit.stdout(),
        }
    }
}
