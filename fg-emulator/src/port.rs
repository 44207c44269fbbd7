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
    /// For a telemetry extension, which has two ports, see [`take_pair`](Self::take_pair).
    ///
    /// # Errors
    ///
    /// If there is none by then, other programs have all the ports, or there is no temporary folder to be had.
    pub fn take() -> Result<Self, Error> {
        let [lease] = take_array()?;
        Ok(lease)
    }

    /// Two ports, both at once: whoever holds one while waiting for another can wait for somebody who does
    /// the same.
    ///
    /// ```
    /// # fn test() -> Result<(), fg_emulator::Error> {
    /// let (events, telemetry) = fg_emulator::PortLease::take_pair()?;
    /// assert_ne!(events.port(), telemetry.port());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`take`](Self::take).
    pub fn take_pair() -> Result<(Self, Self), Error> {
        let [first, second] = take_array()?;
        Ok((first, second))
    }

    /// The number.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// So many, on a thread that may block.
    pub(crate) async fn take_async(count: usize) -> Result<Vec<Self>, Error> {
        if count == 0 {
            return Ok(Vec::new());
        }
        tokio::task::spawn_blocking(move || take(count))
            .await
            .map_err(Error::because("cannot lease a port"))?
    }
}

fn take_array<const N: usize>() -> Result<[PortLease; N], Error> {
    // It cannot fail: as many come as are asked for.
    <[PortLease; N]>::try_from(take(N)?).map_err(|_| Error::new("cannot lease a port"))
}

/// All or nothing. One taker of the machine looks at a time, until it has what it needs: otherwise those who
/// need one port would for ever snatch it from those who need two.
fn take(count: usize) -> Result<Vec<PortLease>, Error> {
    let deadline = Instant::now() + PATIENCE;
    // There is no waiting for whichever of ten locks comes free first, nor for a lock with a deadline.
    let pause = || {
        std::thread::sleep(Duration::from_millis(10));
        if Instant::now() > deadline {
            return Err(Error::new(format!(
                "ports 8081 to 8090 were leased or taken for {PATIENCE:?}"
            )));
        }
        Ok(())
    };
    let turn = lock_file("turn")?;
    while turn.try_lock().is_err() {
        pause()?;
    }
    loop {
        let mut leases = Vec::new();
        let mut others = 0;
        for port in 8081..=8090 {
            let lock = lock_file(&port.to_string())?;
            if lock.try_lock().is_err() {
                others += 1;
            } else if is_free(port) {
                leases.push(PortLease { port, _lock: lock });
                if leases.len() == count {
                    return Ok(leases);
                }
            }
        }
        if leases.len() + others < count {
            return Err(Error::new(
                "ports 8081 to 8090 are all taken by other programs",
            ));
        }
        drop(leases);
        pause()?;
    }
}

fn lock_file(name: &str) -> Result<File, Error> {
    let path = std::env::temp_dir().join(format!("fg-emulator-port-{name}.lock"));
    // To read is enough to lock: the file may be another user's.
    File::create(&path)
        .or_else(|_| File::open(&path))
        .map_err(Error::because(format!(
            "cannot lease a port ({})",
            path.display()
        )))
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
