//! [`Harness`]: boots the extension repeatedly, each time on a new platform.

mod call_recorder;
pub(crate) mod client;
mod process_group;
pub(crate) mod read_only;
mod received;

use std::collections::BTreeMap;
use std::error::Error as _;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::process::ExitStatus;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fg_emulator::{
    ExtensionCommand, Faults, Platform, ProcessExit, RegisteredExtension, describe_exit,
};
use nix::errno::Errno;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

pub(crate) use self::call_recorder::{CallRecorder, MAX_STDERR_LINES, Recorded};
pub(crate) use self::process_group::{ProcessGroup, Usage};
use self::read_only::ReadOnly;
pub(crate) use self::received::clients_without_unread_data;
use crate::Error;
use crate::extension_under_test::PreparedExtension;
use crate::port_owner::{is_in_time_wait, ports_in_use, reports_port_in_use};

/// How long to wait for another registration or for the exit of an extension that is not registered. Some extensions pause
/// for 5 seconds between retries.
pub(crate) const QUIET_PERIOD: Duration = Duration::from_secs(8);

/// Boots one extension repeatedly.
pub(crate) struct Harness<'a> {
    pub(crate) extension: &'a PreparedExtension,
    on_notice: &'a (dyn Fn(&str) + Send + Sync),
    /// The address of the extension, known after its first registration.
    address: OnceLock<SocketAddr>,
}

/// A boot and its result.
pub(crate) struct Booted {
    pub(crate) platform: Platform,
    pub(crate) recorder: Arc<CallRecorder>,
    pub(crate) start: Start,
}

/// The result of a start.
#[derive(Debug)]
pub(crate) enum Start {
    Registered(RegisteredExtension),
    /// The extension exited before it was registered.
    Exited(Exit),
    /// The extension is running, but not registered.
    Unregistered,
    /// The system does not execute the start script of the ZIP, for this reason.
    NotExecutable(String),
}

impl Start {
    /// Returns the extension if it registered.
    ///
    /// # Errors
    ///
    /// Returns what it did instead, as the end of a sentence about the extension.
    pub(crate) fn registered(&self) -> Result<&RegisteredExtension, String> {
        match self {
            Self::Registered(registered) => Ok(registered),
            Self::Exited(exit) => Err(format!(
                "{} before it registered",
                describe_exit(exit.status)
            )),
            Self::Unregistered => Err("did not register".to_owned()),
            Self::NotExecutable(why) => Err(format!("cannot execute the start script: {why}")),
        }
    }
}

/// How a process exited.
#[derive(Debug)]
pub(crate) struct Exit {
    pub(crate) status: ExitStatus,
    /// What it printed to both streams.
    output: String,
}

/// How a booted extension is stopped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum StopMode {
    /// SIGTERM, then SIGKILL after the grace period.
    Graceful,
    /// SIGKILL, for an extension that is known to handle SIGTERM slowly.
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

    /// Boots the extension, and waits until it is registered, has exited, or no longer retries.
    pub(crate) async fn boot(&self, faults: Faults) -> Result<Booted, Error> {
        self.boot_command(faults, || self.extension.command()).await
    }

    /// Boots the extension with the settings of the user in `RUNTIME_USERDATA` only.
    pub(crate) async fn boot_with_user_data_only(&self) -> Result<Booted, Error> {
        let command = || self.extension.command_with_user_data_only();
        self.boot_command(Faults::default(), command).await
    }

    /// Returns the address of the first registration.
    pub(crate) fn first_address(&self) -> Option<SocketAddr> {
        self.address.get().copied()
    }

    /// Boots the extension in a mount namespace in which only `/tmp` is writable.
    pub(crate) async fn boot_read_only(&self, read_only: &ReadOnly) -> Result<Booted, Error> {
        let command = || read_only.wrap(self.extension.command());
        self.boot_command(Faults::default(), command).await
    }

    async fn boot_command(
        &self,
        faults: Faults,
        command: impl Fn() -> ExtensionCommand,
    ) -> Result<Booted, Error> {
        let is_package = self.extension.directory().is_some();
        let user_data = self.extension.user_data();
        let booted = boot_once(faults.clone(), user_data, command(), is_package).await?;
        let exit = match &booted.start {
            Start::Exited(exit) if booted.recorder.recorded().requests.is_empty() => exit,
            Start::Registered(registered) => {
                self.address.get_or_init(|| registered.address);
                return Ok(booted);
            }
            _ => return Ok(booted),
        };
        let message = match self.address.get() {
            // The output may not name the port, but it is known from an earlier boot.
            Some(address) if reports_port_in_use(&exit.output) => address.to_string(),
            _ => exit.output.clone(),
        };
        expect_free_port(&message)?;
        // Connections of the previous boot can block the port. The real platform boots an extension only once.
        if !is_in_time_wait(&message) {
            return Ok(booted);
        }
        (self.on_notice)(
            "waiting up to 90 s for connections of the previous boot to leave TIME_WAIT; set SO_REUSEADDR on the \
             listener of the extension to avoid this",
        );
        wait_until_time_wait_is_over(&message).await;
        boot_once(faults, user_data, command(), is_package).await
    }
}

