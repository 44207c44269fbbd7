//! One instance of the function: a platform, its extensions, and the invocations in flight.

use std::future::pending;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use fg_emulator::{
    Error, ExtensionCommand, Faults, Platform, ProcessExit, RegisteredExtension, describe_exit,
};
use tokio::task::JoinSet;

use super::conflicts::Conflicts;
use super::event::DevEvent;
use super::event_bridge::EventBridge;
use super::fault_spec::FaultSpec;
use super::journal_entries;
use super::loop_detector::LoopDetector;
use super::output::{Output, OutputStyle};
use crate::invocation::{FunctionKind, InvocationReport, InvocationSpec, millis};
use crate::ipc::InvocationReply;
use crate::journal::Entry;
use crate::listen_port;

/// How long the timeline of an invocation, or the freeze after it, waits for the telemetry of the invocation.
const TELEMETRY_WAIT: Duration = Duration::from_millis(300);
/// How long `dev` waits for a subscription after the last invocation.
const SUBSCRIPTION_WAIT: Duration = Duration::from_secs(2);
/// How long a shutdown waits for invocations in flight, so that an invocation that crashed an extension is reported
/// too.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);

/// The configuration that all instances of a `dev` share.
pub(crate) struct InstanceConfig {
    pub(crate) faults: Option<FaultSpec>,
    /// Freeze the instance after each invocation.
    pub(crate) freeze: bool,
    /// Environment variables for the extensions.
    pub(crate) environment: Vec<(String, String)>,
    /// The settings in `RUNTIME_USERDATA`.
    pub(crate) user_data: Vec<(String, String)>,
    /// Restore the instance from a snapshot before each invocation but the first.
    pub(crate) restore: bool,
    /// If `None`, the function is synthetic.
    pub(crate) function: Option<RealFunction>,
    /// The time-out of an invocation; if `None`, the emulator's.
    pub(crate) timeout: Option<Duration>,
    /// The time-out of the function's initialization; if `None`, the emulator's.
    pub(crate) init_timeout: Option<Duration>,
    /// The script name of an extension that the user starts, for instance in a debugger.
    pub(crate) attach: Option<String>,
    /// The port of the platform's API; by default, a free one.
    pub(crate) api_port: Option<u16>,
}

/// A function that is a process.
pub(crate) struct RealFunction {
    /// The bootstrap.
    pub(crate) path: PathBuf,
    /// Whether it serves HTTP on port 8000, instead of using the API of custom runtimes.
    pub(crate) is_http: bool,
}

impl InstanceConfig {
    pub(crate) fn function_kind(&self) -> FunctionKind {
        match self.function {
            None => FunctionKind::Synthetic,
            Some(_) => FunctionKind::Real,
        }
    }
}

/// An instance that is booting or has booted.
pub(crate) struct Instance {
    number: u64,
    platform: Arc<Platform>,
    event_bridge: Arc<EventBridge>,
    conflicts: Arc<Conflicts>,
    loop_detector: Arc<LoopDetector>,
    /// `None` once the extensions and the function have booted.
    booting: Option<BootFuture>,
    in_flight: JoinSet<anyhow::Result<CompletedInvocation>>,
    output: Arc<Output>,
    freeze_after_invocation: bool,
    restores: bool,
    was_invoked: bool,
    function_kind: FunctionKind,
    config: Arc<InstanceConfig>,
    /// Whether the process that the user starts has registered.
    is_attached: Arc<AtomicBool>,
}

/// An invocation that has finished.
struct CompletedInvocation {
    report: InvocationReport,
    start: Instant,
}

type BootFuture = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

/// An event that the loop of `dev` reacts to.
pub(crate) enum InstanceEvent {
    /// The extensions and the function have booted, or one of them failed to.
    Booted(anyhow::Result<()>),
    /// An invocation has finished; the value is whether it succeeded.
    Invoked(bool),
    /// The instance was frozen or thawed.
    FrozenOrThawed,
    /// The extension with this script name exited unexpectedly.
    Exited(String),
    /// An extension cannot receive telemetry, for this reason.
    Conflict(String),
    /// The extension with this script name logs a line for each of its own lines.
    TelemetryLoop(String),
}

