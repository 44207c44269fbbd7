//! Processes of the instance: started in a group of their own, frozen, thawed and stopped with it.

use std::io::ErrorKind;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use crate::boot::Leases;
use crate::guard;
use crate::output::{Output, OutputLine, OutputStream};
use crate::shared::Shared;
use crate::{Error, TelemetryType};

/// How the process of an extension, or of the function, exited.
#[derive(Debug)]
#[non_exhaustive]
pub struct ProcessExit {
    /// Its script name; `bootstrap` for a function.
    pub script: String,
    /// Its exit status.
    pub status: ExitStatus,
    /// From SIGTERM to the exit; `None` if it exited by itself.
    pub stop_duration: Option<Duration>,
    /// Whether it outlasted the grace period and was killed.
    pub killed: bool,
    /// What it printed, the first MiB of each stream.
    pub output: Vec<OutputLine>,
    /// How many bytes of output were not kept.
    pub dropped_output_bytes: usize,
}

impl ProcessExit {
    /// Whether it shut down cleanly: with exit status 0, without being killed.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.status.success() && !self.killed
    }

    /// Returns what it printed on standard output, each line with its line break.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.lines_of(OutputStream::Stdout)
    }

    /// Returns what it printed on standard error, each line with its line break.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.lines_of(OutputStream::Stderr)
    }

    fn lines_of(&self, stream: OutputStream) -> String {
        let lines = self.output.iter().filter(|line| line.stream == stream);
        lines.flat_map(|line| [line.text.as_str(), "\n"]).collect()
    }
}

/// A process, and its group. Dropped, it is killed.
pub(crate) struct Process {
    name: String,
    child: Child,
    group: Pid,
    output: Output,
    mark: (&'static str, String),
    shared: Arc<Shared>,
    /// Whether the group is dealt with.
    gone: bool,
    _leases: Leases,
}

impl Process {
    /// Starts the command; each line that it prints is telemetry of that kind.
    pub(crate) async fn start(
        name: &str,
        mut command: Command,
        kind: TelemetryType,
        leases: Leases,
        shared: &Arc<Shared>,
    ) -> Result<Self, Error> {
        let mark = shared.guard.mark(name);
        command
            .env(mark.0, &mark.1)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own: Ctrl-C in a terminal is for us, who then end it in order.
            .process_group(0)
            .kill_on_drop(true);
        for (variable, port) in leases.variables() {
            command.env(variable, format!("{name}={port}"));
        }
        let mut child = spawn(&mut command).await.map_err(Error::because(format!(
            "cannot start {name} ({})",
            command.as_std().get_program().display()
        )))?;
        let id = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .unwrap_or_default();
        let output = Output::capture(&mut child, name, kind, shared);
        let group = Pid::from_raw(id);
        shared.guard.begins(group);
        Ok(Self {
            name: name.to_owned(),
            child,
            group,
            output,
            mark,
            shared: Arc::clone(shared),
            gone: false,
            _leases: leases,
        })
    }

    /// Its number, while it runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until it ends by itself; whatever it has started ends with it.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when this is dropped unfinished.
    pub(crate) async fn wait(&mut self) -> Result<ExitStatus, Error> {
        let status = self
            .child
            .wait()
            .await
            .map_err(Error::because(format!("cannot wait for {}", self.name)))?;
        self.clear();
        Ok(status)
    }

    /// Kills what is left of the group, or has left it. At once, since a number may become another's when its
    /// process was waited for.
    fn clear(&mut self) {
        if !self.gone {
            self.gone = true;
            self.signal(Signal::SIGKILL);
            self.shared.guard.ends(self.group);
            guard::sweep(&self.mark);
        }
    }

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

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// SIGTERM, and after the grace SIGKILL; to the whole group, and to what left it, so that nothing stays.
    pub(crate) async fn stop(mut self, grace: Duration) -> Result<ProcessExit, Error> {
        let start = Instant::now();
        let ended = self.id().is_none()
            || self
                .child
                .try_wait()
                .map_err(Error::because(format!("cannot wait for {}", self.name)))?
                .is_some();
        let mut killed = false;
        if !ended {
            self.signal(Signal::SIGTERM);
            // What is frozen does not see the signal.
            self.signal(Signal::SIGCONT);
            killed = tokio::time::timeout(grace, self.wait()).await.is_err();
            if killed {
                self.signal(Signal::SIGKILL);
            }
        }
        let stop_duration = (!ended).then(|| start.elapsed());
        let status = self.wait().await?;
        let output = self.output.end().await;
        Ok(ProcessExit {
            script: std::mem::take(&mut self.name),
            status,
            stop_duration,
            killed,
            output: output.lines,
            dropped_output_bytes: output.dropped,
        })
    }

    fn signal(&self, signal: Signal) {
        // An empty group is as good as a signalled one.
        if self.group.as_raw() > 0 {
            let _ = killpg(self.group, signal);
        }
    }
}

/// A file that was just written cannot be executed (ETXTBSY) for as long as a process that another thread is about
/// to start still holds it open, which is no longer than a moment.
async fn spawn(command: &mut Command) -> std::io::Result<Child> {
    let mut tries = 0;
    loop {
        match command.spawn() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy && tries < 100 => {
                tries += 1;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            spawned => return spawned,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.clear();
    }
}
