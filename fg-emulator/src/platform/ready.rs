//! Waits until an extension serves its port.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{BOOT_TIMEOUT, GRACE_PERIOD, Platform};
use crate::{Error, describe_exit};

/// The pause before another attempt, if the extension closed the connection without accepting it, which happens when it
/// exits.
const RETRY_PAUSE: Duration = Duration::from_millis(10);

impl Platform {
    /// Waits until a registered extension serves its port.
    ///
    /// An extension may register, and then take some time to initialize; [`boot`](Self::boot) returns before that. This
    /// method opens a connection to the registered address, sends nothing, and waits until the extension closes it. What it
    /// observes is therefore that the extension accepts connections. An extension that uses `fg-extension` does so when
    /// `#[init]` has returned: connections that arrive earlier wait in the listen backlog. Other extensions may accept
    /// connections before they are initialized. The platform itself does not connect in this way.
    ///
    /// ```no_run
    /// # async fn test() -> Result<(), fg_emulator::Error> {
    /// use fg_emulator::Platform;
    ///
    /// let platform = Platform::start().await?;
    /// platform.boot_bin("extensionHello.sh", "target/debug/hello").await?;
    /// platform.wait_until_ready("extensionHello.sh").await?;
    /// // `#[init]` has returned.
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if no extension with this name is registered, if it does not serve its port within 15 seconds, or if
    /// it exits first. In the last case the source of the error is what the program printed, [`Error::process_exit`] returns
    /// how it exited, and [`shutdown`](Self::shutdown) does not report it again.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub async fn wait_until_ready(&self, script: &str) -> Result<(), Error> {
        self.inner.or_observer_panic(self.ready(script)).await
    }

    async fn ready(&self, script: &str) -> Result<(), Error> {
        let Some(registration) = self.inner.state().registration(script) else {
            return Err(Error::new(format!(
                "cannot wait for {script}: it is not registered; boot it first"
            )));
        };
        let address = registration.address;
        let served = async {
            while !accepts(address).await {
                if self.has_exited(script)? {
                    return Ok(false);
                }
                tokio::time::sleep(RETRY_PAUSE).await;
            }
            Ok(true)
        };
        match tokio::time::timeout(BOOT_TIMEOUT, served).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(self.exit_before_ready(script).await?),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(Error::new(format!(
                "{script} did not serve {address} within {BOOT_TIMEOUT:?} after its registration"
            ))),
        }
    }

    fn has_exited(&self, script: &str) -> Result<bool, Error> {
        match self.processes().get_mut(script) {
            Some(process) => process.has_exited(),
            // It was attached, so its exit cannot be observed.
            None => Ok(false),
        }
    }

    /// Removes the extension, and returns the error that says how it exited.
    async fn exit_before_ready(&self, script: &str) -> Result<Error, Error> {
        let process = self.processes().remove(script);
        self.inner.update(|state| state.remove_extension(script));
        let Some(process) = process else {
            return Ok(Error::new(format!("{script} exited before it was ready")));
        };
        let exit = process.stop(GRACE_PERIOD).await?;
        let how = describe_exit(exit.status);
        let message = format!("{script} {how} before it was ready");
        Ok(self.inner.exit_error(message, exit))
    }
}

/// Returns whether a process accepted a connection: it closed it in order, or sent something.
async fn accepts(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address).await else {
        return false;
    };
    // The end of the input makes the server close the connection. If the process exits instead, the connection is reset.
    stream.shutdown().await.is_ok() && stream.read(&mut [0]).await.is_ok()
}
