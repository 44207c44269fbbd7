//! [`ProcessGroup`]: the processes of the extension. `system` reads what they use.

use fg_emulator::RegisteredExtension;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// The processes of the start script's process group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProcessGroup(pub(crate) i32);

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
}
