//! Leases of the platform's ports, by file locks, so that the tests of a machine do not conflict.

use std::fs::File;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use tokio::net::TcpSocket;

use super::{FIRST_PORT, LAST_PORT, PORT_RANGE};
use crate::Error;

/// How long to wait for a port: longer than the tests of a suite, since they take turns.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(120);
/// The pause between two attempts.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

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
    /// Leases the first port that is free. Blocks the thread while others hold leases on all of them, two minutes at most.
    ///
    /// For a telemetry extension, which has two ports, see [`acquire_pair`](Self::acquire_pair).
    ///
    /// # Errors
    ///
    /// If there is none by then, other programs have all the ports, or there is no temporary folder to be had.
    pub fn acquire() -> Result<Self, Error> {
        let [lease] = acquire_array()?;
        Ok(lease)
    }

    /// Leases two ports, both at once: whoever holds one while waiting for another can wait for somebody who does
    /// the same.
    ///
    /// ```
    /// # fn test() -> Result<(), fg_emulator::Error> {
    /// let (events, telemetry) = fg_emulator::PortLease::acquire_pair()?;
    /// assert_ne!(events.port(), telemetry.port());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    pub fn acquire_pair() -> Result<(Self, Self), Error> {
        let [first, second] = acquire_array()?;
        Ok((first, second))
    }

    /// Returns the number of the port, 8081 to 8090.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Acquires so many ports at once, without blocking.
    pub(crate) async fn acquire_async(count: usize) -> Result<Vec<Self>, Error> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut attempt = Attempt::new(count)?;
        loop {
            match attempt.poll()? {
                Some(leases) => return Ok(leases),
                None => tokio::time::sleep(POLL_INTERVAL).await,
            }
        }
    }
}

fn acquire_array<const N: usize>() -> Result<[PortLease; N], Error> {
    // It cannot fail: as many come as are asked for.
    <[PortLease; N]>::try_from(acquire(N)?).map_err(|_| Error::new("cannot lease a port"))
}

/// Acquires so many ports at once; blocks until they are free.
fn acquire(count: usize) -> Result<Vec<PortLease>, Error> {
    let mut attempt = Attempt::new(count)?;
    loop {
        match attempt.poll()? {
            Some(leases) => return Ok(leases),
            None => std::thread::sleep(POLL_INTERVAL),
        }
    }
}

/// An attempt to acquire leases. One attempt of the machine at a time, the one that holds the lock `turn`, looks for free
/// ports: otherwise those that need one port would starve those that need two. A file lock cannot be awaited with a
/// deadline, nor can whichever of ten locks comes free first, so the attempt polls.
struct Attempt {
    count: usize,
    deadline: Instant,
    turn: File,
    has_turn: bool,
}

impl Attempt {
    fn new(count: usize) -> Result<Self, Error> {
        Ok(Self {
            count,
            deadline: Instant::now() + ACQUIRE_TIMEOUT,
            turn: lock_file("turn")?,
            has_turn: false,
        })
    }

    /// Returns all the leases that it needs, or `None` as long as there are too few.
    fn poll(&mut self) -> Result<Option<Vec<PortLease>>, Error> {
        self.has_turn = self.has_turn || self.turn.try_lock().is_ok();
        if self.has_turn
            && let Some(leases) = free_ports(self.count)?
        {
            return Ok(Some(leases));
        }
        if Instant::now() > self.deadline {
            return Err(Error::new(format!(
                "ports {FIRST_PORT} to {LAST_PORT} were leased or taken for {ACQUIRE_TIMEOUT:?}"
            )));
        }
        Ok(None)
    }
}

fn free_ports(count: usize) -> Result<Option<Vec<PortLease>>, Error> {
    let mut leases = Vec::new();
    let mut others = 0;
    for port in PORT_RANGE {
        let lock = lock_file(&port.to_string())?;
        if lock.try_lock().is_err() {
            others += 1;
        } else if is_free(port) {
            leases.push(PortLease { port, _lock: lock });
            if leases.len() == count {
                return Ok(Some(leases));
            }
        }
    }
    if leases.len() + others < count {
        return Err(Error::new(format!(
            "ports {FIRST_PORT} to {LAST_PORT} are all taken by other programs"
        )));
    }
    Ok(None)
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

/// Without listening on it: a process that another thread starts at this moment has our descriptors until it
/// executes its program, and who listens is in the way of whoever gets the lease.
fn is_free(port: u16) -> bool {
    let bind = || {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind((Ipv4Addr::LOCALHOST, port).into())
    };
    bind().is_ok()
}
