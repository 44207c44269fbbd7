//! Freezing a process and its group, and thawing it.

use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};

use super::Process;

impl Process {
    /// Stops the whole group, as a platform that gives it no CPU.
    pub(crate) fn freeze(&self) {
        if self.id().is_some() {
            self.signal(Signal::SIGSTOP);
            // It takes effect in a moment. Not if it was just about to start a child, by vfork, which is stopped before
            // it lets go of its parent: then neither runs, and nobody reports.
            let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
            for _ in 0..100 {
                match waitid(Id::Pid(self.group), flags) {
                    Ok(WaitStatus::StillAlive) => std::thread::sleep(Duration::from_millis(1)),
                    // Also if it has ended.
                    _ => break,
                }
            }
        }
    }

    /// Lets a frozen group run again.
    pub(crate) fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }
}
