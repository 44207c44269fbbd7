//! The arguments of `cargo fg dev`.

use std::fs::File;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, bail};
use fg_emulator::{Faults, ScriptName};

use super::environment_args::EnvironmentArgs;
use super::source_args::SourceArgs;
use super::values::{OutputFormat, duration, timeout};
use crate::boot::{BootSet, ExtensionSource};
use crate::cargo::BuildTarget;
use crate::dev::{
    self, DevEvent, DevPlan, FaultSpec, InstanceConfig, Output, OutputStyle, RealFunction, Rebuild,
    Recorder, Recording, RecordingHeader, Schedule,
};
use crate::journal::Journal;
use crate::listen_port;
use crate::signals::ShutdownSignals;
use crate::ui::{PagePort, export};

/// The time between two invocations if no keys can be pressed.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(1);

/// The port of an HTTP function (D functiongraph_01_1442).
const HTTP_FUNCTION_PORT: u16 = 8000;

/// The time to remove temporary files after a signal.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(1);

const AFTER_HELP: &str = "\
On a terminal, `dev` invokes the function once, and then waits for keys (? lists
them) and for `cargo fg invoke`. It draws a timeline of each invocation, with a
bar for the function, each extension, and each telemetry delivery. Without a
terminal, there are no keys and no timelines, and `dev` invokes the function
once a second.

When a source file is saved, `dev` builds and boots the extension again, unless
--invocations, --replay or --attach is given.

With --attach, the script name is that of --script, of the package, or of --zip.

With --ui, the page can do what keys do, and `dev` waits for it: the function is
invoked once after each boot. With --invocations or --replay, the page stays
after the last invocation until Ctrl-C.

The exit status is 1 if an invocation of --invocations or --replay fails, if an
extension does not shut down cleanly, or if one exits unexpectedly or cannot
receive telemetry while `dev` neither watches files, nor reads keys, nor serves
a page.";

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct DevArgs {
    #[command(flatten)]
    pub(super) source: SourceArgs,
    /// Boot another extension on the same instance: a package, or extensionOther.sh=COMMAND (repeatable)
    #[arg(long, value_name = "EXTENSION", value_parser = also_source)]
    also: Vec<ExtensionSource>,
    /// Stop after N invocations, sent one after the other
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    invocations: Option<u64>,
    /// Time between invocations, such as 200ms (default with --invocations: 0s; without a terminal and --ui: 1s)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    interval: Option<Duration>,
    /// Run a real function, the bootstrap of a custom runtime (default: a synthetic function)
    #[arg(long, value_name = "FILE")]
    function: Option<PathBuf>,
    /// The function is an HTTP function: FILE serves HTTP on 127.0.0.1:8000
    #[arg(long, requires = "function")]
    http: bool,
    /// Time-out of an invocation of the function (default: 30s)
    #[arg(long, value_name = "DURATION", value_parser = timeout)]
    timeout: Option<Duration>,
    /// Time-out of the initialization of the function (default: 15s)
    #[arg(long, value_name = "DURATION", value_parser = timeout, requires = "function")]
    init_timeout: Option<Duration>,
    /// Freeze the instance after each invocation; the next invocation thaws it
    #[arg(long)]
    freeze: bool,
    /// Restore the instance from a snapshot before each invocation but the first
    #[arg(long)]
    restore: bool,
    /// Inject faults, such as register-503*2,event-duplicate,freeze=0.3 (an invalid name prints the list)
    #[arg(long, value_name = "FAULTS", value_parser = faults)]
    fault: Option<String>,
    /// Seed of the faults: the same seed injects the same faults (default: random)
    #[arg(long, value_name = "N", requires = "fault")]
    seed: Option<u64>,
    /// Record the invocations, and what happens, to a file, for --replay and the page
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Send the invocations of a recording at the same times and with the same faults, then stop
    #[arg(long, value_name = "FILE", conflicts_with_all = ["invocations", "interval", "freeze", "fault"])]
    replay: Option<PathBuf>,
    #[command(flatten)]
    environment: EnvironmentArgs,
    /// Do not start the extension: print its environment, and wait for you or your debugger to start it
    #[arg(long, conflicts_with_all = ["cmd", "arguments"], group = "no package")]
    attach: bool,
    /// Port of the local FunctionGraph's API, so that EXTENSION_API_ADDR stays the same (default: a free port)
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    api_port: Option<u16>,
    /// Serve a page that shows and controls the instance, on 127.0.0.1 (default port: 8700, or a free one)
    #[arg(long, value_name = "PORT", num_args = 0..=1, require_equals = true, value_parser = clap::value_parser!(u16).range(1..))]
    ui: Option<Option<u16>>,
    /// Write the page to one HTML file at the end, for instance to attach it to a bug report
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// Lines for humans (with timelines on a terminal only), or one JSON object per line
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    output: OutputFormat,
}

