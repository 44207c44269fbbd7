//! The processes of an instance: each is started in a group of its own, frozen, thawed and stopped with the instance.

mod exit;
mod freeze;
pub(crate) mod guard;
mod output;

use std::io::ErrorKind;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use self::guard::Marker;
use self::output::Output;
use crate::inner::Inner;
use crate::port::ExtensionPorts;
use crate::{Error, TelemetryType};

pub use self::exit::ProcessExit;
pub use self::output::{OutputLine, OutputStream};

/// A process, and its group. Dropped, it is killed.
pub(crate) struct Process {
    name: String,
    child: Child,
    group: Pid,
    output: Output,
    marker: Marker,
    inner: Arc<Inner>,
    /// Whether what was left of the group is killed.
    cleaned_up: bool,
    _ports: ExtensionPorts,
}

impl Process {
    /// Starts the command; each line that it prints is telemetry of that kind.
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
            // A group of its own: Ctrl-C in a terminal is for us, who then end it in order.
            .process_group(0)
            .kill_on_drop(true);
        for (variable, port) in ports.variables() {
            command.env(variable, format!("{name}={port}"));
        }
        let mut child = spawn_child(&mut command)
            .await
            .map_err(Error::because(format!(
                "cannot start {name} ({})",
                command.as_std().get_program().display()
            )))?;
        let id = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .unwrap_or_default();
        let output = Output::capture(&mut child, name, kind, inner);
        let group = Pid::from_raw(id);
        inner.guard.add_group(group);
        Ok(Self {
            name: name.to_owned(),
            child,
            group,
            output,
            marker,
            inner: Arc::clone(inner),
            cleaned_up: false,
            _ports: ports,
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
        self.clean_up();
        Ok(status)
    }

    /// Kills what is left of the group, or has left it. At once, since a number may become another's when its
    /// process was waited for.
    fn clean_up(&mut self) {
        if !self.cleaned_up {
            self.cleaned_up = true;
            self.signal(Signal::SIGKILL);
            self.inner.guard.remove_group(self.group);
            self.marker.kill_all();
        }
    }

    /// SIGTERM, and after the grace period SIGKILL; to the whole group, and to what left it, so that nothing stays.
    pub(crate) async fn stop(mut self, grace_period: Duration) -> Result<ProcessExit, Error> {
        let start = Instant::now();
        let exited = self.id().is_none()
            || self
                .child
                .try_wait()
                .map_err(Error::because(format!("cannot wait for {}", self.name)))?
                .is_some();
        let mut killed = false;
        if !exited {
            self.signal(Signal::SIGTERM);
            // What is frozen does not see the signal.
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
        let output = self.output.finish().await;
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
async fn spawn_child(command: &mut Command) -> std::io::Result<Child> {
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
        self.clean_up();
    }
}
