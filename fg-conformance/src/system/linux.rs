//! Linux: processes and sockets in `/proc`.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Uid;
use procfs::net::{TcpNetEntry, TcpState};
use procfs::process::{FDTarget, MMapPath, Process, all_processes};
use procfs::{ProcError, ProcResult};

use crate::harness::{ProcessGroup, Usage};
use crate::port_owner::PortOwner;

/// How far the heap of a JavaScript runtime may grow without a leak, in bytes: a Node extension grew by 32 MB in 20,000 events, and
/// no further.
const SCRIPT_HEAP_SLACK: u64 = 64_000_000;

/// Returns whether connections of an exited process block the port.
pub(crate) fn has_time_wait_connection(port: u16) -> bool {
    let is_time_wait = |entry: &TcpNetEntry| {
        entry.local_address.port() == port && entry.state == TcpState::TimeWait
    };
    tcp_entries().any(|entry| is_time_wait(&entry))
}

/// Iterates over all TCP sockets of this network namespace.
fn tcp_entries() -> impl Iterator<Item = TcpNetEntry> {
    let tables = [procfs::net::tcp(), procfs::net::tcp6()];
    tables.into_iter().filter_map(Result::ok).flatten()
}

/// Returns the process that listens on this port of 127.0.0.1. Returns `None` if the port is free.
pub(crate) fn owner(port: u16) -> Option<PortOwner> {
    let (mut sockets, mut is_ours) = (Vec::new(), false);
    for entry in tcp_entries().filter(|entry| uses_port(entry, port)) {
        sockets.push(entry.inode);
        is_ours |= entry.uid == Uid::effective().as_raw();
    }
    if sockets.is_empty() {
        return None;
    }
    let process = all_processes()
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .find(|process| owns_any_socket(process, &sockets));
    // The open files of another user's process are not visible, so no process may be found.
    let process = process.map(|process| {
        let name = process.stat().map(|stat| stat.comm);
        let name = name.unwrap_or_else(|_| "a process".to_owned());
        (name, process.pid)
    });
    // If the process is this user's but was not found, it has just exited.
    (process.is_some() || !is_ours).then_some(PortOwner { process })
}

/// Returns whether the socket listens on this port of 127.0.0.1 or of all addresses.
fn uses_port(entry: &TcpNetEntry, port: u16) -> bool {
    let ip = entry.local_address.ip().to_canonical();
    let is_ours = ip.is_unspecified() || ip.is_loopback();
    entry.state == TcpState::Listen && entry.local_address.port() == port && is_ours
}

fn owns_any_socket(process: &Process, sockets: &[u64]) -> bool {
    process.fd().into_iter().flatten().any(
        |file| matches!(file, Ok(file) if matches!(file.target, FDTarget::Socket(inode) if sockets.contains(&inode))),
    )
}

impl ProcessGroup {
    /// Returns the processes that are still running. Those that have exited and are not reaped do not count.
    fn members(self) -> ProcResult<Vec<Process>> {
        // A process that has just exited cannot be read.
        let processes = all_processes()?.filter_map(Result::ok);
        let members = processes.filter(|process| {
            let stat = process.stat();
            stat.is_ok_and(|stat| stat.pgrp == self.0 && !matches!(stat.state, 'Z' | 'X'))
        });
        Ok(members.collect())
    }

    /// Returns the names of the processes that are still running.
    pub(crate) fn names(self) -> ProcResult<Vec<String>> {
        let names = self.members()?.into_iter().filter_map(|process| {
            Some(format!(
                "{} (pid {})",
                process.stat().ok()?.comm,
                process.pid
            ))
        });
        Ok(names.collect())
    }