impl DevArgs {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let runtime = tokio::runtime::Runtime::new().context("cannot start the tokio runtime")?;
        let outcome = runtime.block_on(async {
            let mut signals = ShutdownSignals::listen()?;
            let plan = async { tokio::task::spawn_blocking(|| self.plan()).await? };
            let plan = signals.run_or_cancel(plan).await?;
            dev::run(plan, signals).await
        });
        // A ZIP that is being unpacked is removed. Do not wait for a build that is still running.
        runtime.shutdown_timeout(CLEANUP_TIMEOUT);
        outcome.map(|()| ExitCode::SUCCESS)
    }

    fn plan(self) -> anyhow::Result<DevPlan> {
        let style = match self.output {
            OutputFormat::Json => OutputStyle::Json,
            OutputFormat::Human if std::io::stdout().is_terminal() => OutputStyle::Terminal,
            OutputFormat::Human => OutputStyle::Plain,
        };
        // Keys are read from the controlling terminal, which stdin need not be.
        let can_open_tty = || File::open("/dev/tty").is_ok();
        let has_keys =
            style == OutputStyle::Terminal && std::io::stdin().is_terminal() && can_open_tty();
        let recording = self.replay.as_deref().map(Recording::read).transpose()?;
        let header = recording.as_ref().map(|recording| recording.header.clone());
        let faults = match &header {
            Some(header) => header.faults(),
            None => self.faults(),
        };
        if let Some(faults) = &faults {
            // Report an invalid fault before anything is built.
            faults.parse()?;
        }
        if let Some(port) = self.api_port {
            listen_port::check(&format!("--api-port {port}"), port)?;
        }
        let page_port = self.ui.map(|fixed| PagePort {
            fixed,
            reserved: self.api_port,
        });
        page_port.map(PagePort::check).transpose()?;
        if let (Some(Some(page)), Some(api)) = (self.ui, self.api_port)
            && page == api
        {
            bail!(
                "cannot use --ui={page} with --api-port {api}: choose another port for one of them"
            );
        }
        if self.http {
            if self.ui == Some(Some(HTTP_FUNCTION_PORT)) {
                bail!(
                    "cannot use --ui={HTTP_FUNCTION_PORT} with --http: an HTTP function listens on this port; choose another \
                     port"
                );
            }
            if self.api_port == Some(HTTP_FUNCTION_PORT) {
                bail!(
                    "cannot use --api-port {HTTP_FUNCTION_PORT} with --http: an HTTP function listens on this port; choose \
                     another port"
                );
            }
            dev::check_http_port()?;
        }
        check_files(&self)?;
        self.record.as_deref().map(Recorder::check).transpose()?;
        self.export.as_deref().map(export::check).transpose()?;
        let environment = self.environment.variables()?;
        let freeze = self.freeze || header.as_ref().is_some_and(|header| header.freeze);
        let schedule = match recording {
            Some(recording) => Schedule::replay(recording.invocations),
            None => self.schedule(has_keys),
        };

        let mut sources = self.also;
        let script = self.source.script.clone().filter(|_| self.attach);
        let is_first_attached = self.attach && script.is_none();
        match &script {
            Some(script) => {
                ScriptName::new(script)?;
            }
            None => sources.insert(0, self.source.source()?),
        }
        let options = self.source.target.cargo;
        let directory = options.directory();
        let build_start = SystemTime::now();
        let mut boot_set = BootSet::prepare(&sources, &options, self.function.as_deref())?;
        let attach = match is_first_attached {
            // It was prepared with the others, in one build, for its script name.
            true => {
                sources.remove(0);
                boot_set.remove_first().map(|spec| spec.script_name)
            }
            false => script,
        };
        let function = self.function.clone();
        let rebuild: Rebuild =
            Arc::new(move || BootSet::prepare(&sources, &options, function.as_deref()));
        let mut scripts = boot_set.script_names();
        scripts.extend(attach.clone());

        // The page can be opened with a key.
        let has_page = self.ui.is_some() || (has_keys && !schedule.is_finite());
        let has_journal = self.record.is_some() || self.export.is_some() || has_page;
        let journal = has_journal.then(|| Arc::new(Journal::new()));
        let output = Output::new(style, scripts.len() > 1).with_journal(journal);
        if let (Some(file), Some(header)) = (&self.replay, &header) {
            output.emit(DevEvent::Replay {
                file: file.display().to_string(),
                scripts: &header.scripts,
            });
        }
        let recorder = match &self.record {
            Some(path) => {
                let header = RecordingHeader::new(scripts, faults.clone(), freeze);
                Some(Recorder::create(path, &header)?)
            }
            None => None,
        };
        Ok(DevPlan {
            watches_files: !schedule.is_finite() && attach.is_none(),
            has_keys,
            reads_keys: !schedule.is_finite(),
            page_port,
            export: self.export,
            config: InstanceConfig {
                faults,
                freeze,
                environment,
                user_data: self.environment.user_data,
                restore: self.restore,
                function: self.function.map(|path| RealFunction {
                    path,
                    is_http: self.http,
                }),
                timeout: self.timeout,
                init_timeout: self.init_timeout,
                attach,
                api_port: self.api_port,
            },
            schedule,
            boot_set,
            directory,
            build_start,
            rebuild,
            recorder,
            output,
        })
    }

    fn faults(&self) -> Option<FaultSpec> {
        let random = || u64::from(uuid::Uuid::new_v4().as_fields().0);
        Some(FaultSpec {
            spec: self.fault.clone()?,
            seed: self.seed.unwrap_or_else(random),
        })
    }

    fn schedule(&self, has_keys: bool) -> Schedule {
        let interval = match (self.interval, self.invocations) {
            (Some(interval), _) => interval,
            (None, Some(_)) => Duration::ZERO,
            (None, None) if has_keys || self.ui.is_some() => return Schedule::Once { due: false },
            (None, None) => DEFAULT_INTERVAL,
        };
        Schedule::steady(self.invocations, interval)
    }
}

