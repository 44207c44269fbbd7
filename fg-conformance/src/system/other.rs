//! Systems other than Linux, such as macOS. What they do not report is an error, and the case that needs it is skipped.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::NEEDS_LINUX;
use crate::harness::{ProcessGroup, Usage};
use crate::port_owner::PortOwner;

/// How long it may take to connect to this machine.
const CONNECTS_WITHIN: Duration = Duration::from_millis(200);

type Unknown<T> = Result<T, &'static str>;

/// Returns whether connections of an exited process block the port, which is unknown here.
pub(crate) fn has_time_wait_connection(_port: u16) -> bool {
    false
}

/// Returns what listens on this port of 127.0.0.1, without its name. Returns `None` if the port is free.
pub(crate) fn owner(port: u16) -> Option<PortOwner> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let connection = TcpStream::connect_timeout(&address, CONNECTS_WITHIN);
    connection.is_ok().then_some(PortOwner { process: None })
}

// The same methods as on Linux.
#[expect(clippy::unused_self, reason = "they read the processes on Linux")]
impl ProcessGroup {
    pub(crate) fn names(self) -> Unknown<Vec<String>> {
        Err(NEEDS_LINUX)
    }

    pub(crate) fn peak_resident_bytes(self) -> Unknown<u64> {
        Err(NEEDS_LINUX)
    }

    pub(crate) fn cpu_time(self) -> Unknown<Duration> {
        Err(NEEDS_LINUX)
    }

    pub(crate) fn leader_handles_sigterm(self) -> bool {
        false
    }

    pub(crate) fn has_children(self) -> bool {
        false
    }

    pub(crate) fn heap_slack(self) -> u64 {
        0
    }

    pub(crate) fn usage(self) -> Unknown<Usage> {
        Err(NEEDS_LINUX)
    }

    pub(crate) fn listening(self) -> Unknown<BTreeSet<SocketAddr>> {
        Err(NEEDS_LINUX)
    }
}
