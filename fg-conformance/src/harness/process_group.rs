//! [`ProcessGroup`]: the processes of the extension, and what they use, in `/proc`.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use fg_emulator::RegisteredExtension;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use procfs::net::TcpState;
use procfs::process::{FDTarget, MMapPath, Process, all_processes};
use procfs::{ProcError, ProcResult};

use crate::port_owner::tcp_entries;

/// How far the heap of a JavaScript runtime may grow without a leak, in bytes: a Node extension grew by 32 MB in 20,000 events, and
/// no further.
const SCRIPT_HEAP_SLACK: u64 = 64_000_000;

/// The processes of the start script's process group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProcessGroup(i32);

/// What the processes of a group use in total.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Usage {
    /// Resident memory that does not belong to a file, in bytes.
    pub(crate) memory: u64,
    pub(crate) threads: u64,
    /// Open file descriptors, including sockets.
    pub(crate) descriptors: u64,
    pub(crate) sockets: u64,
}

impl ProcessGroup {
    pub(crate) fn of(registered: &RegisteredExtension) -> Option<Self> {
        let id = i32::try_from(registered.pid?).ok()?;
        Some(Self(id))
    }

    /// Sends a signal to all processes.
    pub(crate) fn signal_all(self, signal: Signal) -> Result<(), String> {
        let sent = killpg(Pid::from_raw(self.0), signal);
        sent.map_err(|error| format!("cannot send {signal}: {error}"))
    }

    /// Sends a signal only to the process of the start script.
    pub(crate) fn signal_leader(self, signal: Signal) -> Result<(), String> {
        let sent = kill(Pid::from_raw(self.0), signal);
        sent.map_err(|error| format!("cannot send {signal}: {error}"))
    }

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
    pub(crate) fn names(self) -> Vec<String> {
        let members = self.members().unwrap_or_default().into_iter();
        members
            .filter_map(|process| {
                Some(format!(
                    "{} (pid {})",
                    process.stat().ok()?.comm,
                    process.pid
                ))
            })
            .collect()
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

    /// Returns how far the heap may grow although there is no leak, because a garbage collector may wait that long, in bytes.
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
