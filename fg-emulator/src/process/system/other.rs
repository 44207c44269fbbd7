//! Processes on systems other than Linux, such as macOS. This is for development only: the platform runs Linux.

use std::process::Command;
use std::time::Duration;

use nix::unistd::Pid;

/// Returns no processes: other systems do not show the environment of a process. So a process that leaves its group and
/// outlives the extension is not killed.
pub(in crate::process) fn processes_with(_marker: &[u8]) -> Vec<Pid> {
    Vec::new()
}

/// Waits until a child that received SIGSTOP has stopped or exited.
///
/// nix has no `waitid` here, and `waitpid` would also collect the exit status, which tokio waits for.
pub(in crate::process) fn wait_until_stopped(child: Pid) {
    for _ in 0..100 {
        let output = Command::new("ps")
            .args(["-o", "state=", "-p", &child.to_string()])
            .output();
        let Ok(output) = output else { break };
        match output.stdout.trim_ascii().first() {
            Some(b'T' | b'Z') | None => break,
            Some(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}
