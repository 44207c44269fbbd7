//! One instance of the function: a platform, its extensions, and the invocations in flight.

use std::future::pending;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use fg_conformance::port_owner::ports_in_use;
use fg_emulator::{Error, ExtensionCommand, Platform, ProcessExit, RegisteredExtension};
use tokio::task::JoinSet;

use super::event::DevEvent;
use super::event_bridge::EventBridge;
use super::fault_spec::FaultSpec;
use super::output::{Output, OutputStyle};
use crate::invocation::{FunctionKind, InvocationReport, InvocationSpec, millis};
use crate::ipc::InvocationReply;

/// How long the timeline of an invocation, or the freeze after it, waits for the telemetry of the invocation.
const TELEMETRY_WAIT: Duration = Duration::from_millis(300);
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
    /// The bootstrap of a custom runtime; if `None`, the function is synthetic.
    pub(crate) function: Option<PathBuf>,
    /// The script name of an extension that the user starts, for instance in a debugger.
    pub(crate) attach: Option<String>,
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
    platform: Arc<Platform>,
    event_bridge: Arc<EventBridge>,
    /// `None` once the extensions and the function have booted.
    booting: Option<BootFuture>,
    in_flight: JoinSet<anyhow::Result<CompletedInvocation>>,
    output: Arc<Output>,
    freeze_after_invocation: bool,
    function_kind: FunctionKind,
    frozen: bool,
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
    /// The extension with this script name exited unexpectedly.
    Exited(String),
}

impl Instance {
    /// Starts the platform. The extensions and the function boot while [`next_event`](Self::next_event) is polled.
    pub(crate) async fn start(
        config: Arc<InstanceConfig>,
        commands: Vec<ExtensionCommand>,
        output: Arc<Output>,
    ) -> anyhow::Result<Self> {
        let event_bridge = Arc::new(EventBridge::new(Arc::clone(&output)));
        let observer = Arc::clone(&event_bridge);
        let mut builder = Platform::builder().observer(move |event| observer.observe(event));
        for (name, value) in &config.user_data {
            builder = builder.user_data(name, value);
        }
        if let Some(faults) = &config.faults {
            builder = builder.faults(faults.parse()?);
        }
        let platform = builder.start().await?;
        output.emit(DevEvent::Platform {
            address: platform.address(),
        });
        let platform = Arc::new(platform);
        let booting = boot_all(
            Arc::clone(&platform),
            Arc::clone(&config),
            commands,
            Arc::clone(&output),
        );
        Ok(Self {
            platform,
            event_bridge,
            booting: Some(Box::pin(booting)),
            in_flight: JoinSet::new(),
            output,
            freeze_after_invocation: config.freeze,
            function_kind: config.function_kind(),
            frozen: false,
        })
    }

    /// Returns whether the instance has booted, so that the function can be invoked.
    pub(crate) fn is_up(&self) -> bool {
        self.booting.is_none()
    }

    /// Returns whether no invocation is in flight.
    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// Sends an invocation. [`next_event`](Self::next_event) and `reply` report when it has finished.
    pub(crate) fn invoke(
        &mut self,
        number: u64,
        spec: InvocationSpec,
        trace_id: String,
        reply: Option<InvocationReply>,
    ) {
        self.frozen = false;
        self.event_bridge.invocation_starts();
        let platform = Arc::clone(&self.platform);
        let function_kind = self.function_kind;
        let waits_for_telemetry =
            self.freeze_after_invocation || self.output.style == OutputStyle::Terminal;
        self.in_flight.spawn(async move {
            let invocation = spec.invocation(&trace_id);
            let invoked = platform.invoke_with(invocation).await?;
            let start = invoked.started_at;
            let report = InvocationReport::new(number, &spec, function_kind, invoked);
            if let Some(reply) = reply {
                // This fails if the client has disconnected; then nobody needs the report.
                let _ = reply.send(Ok(report.clone()));
            }
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
                if self.freeze_after_invocation && self.is_idle() {
                    self.freeze();
                }
                Ok(InstanceEvent::Invoked(report.ok))
            }
            script = self.platform.wait_for_exit() => Ok(InstanceEvent::Exited(script)),
        }
    }

    pub(crate) fn toggle_freeze(&mut self) {
        if self.frozen {
            self.platform.thaw();
            self.frozen = false;
            self.output.emit(DevEvent::Thawed);
        } else {
            self.freeze();
        }
    }

    fn freeze(&mut self) {
        self.platform.freeze();
        self.frozen = true;
        self.output.emit(DevEvent::Frozen);
    }

    /// Shuts the instance down: waits a short time for the invocations in flight, then aborts them. Returns how its
    /// extensions exited.
    pub(crate) async fn shut_down(mut self) -> anyhow::Result<Vec<ProcessExit>> {
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
        for exit in &shutdown.extensions {
            let (script, status) = (&exit.script, exit.status.to_string());
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
) -> anyhow::Result<()> {
    for command in commands {
        let command = config
            .environment
            .iter()
            .fold(command, |command, (name, value)| command.env(name, value));
        let registered = platform
            .boot(command)
            .await
            .map_err(|error| boot_error(&error))?;
        emit_registered(&output, &registered);
    }
    if let Some(script) = &config.attach {
        let environment = platform.environment();
        let all = environment.iter().chain(&config.environment);
        output.emit(DevEvent::Attach {
            script,
            environment: all.map(|(name, value)| (&**name, &**value)).collect(),
        });
        emit_registered(&output, &platform.attach(script).await?);
    }
    if let Some(function) = &config.function {
        let booted = platform.boot_function(function).await;
        booted.map_err(|error| boot_error(&error))?;
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
        duration_ms: millis(registered.startup_duration),
    });
}

/// Returns the reason why a boot failed, including which ports are in use. It leaves out the output of the program,
/// which has already been printed.
fn boot_error(error: &Error) -> anyhow::Error {
    let Some(exit) = error.process_exit() else {
        return anyhow!("{}", fg_util::error::chain(error));
    };
    let lines = exit.output.iter().map(|line| line.text.as_str());
    let in_use = ports_in_use(&lines.collect::<Vec<_>>().join("\n"));
    match &in_use[..] {
        [] => anyhow!("{error}"),
        in_use => anyhow!("{error}; {}", in_use.join(", ")),
    }
}
