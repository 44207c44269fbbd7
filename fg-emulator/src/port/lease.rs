//! [`PortLease`]: reserves ports with file locks, so that tests on the same machine do not conflict.

use std::fs::File;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use tokio::net::TcpSocket;

use super::{FIRST_PORT, LAST_PORT, PORT_RANGE};
use crate::Error;

/// How long to wait for a port. The tests of a suite wait for each other, so this is longer than a whole suite takes.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(120);
/// The pause between two attempts.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// A lease of a port from 8081 to 8090. Until it is dropped, no other lease in any process on the machine has this port.
///
/// [`Platform::boot_bin`](crate::Platform::boot_bin) and
/// [`ExtensionCommand::lease_port`](crate::ExtensionCommand::lease_port) lease a port themselves. Use this type in a test
/// that starts an extension without a [`Platform`](crate::Platform), so that it does not take the port of another test.
#[derive(Debug)]
pub struct PortLease {
    port: u16,
    /// Holds the lock. The operating system releases it when the file is closed, even if the process is killed.
    _lock: File,
}

impl PortLease {
    /// Leases the first free port. If all ports are leased, blocks the thread until one is released, for at most two
    /// minutes.
    ///
    /// A telemetry extension with two ports must use [`acquire_pair`](Self::acquire_pair) instead.
    ///
    /// # Errors
    ///
    /// Returns an error if no port becomes free within two minutes, if programs without a lease use all ports, or if the
    /// lock files cannot be created in the temporary directory.
    pub fn acquire() -> Result<Self, Error> {
        let [lease] = acquire_array()?;
        Ok(lease)
    }

    /// Leases two ports at once. Two separate calls of [`acquire`](Self::acquire) could deadlock with another test that
    /// also holds one port and waits for a second one.
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
    /// See [`acquire`](Self::acquire).
    pub fn acquire_pair() -> Result<(Self, Self), Error> {
        let [first, second] = acquire_array()?;
        Ok((first, second))
    }

    /// Returns the port number, from 8081 to 8090.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Acquires the lease of this port, without blocking the thread. Another program may use the port nevertheless.
    pub(crate) async fn acquire_port(port: u16) -> Result<Self, Error> {
        let lock = lock_file(&port.to_string())?;
        let deadline = Instant::now() + ACQUIRE_TIMEOUT;
        while lock.try_lock().is_err() {
            if Instant::now() > deadline {
                return Err(Error::new(format!(
                    "cannot lease port {port}: it was leased for {ACQUIRE_TIMEOUT:?}"
                )));
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Ok(Self { port, _lock: lock })
    }

    /// Acquires `count` ports at once, without blocking the thread.
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
    // The conversion cannot fail: `acquire` returns exactly `N` leases.
    <[PortLease; N]>::try_from(acquire(N)?).map_err(|_| Error::new("cannot lease a port"))
}

/// Acquires `count` ports at once. Blocks the thread until they are free.
fn acquire(count: usize) -> Result<Vec<PortLease>, Error> {
    let mut attempt = Attempt::new(count)?;
    loop {
        match attempt.poll()? {
            Some(leases) => return Ok(leases),
            None => std::thread::sleep(POLL_INTERVAL),
        }
    }
}

/// An attempt to acquire leases.
///
/// Only one attempt on the machine searches for free ports at a time: the one that holds the lock `turn`. Otherwise,
/// attempts for one port would starve attempts for two. The attempt polls, because waiting for a file lock has no timeout,
/// and there is no way to wait for the first of ten locks.
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

    /// Returns the leases, or `None` while too few ports are free.
    fn poll(&mut self) -> Result<Option<Vec<PortLease>>, Error> {
        self.has_turn = self.has_turn || self.turn.try_lock().is_ok();
        if self.has_turn
            && let Some(leases) = free_ports(self.count)?
        {
            return Ok(Some(leases));
        }
        if Instant::now() > self.deadline {
            return Err(Error::new(format!(
                "cannot lease a port: ports {FIRST_PORT} to {LAST_PORT} were leased or in use for {ACQUIRE_TIMEOUT:?}"
            )));
        }
        Ok(None)
    }
}

fn free_ports(count: usize) -> Result<Option<Vec<PortLease>>, Error> {
    let mut leases = Vec::new();
    let mut leased = 0;
    for port in PORT_RANGE {
        let lock = lock_file(&port.to_string())?;
        if lock.try_lock().is_err() {
            leased += 1;
        } else if is_free(port) {
            leases.push(PortLease { port, _lock: lock });
            if leases.len() == count {
                return Ok(Some(leases));
            }
        }
    }
    if leases.len() + leased < count {
        return Err(Error::new(format!(
            "cannot lease a port: ports {FIRST_PORT} to {LAST_PORT} are in use by other programs"
        )));
    }
    Ok(None)
}

fn lock_file(name: &str) -> Result<File, Error> {
    let path = std::env::temp_dir().join(format!("fg-emulator-port-{name}.lock"));
    // Another user may own the file. It can be locked even if it is only open for reading.
    File::create(&path)
        .or_else(|_| File::open(&path))
        .map_err(Error::context(format!(
            "cannot lease a port ({})",
            path.display()
        )))
}

/// Returns whether the port is free, by binding a socket to it.
///
/// The socket does not listen: a process that another thread forks at this moment inherits it until it executes its
/// program, and a listening socket would keep the port in use after this function returns.
pub(crate) fn is_free(port: u16) -> bool {
    let bind = || {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind((Ipv4Addr::LOCALHOST, port).into())
    };
    bind().is_ok()
}
