//! Processes on Linux: `/proc` and `waitid`.

use std::fs;
use std::time::Duration;

use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

/// Returns the processes whose environment contains this variable, as in `NAME=VALUE`.
pub(in crate::process) fn processes_with(marker: &[u8]) -> Vec<Pid> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .filter_map(|process| {
            let process = process.ok()?;
            let id = process.file_name().to_str()?.parse().ok()?;
            // The environment of another user's process cannot be read, and that of an exited process is empty. Neither
            // belongs to this platform.
            let environment = fs::read(process.path().join("environ")).ok()?;
            let mut variables = environment.split(|byte| *byte == 0);
            variables
                .any(|variable| variable == marker)
                .then(|| Pid::from_raw(id))
        })
        .collect()
}

/// Waits until a child that received SIGSTOP has stopped or exited.
///
/// A stop is reported within a moment, with one exception: the process is in `vfork`, and its child is stopped before it
/// resumes its parent. Then neither runs, but no stop is reported. So the wait has a limit.
pub(in crate::process) fn wait_until_stopped(child: Pid) {
    let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
    for _ in 0..100 {
        match waitid(Id::Pid(child), flags) {
            Ok(WaitStatus::StillAlive) => std::thread::sleep(Duration::from_millis(1)),
            // Stopped, or exited.
            _ => break,
        }
    }
}
