//! No process outlives the platform: not one that left its group, and not if we are killed.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Command;

use crate::Error;

/// A variable of every process that a platform starts, by which it is found again.
const VARIABLE: &str = "FG_EMULATOR_PROCESS";

/// What the guard runs. It reads which groups begin and end; its standard input ends when we do, however that
/// comes about. Then the folder is removed, and the groups are killed, and whoever has the mark, in whichever group it is. A
/// process that has just been killed is seen for a moment longer; one that starts others is outrun.
/// One that is executing another program at this moment shows no environment, so the guard looks several times.
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

/// A process that kills what is left when we are gone.
///
/// A parent-death signal would need code that runs between fork and exec, which is unsafe, and it would come
/// with the end of a thread and reach no grandchildren.
pub(crate) struct Guard {
    id: String,
    stdin: Mutex<File>,
}

impl Guard {
    pub(crate) fn start(folder: &Path) -> Result<Self, Error> {
        let id = uuid::Uuid::new_v4().to_string();
        let cannot = || Error::because::<std::io::Error>("cannot start the guard of the processes");
        let mut guard = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "fg-emulator-guard"])
            .arg(format!("{VARIABLE}={id}"))
            .arg(folder)
            // We may be the process of a platform ourselves: its guard must not kill ours before ours has done its work.
            .env_remove(VARIABLE)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // What is sent to our own group, as by Ctrl-C, is not for it.
            .process_group(0)
            .spawn()
            .map_err(cannot())?;
        let stdin = guard.stdin.take().ok_or(ErrorKind::BrokenPipe);
        let stdin = stdin.map_err(|kind| cannot()(kind.into()))?;
        Ok(Self {
            id,
            stdin: Mutex::new(stdin.into_owned_fd().map_err(cannot())?.into()),
        })
    }

    /// Adds a group that has begun.
    pub(crate) fn add_group(&self, group: Pid) {
        self.send(format!("+ {group}\n"));
    }

    /// Removes a group that has ended: its number may become another's.
    pub(crate) fn remove_group(&self, group: Pid) {
        self.send(format!("- {group}\n"));
    }

    fn send(&self, line: String) {
        let mut stdin = self.stdin.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody may have killed the guard: then nobody guards.
        let _ = stdin.write_all(line.as_bytes());
    }

    /// Returns the marker for the process of this name.
    pub(crate) fn marker(&self, name: &str) -> Marker {
        Marker {
            variable: VARIABLE,
            value: format!("{}/{name}", self.id),
        }
    }
}

/// A variable in the environment of a process and of its children, by which they are found in whichever group they are.
pub(crate) struct Marker {
    pub(super) variable: &'static str,
    pub(super) value: String,
}

impl Marker {
    /// Kills every process that has the marker. One that is executing another program at this moment shows no environment,
    /// and is left to the guard.
    pub(super) fn kill_all(&self) {
        let marker = format!("{}={}", self.variable, self.value);
        // A process that is about to start another one is outrun, too.
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

fn processes_with(marker: &[u8]) -> Vec<Pid> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    processes
        .filter_map(|process| {
            let process = process.ok()?;
            let id = process.file_name().to_str()?.parse().ok()?;
            // Another user's cannot be read, and is not ours; a dead one has none.
            let environment = fs::read(process.path().join("environ")).ok()?;
            let mut variables = environment.split(|byte| *byte == 0);
            variables
                .any(|variable| variable == marker)
                .then(|| Pid::from_raw(id))
        })
        .collect()
}