impl Instance {
    /// Starts the platform of the instance with this number. The extensions and the function boot while [`next_event`](Self::next_event) is polled.
    pub(crate) async fn start(
        number: u64,
        config: Arc<InstanceConfig>,
        faults: Option<&FaultSpec>,
        commands: Vec<ExtensionCommand>,
        output: Arc<Output>,
    ) -> anyhow::Result<Self> {
        let start = Instant::now();
        if let Some(journal) = output.journal() {
            journal.add(start, Entry::Boot { instance: number });
        }
        let conflicts = Arc::new(Conflicts::default());
        let loop_detector = Arc::new(LoopDetector::default());
        let event_bridge = Arc::new(EventBridge::new(
            Arc::clone(&output),
            Arc::clone(&conflicts),
            Arc::clone(&loop_detector),
        ));
        let observer = Arc::clone(&event_bridge);
        let mut builder = Platform::builder().observer(move |event| observer.observe(event));
        for (name, value) in &config.user_data {
            builder = builder.user_data(name, value);
        }
        if let Some(faults) = faults {
            builder = builder.faults(faults.parse()?);
        }
        if let Some(port) = config.api_port {
            listen_port::check(&format!("--api-port {port}"), port)?;
            builder = builder.port(port);
        }
        if let Some(timeout) = config.timeout {
            builder = builder.function_timeout(timeout);
        }
        if let Some(timeout) = config.init_timeout {
            builder = builder.init_timeout(timeout);
        }
        let platform = builder.start().await?;
        output.emit(DevEvent::Platform {
            address: platform.address(),
        });
        let platform = Arc::new(platform);
        let is_attached = Arc::new(AtomicBool::new(false));
        let boot = boot_all(
            Arc::clone(&platform),
            Arc::clone(&config),
            commands,
            Arc::clone(&output),
            Arc::clone(&conflicts),
            Arc::clone(&is_attached),
        );
        let journal = output.journal().cloned();
        let booting = async move {
            boot.await?;
            if let Some(journal) = journal {
                let (instance, d) = (number, millis(start.elapsed()));
                journal.add(start, Entry::Booted { instance, d });
            }
            Ok(())
        };
        Ok(Self {
            number,
            platform,
            event_bridge,
            conflicts,
            loop_detector,
            booting: Some(Box::pin(booting)),
            in_flight: JoinSet::new(),
            output,
            freeze_after_invocation: config.freeze,
            restores: config.restore,
            was_invoked: false,
            function_kind: config.function_kind(),
            config,
            is_attached,
        })
    }

    /// Returns whether the instance has booted, so that the function can be invoked.
    pub(crate) fn is_up(&self) -> bool {
        self.booting.is_none()
    }

    /// Returns the script name of the process that the user has not started yet.
    pub(crate) fn awaited_script(&self) -> Option<&str> {
        let script = self.config.attach.as_deref();
        script.filter(|_| !self.is_attached.load(Ordering::Relaxed))
    }

    /// Returns the conflicts of its extensions, which can be found until it has shut down.
    pub(crate) fn conflicts(&self) -> Arc<Conflicts> {
        Arc::clone(&self.conflicts)
    }

    /// Waits a short time for a subscription to telemetry if an extension is about to subscribe, so that it receives the
    /// telemetry of the invocations before the shutdown.
    pub(crate) async fn wait_for_subscription(&self) {
        if self.conflicts.expects_subscription() {
            let subscription = self.platform.wait_for_subscription();
            let _ = tokio::time::timeout(SUBSCRIPTION_WAIT, subscription).await;
        }
    }

