//! Freezes and thaws a process group.

use nix::sys::signal::Signal;

use super::Process;
use super::system::wait_until_stopped;

impl Process {
    /// Stops the whole group, and waits until the process has stopped.
    pub(crate) fn freeze(&self) {
        if self.id().is_some() {
            self.signal(Signal::SIGSTOP);
            wait_until_stopped(self.group);
        }
    }

    /// Resumes a frozen group.
    pub(crate) fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }
}
