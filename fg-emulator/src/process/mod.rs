//! The processes of an instance. Each runs in its own process group, and is frozen, thawed and stopped with the instance.

pub(crate) mod drain;
mod exit;
mod group_freeze;
pub(crate) mod guard;
mod output;
mod system;

use std::io::ErrorKind;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use self::guard::Marker;
use self::output::Output;
use crate::inner::Inner;
use crate::port::ExtensionPorts;
use crate::{Error, TelemetryType};

pub use self::exit::{ProcessExit, describe_exit};
pub use self::output::{OutputLine, OutputStream};

/// A process and its group, which are killed on drop.
pub(crate) struct Process {
    name: String,
    child: Child,
    group: Pid,
    output: Output,
    marker: Marker,
    inner: Arc<Inner>,
    /// When its exit was observed. The remaining processes of the group have then been killed.
    exited_at: Option<Instant>,
    _ports: ExtensionPorts,
}

impl Process {
    /// Starts the command. Each line that it prints becomes telemetry of the given type.
    pub(crate) async fn spawn(
        name: &str,
        mut command: Command,
        kind: TelemetryType,
        ports: ExtensionPorts,
        inner: &Arc<Inner>,
    ) -> Result<Self, Error> {
        let marker = inner.guard.marker(name);
        command
            .env(marker.variable, &marker.value)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // In its own group it does not receive a Ctrl-C from the terminal. The owner of the platform receives it, and
            // can shut the instance down cleanly.
            .process_group(0)
            .kill_on_drop(true);
        for (variable, port) in ports.variables() {
            command.env(variable, format!("{name}={port}"));
        }
        let mut child = spawn_child(&mut command)
            .await
            .map_err(Error::context(format!(
                "cannot start {} ({})",
                match kind {
                    TelemetryType::Function => "the function",
                    _ => name,
                },
                command.as_std().get_program().display()
            )))?;
        let id = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .unwrap_or_default();
        let output = Output::capture(&mut child, name, kind, inner)
            .map_err(Error::context(format!("cannot read the output of {name}")))?;
        let group = Pid::from_raw(id);
        inner.guard.add_group(group);
        Ok(Self {
            name: name.to_owned(),
            child,
            group,
            output,
            marker,
            inner: Arc::clone(inner),
            exited_at: None,
            _ports: ports,
        })
    }

    /// Returns the process ID while the process runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until the process exits by itself, then kills all processes that it has started.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub(crate) async fn wait(&mut self) -> Result<ExitStatus, Error> {
        let status = self
            .child
            .wait()
            .await
            .map_err(Error::context(format!("cannot wait for {}", self.name)))?;
        self.clean_up();
        Ok(status)
    }

    /// Returns whether the process has exited.
    pub(crate) fn has_exited(&mut self) -> Result<bool, Error> {
        let exited = self.child.try_wait();
        let exited = exited.map_err(Error::context(format!("cannot wait for {}", self.name)))?;
        if exited.is_some() {
            self.clean_up();
        }
        Ok(exited.is_some())
    }

    /// Completes when both output streams of the process have ended.
    pub(crate) fn poll_output_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.output.poll_end(cx)
    }

    /// Kills the process and its group. It can still be waited for.
    pub(crate) fn kill(&self) {
        if self.id().is_some() {
            self.signal(Signal::SIGKILL);
        }
    }

    /// Kills the remaining processes of the group, and those that left it. Must run immediately after the process was waited
    /// for, because the system may then reuse its ID.
    fn clean_up(&mut self) {
        if self.exited_at.is_none() {
            self.exited_at = Some(Instant::now());
            self.signal(Signal::SIGKILL);
            self.inner.guard.remove_group(self.group);
            self.marker.kill_all();
        }
    }

    /// Sends SIGTERM to the group, waits for the grace period, sends SIGKILL, and kills the processes that left the group.
    pub(crate) async fn stop(mut self, grace_period: Duration) -> Result<ProcessExit, Error> {
        let start = Instant::now();
        let exited = self.has_exited()?;
        let mut killed = false;
        if !exited {
            self.signal(Signal::SIGTERM);
            // A frozen process does not handle signals.
            self.signal(Signal::SIGCONT);
            killed = tokio::time::timeout(grace_period, self.wait())
                .await
                .is_err();
            if killed {
                self.signal(Signal::SIGKILL);
            }
        }
        let stop_duration = (!exited).then(|| start.elapsed());
        let status = self.wait().await?;
        let exited_at = self.exited_at.unwrap_or_else(Instant::now);
        let output = self.output.finish().await;
        Ok(ProcessExit {
            script: std::mem::take(&mut self.name),
            status,
            stop_duration,
            stop_requested_at: (!exited).then_some(start),
            exited_at,
            killed,
            output: output.lines,
            dropped_output_bytes: output.dropped,
        })
    }

    fn signal(&self, signal: Signal) {
        // An error means that the group has no processes left.
        if self.group.as_raw() > 0 {
            let _ = killpg(self.group, signal);
        }
    }
}

/// Spawns the command, and retries while the executable is busy.
///
/// Executing a newly written file fails with ETXTBSY while a process that another thread has forked still has the file open
/// for writing. That process closes it when it executes its own program, a moment later.
async fn spawn_child(command: &mut Command) -> std::io::Result<Child> {
    let mut retries = 0;
    loop {
        match command.spawn() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy && retries < 100 => {
                retries += 1;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            spawned => return spawned,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.clean_up();
    }
}
