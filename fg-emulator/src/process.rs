//! Extensions as processes: booted under their script names, their output captured, stopped as a group.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::Error;
use crate::platform::Shared;
use crate::port::PortLease;

/// Of each stream, so much output is kept; what comes then is shown to the observer only, and counted.
const KEPT_BYTES: usize = 1024 * 1024;

/// What to boot, and how.
#[derive(Debug)]
pub struct Boot {
    pub(crate) script: String,
    program: PathBuf,
    environment: BTreeMap<OsString, OsString>,
    lease_port: bool,
    lease_telemetry_port: bool,
}

impl Boot {
    /// The executable `program`, under the script name `script`, as in `extensionHello.sh`.
    ///
    /// It inherits the environment, with the platform's variables added.
    pub fn new(script: impl Into<String>, program: impl Into<PathBuf>) -> Self {
        Self {
            script: script.into(),
            program: program.into(),
            environment: BTreeMap::new(),
            lease_port: false,
            lease_telemetry_port: false,
        }
    }

    /// Sets a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Gives it a free port, through `FG_EXTENSION_PORT`, so that tests can run side by side.
    #[must_use]
    pub fn lease_port(mut self) -> Self {
        self.lease_port = true;
        self
    }

    /// Gives it a free port for telemetry, through `FG_TELEMETRY_PORT`.
    ///
    /// Together with [`lease_port`](Self::lease_port) it gets both ports at once, so that tests that need
    /// two do not wait for each other.
    #[must_use]
    pub fn lease_telemetry_port(mut self) -> Self {
        self.lease_telemetry_port = true;
        self
    }
}

