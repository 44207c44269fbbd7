//! Ports of the platform's range, shared out among the tests of a machine.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use crate::Error;

/// How long to wait for a port: longer than the tests of a suite, since they take turns.
const PATIENCE: Duration = Duration::from_secs(120);

/// A port from 8081 to 8090 that no other lease of any process has, until it is dropped.
///
/// [`Platform::boot_bin`](crate::Platform::boot_bin) takes one by itself; it is public for tests that start
/// an extension without a [`Platform`](crate::Platform), and must not get into the way of those that do.
#[derive(Debug)]
pub struct PortLease {
    port: u16,
    /// Locked; the lock ends with the file, also when the process is killed.
    _lock: File,
}

impl PortLease {
    /// The first port that is free. Blocks while others hold leases on all of them, two minutes at most.
    ///
    /// # Errors
    ///
    /// If there is none by then, other programs have all the ports, or there is no temporary folder to be had.
    pub fn take() -> Result<Self, Error> {
        take()
    }

    /// The number.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// [`take`](Self::take), on a thread that may block.
    pub(crate) async fn take_async() -> Result<Self, Error> {
        tokio::task::spawn_blocking(take)
            .await
            .map_err(Error::because("cannot lease a port"))?
    }
}

fn take() -> Result<PortLease, Error> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut others = false;
        for port in 8081..=8090 {
            let path = std::env::temp_dir().join(format!("fg-emulator-port-{port}.lock"));
            // To read is enough to lock: the file may be another user's.
            let lock = File::create(&path)
                .or_else(|_| File::open(&path))
                .map_err(Error::because(format!("cannot lease port {port}")))?;
            if lock.try_lock().is_err() {
                others = true;
            } else if is_free(port) {
                return Ok(PortLease { port, _lock: lock });
            }
        }
        if !others {
            return Err(Error::new(
                "ports 8081 to 8090 are all taken by other programs",
            ));
        }
        if Instant::now() > deadline {
            return Err(Error::new(format!(
                "ports 8081 to 8090 were all leased or taken for {PATIENCE:?}"
            )));
        }
        // There is no waiting for whichever of ten locks comes free first.
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
