//! No process outlives the platform: not one that left its group, and not if we are killed.

use std::fs;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{ChildStdin, Command};

use crate::Error;

/// A variable of every process that a platform starts, by which it is found again.
const VARIABLE: &str = "FG_EMULATOR_PROCESS";

/// What the guard runs. The end of its standard input is ours, however it comes about. Whoever is marked is killed,
/// with the group that it leads, in which may be some that have forgotten the mark. A process that has just been
/// killed is seen for a moment longer; one that starts others is outrun.
const SCRIPT: &str = r#"
read -r _
i=0
while [ $i -lt 100 ]; do
    files=$(grep -ls "$1" /proc/[0-9]*/environ)
    [ "$files" ] || break
    for file in $files; do
        id=${file#/proc/}
        id=${id%/environ}
        kill -s KILL -- "-$id" "$id" 2>/dev/null
    done
    i=$((i + 1))
done
"#;

/// A process that kills what is left when we are gone.
///
/// A parent-death signal would need code that runs between fork and exec, which is unsafe, and it would come
/// with the end of a thread and reach no grandchildren.
pub(crate) struct Guard {
    id: String,
    _stdin: Option<ChildStdin>,
}

impl Guard {
    pub(crate) fn start() -> Result<Self, Error> {
        let id = uuid::Uuid::new_v4().to_string();
        let mut guard = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "fg-emulator-guard"])
            .arg(format!("{VARIABLE}={id}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // What is sent to our own group, as by Ctrl-C, is not for it.
            .process_group(0)
            .spawn()
            .map_err(Error::because("cannot start the guard of the processes"))?;
        Ok(Self {
            id,
            _stdin: guard.stdin.take(),
        })
    }

    /// The variable that marks the process of this name.
    pub(crate) fn mark(&self, name: &str) -> (&'static str, String) {
        (VARIABLE, format!("{}/{name}", self.id))
    }
}

/// Kills whatever has the mark, in whichever group it is.
pub(crate) fn sweep((variable, value): &(&'static str, String)) {
    let mark = format!("{variable}={value}");
    // A process that is about to start another one is outrun, too.
    for _ in 0..100 {
        let marked = marked(mark.as_bytes());
        if marked.is_empty() {
            return;
        }
        for id in marked {
            let _ = kill(id, Signal::SIGKILL);
        }
    }
}

fn marked(mark: &[u8]) -> Vec<Pid> {
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
                .any(|variable| variable == mark)
                .then(|| Pid::from_raw(id))
        })
        .collect()
}