/// The ports of one extension, each with the variable that it goes by.
#[derive(Debug)]
pub(crate) struct Leases(Vec<(&'static str, PortLease)>);

impl Leases {
    /// What the boot asks for, all of it at once.
    pub(crate) async fn take(boot: &Boot) -> Result<Self, Error> {
        let asked = [
            ("FG_EXTENSION_PORT", boot.lease_port),
            ("FG_TELEMETRY_PORT", boot.lease_telemetry_port),
        ];
        let variables: Vec<_> = asked
            .into_iter()
            .filter_map(|(variable, asked)| asked.then_some(variable))
            .collect();
        let leases = PortLease::take_async(variables.len()).await?;
        Ok(Self(variables.into_iter().zip(leases).collect()))
    }
}

/// One line that an extension printed.
#[derive(Clone, Debug)]
pub struct Line {
    /// The extension's script name.
    pub script: String,
    /// Where it printed it.
    pub stream: Stream,
    /// Without the line break; what is not UTF-8 is replaced.
    pub text: String,
}

/// Where an extension prints.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How an extension ended.
#[derive(Debug)]
pub struct Stopped {
    /// Its script name.
    pub script: String,
    /// What its process left.
    pub status: ExitStatus,
    /// From the request to end to the end; zero if it ended by itself.
    pub took: Duration,
    /// Whether it outlasted the grace and was killed.
    pub killed: bool,
    /// What it printed, the first MiB of each stream.
    pub output: Vec<Line>,
    /// How many bytes of output were not kept.
    pub output_dropped: usize,
}

impl Stopped {
    /// Whether it ended in order: by itself, with exit status 0.
    #[must_use]
    pub fn clean(&self) -> bool {
        self.status.success() && !self.killed
    }

    /// The lines that it printed there, each with its line break.
    #[must_use]
    pub fn printed(&self, stream: Stream) -> String {
        let lines = self.output.iter().filter(|line| line.stream == stream);
        lines.flat_map(|line| [line.text.as_str(), "\n"]).collect()
    }
}

/// An extension's process, and its group. Dropped, it is killed.
pub(crate) struct Process {
    script: String,
    child: Child,
    group: Pid,
    readers: Vec<JoinHandle<()>>,
    output: Arc<Mutex<Output>>,
    _leases: Leases,
}

#[derive(Default)]
struct Output {
    lines: Vec<Line>,
    kept: [usize; 2],
    dropped: usize,
}

impl Process {
    pub(crate) fn start(
        boot: &Boot,
        folder: &Path,
        leases: Leases,
        shared: &Arc<Shared>,
    ) -> Result<Self, Error> {
        let script = write_script(boot, folder)?;
        // By way of the shell: to execute a file that was just written fails (ETXTBSY) for as long as a process
        // that another thread is about to start still holds it open.
        let mut command = Command::new("/bin/sh");
        command
            .arg(&script)
            .env("EXTENSION_API_ADDR", shared.address.to_string())
            .env("RUNTIME_FUNC_NAME", &shared.function_name)
            .env("RUNTIME_FUNC_VERSION", &shared.function_version)
            .envs(&boot.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own: Ctrl-C in a terminal is for us, who then end it in order.
            .process_group(0)
            .kill_on_drop(true);
        for (variable, lease) in &leases.0 {
            command.env(variable, format!("{}={}", boot.script, lease.port()));
        }
        let mut child = command.spawn().map_err(Error::because(format!(
            "cannot start {} ({})",
            boot.script,
            script.display()
        )))?;
        let id = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .unwrap_or_default();
        let output = Arc::new(Mutex::new(Output::default()));
        let mut readers = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            readers.push(capture(stdout, Stream::Stdout, boot, &output, shared));
        }
        if let Some(stderr) = child.stderr.take() {
            readers.push(capture(stderr, Stream::Stderr, boot, &output, shared));
        }
        Ok(Self {
            script: boot.script.clone(),
            child,
            group: Pid::from_raw(id),
            readers,
            output,
            _leases: leases,
        })
    }

    /// Waits until it ends by itself.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when this is dropped unfinished.
    pub(crate) async fn wait(&mut self) -> Result<ExitStatus, Error> {
        self.child
            .wait()
            .await
            .map_err(Error::because(format!("cannot wait for {}", self.script)))
    }

    /// SIGTERM, and after the grace SIGKILL; to the whole group, so that nothing is left of it.
    pub(crate) async fn stop(mut self, grace: Duration) -> Result<Stopped, Error> {
        let start = Instant::now();
        let ended = self
            .child
            .try_wait()
            .map_err(Error::because(format!("cannot wait for {}", self.script)))?
            .is_some();
        let mut killed = false;
        if !ended {
            self.signal(Signal::SIGTERM);
            if tokio::time::timeout(grace, self.child.wait())
                .await
                .is_err()
            {
                killed = true;
            }
        }
        let took = if ended {
            Duration::ZERO
        } else {
            start.elapsed()
        };
        self.signal(Signal::SIGKILL);
        let status = self.wait().await?;
        // The streams end with the last process that has them; one that left the group is not waited for.
        for reader in self.readers.drain(..) {
            let _ = tokio::time::timeout(Duration::from_secs(1), reader).await;
        }
        let output =
            std::mem::take(&mut *self.output.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(Stopped {
            script: std::mem::take(&mut self.script),
            status,
            took,
            killed,
            output: output.lines,
            output_dropped: output.dropped,
        })
    }

    fn signal(&self, signal: Signal) {
        // An empty group is as good as a signalled one.
        if self.group.as_raw() > 0 {
            let _ = killpg(self.group, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Once the leader was waited for, its number may be another's.
        if self.child.id().is_some() {
            self.signal(Signal::SIGKILL);
        }
    }
}

/// The package's folder as the platform unpacks it: `extension/<script>` (D 2705).
fn write_script(boot: &Boot, folder: &Path) -> Result<PathBuf, Error> {
    let program = fs::canonicalize(&boot.program).map_err(Error::because(format!(
        "cannot find {}",
        boot.program.display()
    )))?;
    let folder = folder.join("extension");
    let script = folder.join(&boot.script);
    let quoted = program.to_string_lossy().replace('\'', r"'\''");
    let cannot = || Error::because::<std::io::Error>(format!("cannot write {}", script.display()));
    fs::create_dir_all(&folder).map_err(cannot())?;
    fs::write(&script, format!("#!/bin/sh\nexec '{quoted}'\n")).map_err(cannot())?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).map_err(cannot())?;
    Ok(script)
}

fn capture(
    stream: impl AsyncRead + Unpin + Send + 'static,
    which: Stream,
    boot: &Boot,
    output: &Arc<Mutex<Output>>,
    shared: &Arc<Shared>,
) -> JoinHandle<()> {
    let (script, output, shared) = (boot.script.clone(), Arc::clone(output), Arc::clone(shared));
    tokio::spawn(async move {
        let mut reader = BufReader::new(stream);
        let mut bytes = Vec::new();
        while let Ok(1..) = reader.read_until(b'\n', &mut bytes).await {
            let text =
                String::from_utf8_lossy(bytes.strip_suffix(b"\n").unwrap_or(&bytes)).into_owned();
            let line = Line {
                script: script.clone(),
                stream: which,
                text,
            };
            shared.printed(line.clone());
            output
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .keep(line);
            bytes.clear();
        }
    })
}

impl Output {
    fn keep(&mut self, line: Line) {
        let kept = &mut self.kept[usize::from(line.stream == Stream::Stderr)];
        if *kept + line.text.len() > KEPT_BYTES {
            self.dropped += line.text.len() + 1;
        } else {
            *kept += line.text.len() + 1;
            self.lines.push(line);
        }
    }
}
