//! Freezes and thaws a process group.

use std::time::Duration;

use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};

use super::Process;

impl Process {
    /// Stops the whole group, and waits until the process has stopped.
    pub(crate) fn freeze(&self) {
        if self.id().is_some() {
            self.signal(Signal::SIGSTOP);
            // A stop is reported within a moment, with one exception: the process is in `vfork`, and its child is stopped
            // before it resumes its parent. Then neither runs, but no stop is reported. So the wait has a limit.
            let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
            for _ in 0..100 {
                match waitid(Id::Pid(self.group), flags) {
                    Ok(WaitStatus::StillAlive) => std::thread::sleep(Duration::from_millis(1)),
                    // Stopped, or exited.
                    _ => break,
                }
            }
        }
    }

    /// Resumes a frozen group.
    pub(crate) fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }
}
