//! The platform, as a test has it: the methods by what they are about.

mod boot_sequence;
mod builder;
mod freeze;
mod invoke;
mod shutdown;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::Error;
use crate::function::Bootstrap;
use crate::inner::Inner;
use crate::process::Process;

pub(crate) use self::boot_sequence::BOOT_TIMEOUT;
pub use self::boot_sequence::RegisteredExtension;
pub use self::builder::PlatformBuilder;
pub use self::shutdown::ShutdownReport;

/// A FunctionGraph with one instance of one function, and its extensions.
///
/// The function is the page's example: its name, version and URN are what the documentation shows.
/// Dropping the platform kills what it booted; [`shutdown`](Self::shutdown) stops it in order. When the program
/// is killed that has it, nothing of the instance stays either.
///
/// # Panics
///
/// The methods that wait panic if the [observer](PlatformBuilder::observer) has panicked, and so does dropping the
/// platform. A test whose observer has a failed assertion fails in this way, whatever it does next.
pub struct Platform {
    pub(crate) inner: Arc<Inner>,
    folder: TempDir,
    processes: Mutex<BTreeMap<String, Process>>,
    function: Mutex<Option<Arc<Bootstrap>>>,
    server: JoinHandle<()>,
    delivery: JoinHandle<()>,
}

impl Platform {
    /// Starts a platform, on a free port.
    ///
    /// # Errors
    ///
    /// If there is no free port, no temporary folder, or no `/bin/sh`.
    ///
    /// # Panics
    ///
    /// On a tokio runtime without I/O and time (`enable_all`).
    ///
    /// # Cancel safety
    ///
    /// When this is dropped unfinished there is no platform, and its port is free again.
    pub async fn start() -> Result<Self, Error> {
        Self::builder().start().await
    }

    /// Returns a builder, for a platform with an observer or with faults.
    ///
    /// ```no_run
    /// # async fn test() -> Result<(), fg_emulator::Error> {
    /// use fg_emulator::{Faults, Platform};
    ///
    /// let faults = Faults::parse("register-503,event-duplicate=0.5", 42)?;
    /// let platform = Platform::builder()
    ///     .faults(faults)
    ///     .observer(|event| println!("{event:?}"))
    ///     .start()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn builder() -> PlatformBuilder {
        PlatformBuilder::default()
    }

    /// Returns the registration API's address, as `EXTENSION_API_ADDR` has it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.inner.address
    }

    /// Returns the variables that every process of the instance gets.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        self.inner.environment()
    }

    fn bootstrap(&self) -> Option<Arc<Bootstrap>> {
        self.lock_function().clone()
    }

    fn lock_function(&self) -> MutexGuard<'_, Option<Arc<Bootstrap>>> {
        self.function.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn processes(&self) -> MutexGuard<'_, BTreeMap<String, Process>> {
        self.processes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Platform")
            .field("address", &self.inner.address)
            .finish_non_exhaustive()
    }
}
