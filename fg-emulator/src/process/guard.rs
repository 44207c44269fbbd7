//! The guard: kills the processes of an instance that left their group, or that remain after this program was killed.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Command;

use super::system::processes_with;
use crate::Error;

/// The environment variable that marks the processes of a platform.
const VARIABLE: &str = "FG_EMULATOR_PROCESS";

/// The shell script of the guard.
///
/// It reads from standard input which groups are added (`+`) and removed (`-`). The input ends when this program exits,
/// even if it is killed. Then the guard removes the temporary directory, kills the remaining groups, and kills all processes
/// with the marker in their environment, in any group.
///
/// It repeats the search, because a killed process remains visible for a moment, a process may start others during the
/// search, and the environment of a process that is just executing another program appears empty. Without `/proc`, it finds
/// no such processes.
const SCRIPT: &str = r#"
groups=
while read -r change group; do
    case $change in
        +) groups="$groups $group" ;;
        -) rest=
            for other in $groups; do
                [ "$other" = "$group" ] || rest="$rest $other"
            done
            groups=$rest ;;
    esac
done
rm -rf -- "$2"
for group in $groups; do
    kill -s KILL -- "-$group" 2>/dev/null
done
i=0
clear=0
while [ $i -lt 100 ] && [ $clear -lt 5 ]; do
    files=$(grep -ls "$1" /proc/[0-9]*/environ)
    if [ "$files" ]; then
        clear=0
        for file in $files; do
            id=${file#/proc/}
            kill -s KILL "${id%/environ}" 2>/dev/null
        done
    else
        clear=$((clear + 1))
        sleep 0.05
    fi
    i=$((i + 1))
done
"#;

/// The guard process, which kills the remaining processes of an instance when this program exits.
///
/// A parent-death signal is not an alternative: it needs unsafe code between fork and exec, it is sent when the spawning
/// thread exits, and it does not reach grandchildren.
pub(crate) struct Guard {
    id: String,
    stdin: Mutex<File>,
}

impl Guard {
    pub(crate) fn start(directory: &Path) -> Result<Self, Error> {
        let id = uuid::Uuid::new_v4().to_string();
        let context = || Error::context::<std::io::Error>("cannot start the process guard");
        let mut guard = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "fg-emulator-guard"])
            .arg(format!("{VARIABLE}={id}"))
            .arg(directory)
            // This program may itself run in an instance of another platform. The guard of that platform must not kill this
            // guard before it has cleaned up.
            .env_remove(VARIABLE)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // In its own group it does not receive signals that are sent to the group of this program, such as Ctrl-C.
            .process_group(0)
            .spawn()
            .map_err(context())?;
        let stdin = guard.stdin.take().ok_or(ErrorKind::BrokenPipe);
        let stdin = stdin.map_err(|kind| context()(kind.into()))?;
        Ok(Self {
            id,
            stdin: Mutex::new(stdin.into_owned_fd().map_err(context())?.into()),
        })
    }

    /// Adds a process group.
    pub(crate) fn add_group(&self, group: Pid) {
        self.send(format!("+ {group}\n"));
    }

    /// Removes a process group that has exited, because the system may reuse its ID.
    pub(crate) fn remove_group(&self, group: Pid) {
        self.send(format!("- {group}\n"));
    }

    fn send(&self, line: String) {
        let mut stdin = self.stdin.lock().unwrap_or_else(PoisonError::into_inner);
        // Ignore the error: if the guard was killed, there is nothing to update.
        let _ = stdin.write_all(line.as_bytes());
    }

    /// Returns the marker for the process with this name.
    pub(crate) fn marker(&self, name: &str) -> Marker {
        Marker {
            variable: VARIABLE,
            value: format!("{}/{name}", self.id),
        }
    }
}

/// An environment variable that identifies a process and its descendants, in any process group.
pub(crate) struct Marker {
    pub(super) variable: &'static str,
    pub(super) value: String,
}

impl Marker {
    /// Kills every process with the marker. Misses a process that is just executing another program, because its environment
    /// appears empty; the guard kills it later.
    pub(super) fn kill_all(&self) {
        let marker = format!("{}={}", self.variable, self.value);
        // Repeat the search, because a process may start another one during it.
        for _ in 0..100 {
            let marked = processes_with(marker.as_bytes());
            if marked.is_empty() {
                return;
            }
            for id in marked {
                let _ = kill(id, Signal::SIGKILL);
            }
        }
    }
}