    /// Returns whether no invocation is in flight.
    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// Returns the number of invocations in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Sends an invocation. [`next_event`](Self::next_event) and `reply` report when it has finished.
    pub(crate) fn invoke(
        &mut self,
        number: u64,
        spec: InvocationSpec,
        trace_id: String,
        reply: Option<InvocationReply>,
    ) {
        let journal = self.output.journal();
        let journaled = journal.map(|journal| {
            journal_entries::add_invoke(journal, number, &trace_id, &spec, self.function_kind)
        });
        self.event_bridge.invocation_starts();
        let platform = Arc::clone(&self.platform);
        let function_kind = self.function_kind;
        let waits_for_telemetry =
            self.freeze_after_invocation || self.output.style == OutputStyle::Terminal;
        let restores = std::mem::replace(&mut self.was_invoked, true) && self.restores;
        self.in_flight.spawn(async move {
            if restores {
                platform.restore().await;
            }
            let invocation = spec.invocation(&trace_id);
            let invoked = platform.invoke_with(invocation).await?;
            let start = invoked.started_at;
            let mut report = InvocationReport::new(number, &spec, function_kind, &invoked);
            if let Some(journaled) = journaled {
                journaled.finish(&report, &invoked);
            }
            if let Some(reply) = reply {
                // This fails if the client has disconnected; then nobody needs the report.
                let _ = reply.send(Ok(report.clone()));
            }
            // They have been printed already.
            report.printed.clear();
            if waits_for_telemetry {
                let _ = tokio::time::timeout(TELEMETRY_WAIT, platform.wait_for_telemetry()).await;
            }
            Ok(CompletedInvocation { report, start })
        });
    }

    /// Waits for the next event. Prints an invocation that has finished before returning its event.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe: no event is lost.
    pub(crate) async fn next_event(&mut self) -> anyhow::Result<InstanceEvent> {
        tokio::select! {
            // If an extension responds and then exits, report the response first.
            biased;
            booted = booted(&mut self.booting) => Ok(InstanceEvent::Booted(booted)),
            Some(done) = self.in_flight.join_next() => {
                let CompletedInvocation { report, start } = done??;
                self.event_bridge.invocation_finished(&report, start);
                self.note_lost_process(&report);
                if self.freeze_after_invocation && self.is_idle() {
                    self.freeze();
                }
                Ok(InstanceEvent::Invoked(report.ok))
            }
            conflict = self.conflicts.next() => Ok(InstanceEvent::Conflict(conflict)),
            script = self.loop_detector.find(&self.platform) => {
                Ok(InstanceEvent::TelemetryLoop(script))
            }
            () = self.event_bridge.frozen_or_thawed() => Ok(InstanceEvent::FrozenOrThawed),
            script = self.platform.wait_for_exit() => Ok(InstanceEvent::Exited(script)),
        }
    }

    /// Prints what to do if the process that the user has started is gone.
    fn note_lost_process(&self, report: &InvocationReport) {
        let Some(script) = &self.config.attach else {
            return;
        };
        let mut extensions = report.extensions.iter();
        let is_lost = extensions.any(|it| it.script == *script && it.refused_connection());
        if is_lost {
            let message =
                format!("for {script} to register again; start it with the same variables");
            self.output.note("waiting", &message);
        }
    }

    /// Freezes the instance, unless it is frozen.
    pub(crate) fn freeze(&mut self) {
        if !self.platform.is_frozen() {
            self.platform.freeze();
            self.output.emit(DevEvent::Frozen);
        }
    }

    /// Thaws the instance if it is frozen.
    pub(crate) fn thaw(&mut self) {
        if self.platform.is_frozen() {
            self.platform.thaw();
            self.output.emit(DevEvent::Thawed);
        }
    }

    pub(crate) fn is_frozen(&self) -> bool {
        self.platform.is_frozen()
    }

    /// Replaces the faults of the platform.
    pub(crate) fn set_faults(&self, faults: Faults) {
        self.platform.set_faults(faults);
    }