/// Checks that no file of this run replaces another one.
fn check_files(arguments: &DevArgs) -> anyhow::Result<()> {
    let files = [
        ("--replay", &arguments.replay),
        ("--record", &arguments.record),
        ("--export", &arguments.export),
    ];
    let files = files.map(|(option, path)| {
        // A device is not replaced.
        let path = path
            .as_ref()
            .filter(|path| path.is_file() || !path.exists())?;
        Some((option, path, canonical(path)))
    });
    let files: Vec<_> = files.into_iter().flatten().collect();
    for (i, (option, path, file)) in files.iter().enumerate() {
        if let Some((other, ..)) = files[..i].iter().find(|(.., other)| other == file) {
            bail!(
                "cannot use {option} {} with {other}: it is the same file; choose another one",
                path.display()
            );
        }
    }
    Ok(())
}

/// Returns the path without links and without `..`, also if the file does not exist yet.
fn canonical(path: &Path) -> PathBuf {
    let in_directory = || {
        let directory = match path.parent()? {
            parent if parent == Path::new("") => Path::new("."),
            parent => parent,
        };
        Some(directory.canonicalize().ok()?.join(path.file_name()?))
    };
    let existing = path.canonicalize().ok();
    existing.or_else(in_directory).unwrap_or(path.to_owned())
}

/// Parses a value of `--also`: a package, or `extensionOther.sh=COMMAND`.
fn also_source(also: &str) -> anyhow::Result<ExtensionSource> {
    match also.split_once('=') {
        Some((script_name, command)) => {
            ScriptName::new(script_name)?;
            ExtensionSource::from_command_line(script_name, command)
        }
        None if ScriptName::is_valid(also) => {
            bail!("to boot a command, write {also}=COMMAND; otherwise, write the name of a package")
        }
        None => Ok(ExtensionSource::Package(
            BuildTarget::of_package(also),
            Vec::new(),
        )),
    }
}

/// Checks a value of `--fault`.
fn faults(spec: &str) -> Result<String, fg_emulator::Error> {
    Faults::parse(spec, 0).map(|_| spec.to_owned())
}