    /// Returns the sum of the peak resident sizes, in bytes.
    pub(crate) fn peak_resident_bytes(self) -> ProcResult<u64> {
        let mut kilobytes = 0;
        for process in self.members()? {
            match process.status() {
                Ok(status) => kilobytes += status.vmhwm.unwrap_or_default(),
                // The process has just exited.
                Err(ProcError::NotFound(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(kilobytes * 1024)
    }

    /// Returns the CPU time that the processes have used so far.
    pub(crate) fn cpu_time(self) -> ProcResult<Duration> {
        let mut ticks = 0;
        for process in self.members()? {
            let stat = process.stat()?;
            ticks += stat.utime + stat.stime;
        }
        let milliseconds = ticks.saturating_mul(1000) / procfs::ticks_per_second();
        Ok(Duration::from_millis(milliseconds))
    }

    /// Returns whether the process of the start script has a handler for SIGTERM.
    pub(crate) fn leader_handles_sigterm(self) -> bool {
        let mask = Process::new(self.0).and_then(|process| Ok(process.status()?.sigcgt));
        mask.is_ok_and(|mask| mask & (1 << (Signal::SIGTERM as u32 - 1)) != 0)
    }

    /// Returns whether the process of the start script has started others, instead of executing the program.
    pub(crate) fn has_children(self) -> bool {
        self.members().is_ok_and(|members| members.len() > 1)
    }

    /// Returns how far the heap may grow without a leak, because a garbage collector may wait that long, in bytes.
    pub(crate) fn heap_slack(self) -> u64 {
        let members = self.members().unwrap_or_default().into_iter();
        let maps = members.filter_map(|process| process.maps().ok()).flatten();
        maps.map(|map| match &map.pathname {
            MMapPath::Path(path) => heap_slack_of(path),
            _ => 0,
        })
        .max()
        .unwrap_or_default()
    }

    /// Returns what the processes use.
    pub(crate) fn usage(self) -> ProcResult<Usage> {
        let mut usage = Usage::default();
        for process in self.members()? {
            let status = process.status()?;
            usage.memory += status.rssanon.unwrap_or_default() * 1024;
            usage.threads += status.threads;
            for file in process.fd()?.filter_map(Result::ok) {
                usage.descriptors += 1;
                usage.sockets += u64::from(matches!(file.target, FDTarget::Socket(_)));
            }
        }
        Ok(usage)
    }

    /// Returns the TCP addresses on which the processes listen, in order.
    pub(crate) fn listening(self) -> ProcResult<BTreeSet<SocketAddr>> {
        let mut sockets = BTreeSet::new();
        for process in self.members()? {
            for file in process.fd()?.filter_map(Result::ok) {
                if let FDTarget::Socket(inode) = file.target {
                    sockets.insert(inode);
                }
            }
        }
        let listening = tcp_entries()
            .filter(|entry| entry.state == TcpState::Listen && sockets.contains(&entry.inode));
        Ok(listening.map(|entry| entry.local_address).collect())
    }
}

/// Returns how far the heap of a runtime may grow without a leak, by the path of its program or library.
fn heap_slack_of(path: &Path) -> u64 {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match &*name {
        // These let the heap grow to a part of the machine's memory.
        "libjvm.so" | "libcoreclr.so" => u64::MAX,
        // The young generation of V8 grows to three times 16 MB.
        "node" | "nodejs" | "deno" | "bun" => SCRIPT_HEAP_SLACK,
        name if name.starts_with("libnode.so") => SCRIPT_HEAP_SLACK,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};

    use super::{has_time_wait_connection, owner};

    #[test]
    fn the_process_of_a_listener_is_found() {
        for address in ["127.0.0.1:0", "0.0.0.0:0", "[::]:0"] {
            let Ok(listener) = TcpListener::bind(address) else {
                // This machine has no IPv6.
                assert_eq!(address, "[::]:0");
                continue;
            };
            let port = listener.local_addr().unwrap().port();
            let owner = owner(port).unwrap().to_string();
            let id = format!("(pid {})", std::process::id());
            assert!(owner.ends_with(&id), "{owner}");
        }
    }

    #[test]
    fn a_connection_closed_by_its_server_is_in_time_wait() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut client = TcpStream::connect(address).unwrap();
        let (server, _) = listener.accept().unwrap();
        drop(listener);
        assert!(!has_time_wait_connection(address.port()));
        drop(server);
        // The server has closed its side by now, and the client closes last.
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        drop(client);
        assert!(has_time_wait_connection(address.port()));
    }

    #[test]
    fn a_port_that_nobody_listens_on_has_no_owner() {
        // Port 1 is never used; a free port of the range may be taken by another test at any time.
        assert_eq!(owner(1), None);
    }
}