    /// Shuts the instance down: waits a short time for the invocations in flight, then aborts them. Returns how its
    /// extensions exited.
    pub(crate) async fn shut_down(mut self) -> anyhow::Result<Vec<ProcessExit>> {
        let start = Instant::now();
        let instance = self.number;
        if let Some(journal) = self.output.journal() {
            journal.add(start, Entry::Shutdown { instance });
        }
        // Canceling the boot kills an extension that has not registered yet.
        self.booting = None;
        let drained = async {
            while let Some(done) = self.in_flight.join_next().await {
                if let Ok(Ok(CompletedInvocation { report, start })) = done {
                    self.event_bridge.invocation_finished(&report, start);
                }
            }
        };
        let _ = tokio::time::timeout(DRAIN_TIMEOUT, drained).await;
        self.in_flight.shutdown().await;
        let Some(platform) = Arc::into_inner(self.platform) else {
            // Unreachable: only the boot and the invocations share the platform, and both have been dropped.
            return Ok(Vec::new());
        };
        let shutdown = platform.shutdown().await?;
        if let Some(journal) = self.output.journal() {
            journal_entries::add_shutdown(journal, &shutdown);
            let d = millis(start.elapsed());
            journal.add(start, Entry::Down { instance, d });
        }
        for exit in &shutdown.extensions {
            let (script, status) = (&exit.script, describe_exit(exit.status));
            self.output.emit(match exit.stop_duration {
                None => DevEvent::Exited { script, status },
                Some(duration) => DevEvent::Stopped {
                    script,
                    duration_ms: millis(duration),
                    status,
                    killed: exit.killed,
                },
            });
        }
        Ok(shutdown.extensions)
    }
}

/// Boots the extensions of an instance one after the other, then the function.
async fn boot_all(
    platform: Arc<Platform>,
    config: Arc<InstanceConfig>,
    commands: Vec<ExtensionCommand>,
    output: Arc<Output>,
    conflicts: Arc<Conflicts>,
    is_attached: Arc<AtomicBool>,
) -> anyhow::Result<()> {
    for command in commands {
        let command = config
            .environment
            .iter()
            .fold(command, |command, (name, value)| command.env(name, value));
        let registered = platform
            .boot(command)
            .await
            .map_err(|error| boot_error(&error, &conflicts))?;
        conflicts.add_extension(&registered.script, registered.pid);
        emit_registered(&output, &registered);
    }
    if let Some(script) = &config.attach {
        let environment = platform.environment();
        let all = environment.iter().chain(&config.environment);
        output.emit(DevEvent::Attach {
            script,
            environment: all.map(|(name, value)| (&**name, &**value)).collect(),
        });
        let registered = platform.attach(script).await?;
        is_attached.store(true, Ordering::Relaxed);
        emit_registered(&output, &registered);
    }
    if let Some(RealFunction { path, is_http }) = &config.function {
        let booted = match is_http {
            true => platform.boot_http_function(path).await,
            false => platform.boot_function(path).await,
        };
        booted.map_err(|error| {
            let message = boot_error(&error, &conflicts);
            match error.is_init_timeout() && !is_http {
                true => anyhow!("{message}; if it is an HTTP function, add --http"),
                false => message,
            }
        })?;
    }
    Ok(())
}

async fn booted(booting: &mut Option<BootFuture>) -> anyhow::Result<()> {
    let Some(boot) = booting else {
        return pending().await;
    };
    let outcome = boot.await;
    *booting = None;
    outcome
}

fn emit_registered(output: &Output, registered: &RegisteredExtension) {
    output.emit(DevEvent::Registered {
        script: &registered.script,
        address: registered.address,
        duration_ms: Some(millis(registered.startup_duration)),
    });
}

/// Returns the reason why a boot failed, including which ports are in use. It leaves out the output of the program,
/// which has already been printed.
fn boot_error(error: &Error, conflicts: &Conflicts) -> anyhow::Error {
    let Some(exit) = error.process_exit() else {
        return anyhow!("{}", fg_util::error::chain(error));
    };
    let lines = exit.output.iter().map(|line| line.text.as_str());
    let in_use = conflicts.ports_in_use(&lines.collect::<Vec<_>>().join("\n"));
    match &in_use[..] {
        [] => anyhow!("{error}"),
        in_use => anyhow!("{error}; {}", in_use.join(", ")),
    }
}
