//! [`Platform`], the entry point of the crate. Its methods are in submodules, grouped by topic.

mod boot_sequence;
mod builder;
mod freeze;
mod invoke;
mod ready;
mod shutdown;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::function::Bootstrap;
use crate::inner::Inner;
use crate::process::Process;
use crate::{Error, Faults};

pub(crate) use self::boot_sequence::BOOT_TIMEOUT;
pub use self::boot_sequence::RegisteredExtension;
pub use self::builder::PlatformBuilder;
pub(crate) use self::shutdown::GRACE_PERIOD;
pub use self::shutdown::ShutdownReport;

/// An emulated FunctionGraph with one instance: one function, and its extensions.
///
/// The function has the name, version and URN of the example in the platform's documentation: `helloWorld`, `$LATEST`,
/// and `sn:cn:yrk:1111:function:0@test@hello:latest`.
///
/// [`shutdown`](Self::shutdown) shuts the processes of the instance down and reports how they exited. Dropping the
/// platform kills them. They are killed as well if the program that owns the platform is killed.
///
/// # Panics
///
/// If the [observer](PlatformBuilder::observer) has panicked, the async methods panic with the same message, and so does
/// dropping the platform. Therefore an assertion that fails in an observer always fails the test.
pub struct Platform {
    pub(crate) inner: Arc<Inner>,
    directory: TempDir,
    processes: Mutex<BTreeMap<String, Process>>,
    function: Mutex<Option<Arc<Bootstrap>>>,
    /// Locked while the instance is frozen or thawed, so that processes, state and events agree if both happen at once.
    freezing: Mutex<()>,
    server: JoinHandle<()>,
    delivery: JoinHandle<()>,
}

impl Platform {
    /// Starts a platform without an observer and without faults. Its API listens on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no free port, if no temporary directory can be created, or if `/bin/sh` cannot be
    /// started.
    ///
    /// # Panics
    ///
    /// Panics if the tokio runtime does not have I/O and time enabled (`enable_all`).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it completes, no platform is started, and the port is released.
    pub async fn start() -> Result<Self, Error> {
        Self::builder().start().await
    }

    /// Returns a builder for a platform with an observer or with faults.
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

    /// Returns the address of the extension API, which extensions read from `EXTENSION_API_ADDR`.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.inner.address
    }

    /// Returns the environment variables that the platform sets for every process of the instance: `EXTENSION_API_ADDR`, and
    /// those that are documented for functions (D functiongraph_01_0154; I: extensions have them, too).
    ///
    /// These are `RUNTIME_PROJECT_ID`, `RUNTIME_FUNC_NAME`, `RUNTIME_FUNC_VERSION`, `RUNTIME_PACKAGE`, `RUNTIME_HANDLER`,
    /// `RUNTIME_TIMEOUT`, `RUNTIME_MEMORY`, `RUNTIME_CPU`, `RUNTIME_CODE_ROOT`, `RUNTIME_LOG_DIR`, and, if they were set,
    /// `RUNTIME_USERDATA` ([`user_data`](PlatformBuilder::user_data)) and `RUNTIME_INITIALIZER_TIMEOUT`
    /// ([`init_timeout`](PlatformBuilder::init_timeout)). `RUNTIME_CODE_ROOT` is a link to the directory of the `bootstrap`;
    /// before one is booted, and for a synthetic function, it is an empty directory.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        self.inner.environment()
    }

    /// Replaces the faults that the platform injects.
    ///
    /// The new ones apply from the next opportunity: those of registrations to later registrations, and those of events and
    /// telemetry to invocations that start later. Opportunities are counted again, so `freeze*1` injects a freeze once more.
    /// `Faults::default()` injects none.
    ///
    /// ```no_run
    /// # async fn test(platform: fg_emulator::Platform) -> Result<(), fg_emulator::Error> {
    /// use fg_emulator::Faults;
    ///
    /// platform.set_faults(Faults::parse("event-duplicate", 42)?);
    /// platform.invoke().await?.assert_ok(); // the event is posted twice
    /// platform.set_faults(Faults::default());
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_faults(&self, faults: Faults) {
        self.inner.faults.replace(faults);
    }

    fn bootstrap(&self) -> Option<Arc<Bootstrap>> {
        self.lock_function().clone()
    }

    fn lock_function(&self) -> MutexGuard<'_, Option<Arc<Bootstrap>>> {
        self.function.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_freezing(&self) -> MutexGuard<'_, ()> {
        self.freezing.lock().unwrap_or_else(PoisonError::into_inner)
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
