//! Ports of the platform's range, shared out among the tests of a machine.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};

use crate::Error;

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
    /// The first port that is free. Blocks while others hold leases on all of them.
    ///
    /// # Errors
    ///
    /// If other programs have all the ports, or there is no temporary folder to be had.
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
    let cannot = || Error::because::<std::io::Error>("cannot lease a port from 8081 to 8090");
    loop {
        let mut leased = None;
        for port in 8081..=8090 {
            let path = std::env::temp_dir().join(format!("fg-emulator-port-{port}.lock"));
            // To read is enough to lock: the file may be another user's.
            let lock = File::create(&path)
                .or_else(|_| File::open(&path))
                .map_err(cannot())?;
            if lock.try_lock().is_err() {
                leased = Some(lock);
            } else if is_free(port) {
                return Ok(PortLease { port, _lock: lock });
            }
        }
        match leased {
            Some(lock) => lock.lock().map_err(cannot())?,
            None => {
                return Err(Error::new(
                    "ports 8081 to 8090 are all taken by other programs",
                ));
            }
        }
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