/// Returns why the system does not execute a start script, if that is the fault of the script.
fn not_executable(error: &fg_emulator::Error) -> Option<String> {
    let reason: &std::io::Error = error.source()?.downcast_ref()?;
    let is_fault_of_script = matches!(
        reason.kind(),
        ErrorKind::PermissionDenied | ErrorKind::NotFound
    ) || reason.raw_os_error() == Some(Errno::ENOEXEC as i32);
    is_fault_of_script.then(|| reason.to_string())
}

async fn boot_once(
    faults: Faults,
    user_data: &BTreeMap<String, String>,
    command: ExtensionCommand,
    is_package: bool,
) -> Result<Booted, Error> {
    let recorder = Arc::new(CallRecorder::default());
    let observer = Arc::clone(&recorder);
    let builder = Platform::builder()
        .observer(move |event| observer.observe(event))
        .faults(faults);
    let builder = user_data.iter().fold(builder, |builder, (name, value)| {
        builder.user_data(name, value)
    });
    let platform = builder.start().await?;
    let booted = tokio::select! {
        biased;
        booted = platform.boot(command) => Some(booted),
        () = recorder.until_quiet(QUIET_PERIOD) => None,
    };
    let start = match booted {
        None => Start::Unregistered,
        Some(Ok(registered)) => Start::Registered(registered),
        Some(Err(error)) => match error.process_exit() {
            Some(exit) if exit.stop_duration.is_none() => Start::Exited(Exit::from(exit)),
            Some(_) => Start::Unregistered,
            // The process could not be started.
            None => match not_executable(&error) {
                Some(reason) if is_package => Start::NotExecutable(reason),
                _ => return Err(error.into()),
            },
        },
    };
    Ok(Booted {
        platform,
        recorder,
        start,
    })
}

impl Booted {
    /// Stops the extension, and waits until its port is free.
    pub(crate) async fn stop(self, mode: StopMode) -> Result<(), Error> {
        // The platform does not shut down an extension that is not registered.
        if mode == StopMode::Graceful && matches!(self.start, Start::Registered(_)) {
            self.platform.shutdown().await?;
            return Ok(());
        }
        let address = self.recorder.recorded().address();
        drop(self.platform);
        if let Some(address) = address {
            wait_until_port_is_free(address).await?;
        }
        Ok(())
    }
}

/// Returns an error if another process uses the port, because that is not a fault of the extension.
fn expect_free_port(message: &str) -> Result<(), Error> {
    let in_use = ports_in_use(message);
    if in_use.is_empty() {
        return Ok(());
    }
    let in_use = in_use.join(", ");
    Err(Error::new(format!(
        "the extension exited before it registered, and {in_use}; stop that process, or use another port"
    )))
}

/// Polls until connections of earlier boots have left TIME_WAIT, which takes a minute. The kernel sends no notification.
async fn wait_until_time_wait_is_over(message: &str) {
    let deadline = Instant::now() + Duration::from_secs(90);
    while is_in_time_wait(message) && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Polls until no process listens on the address. A killed process takes a moment to exit, and the kernel sends no
/// notification.
async fn wait_until_port_is_free(address: SocketAddr) -> Result<(), Error> {
    let deadline = Instant::now() + Duration::from_secs(5);
    let second = Duration::from_secs(1);
    while let Ok(Ok(_)) = timeout(second, TcpStream::connect(address)).await {
        if Instant::now() > deadline {
            return Err(Error::new(format!(
                "a process of the extension still listens on {address} after SIGKILL: it has left its process group"
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
