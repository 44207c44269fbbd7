//! One instance: a platform, the extensions on it, and the invocations that are in flight.

use std::future::pending;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use fg_conformance::port_owner::taken_ports;
use fg_emulator::{Error, ExtensionCommand, Faults, Platform, ProcessExit, RegisteredExtension};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::feed::Feed;
use super::output::{Output, Style};
use super::told::Told;
use crate::order::Order;
use crate::report::{Report, millis};

/// How long telemetry may hold up the bars of its invocation, or the freeze after it.
const SETTLE: Duration = Duration::from_millis(300);
/// How long an end waits for what is in flight, so that the invocation that broke an extension is told, too.
const PARTING: Duration = Duration::from_millis(500);

/// What every instance of a `dev` has.
pub(crate) struct Setup {
    /// As they are written, and the seed.
    pub(crate) faults: Option<(String, u64)>,
    pub(crate) freeze: bool,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) function: Option<PathBuf>,
    /// The script whose process is not started by us.
    pub(crate) attach: Option<String>,
}

pub(crate) struct Session {
    platform: Arc<Platform>,
    feed: Arc<Feed>,
    /// Until all that belongs to it is up.
    booting: Option<Booting>,
    calls: JoinSet<anyhow::Result<Done>>,
    output: Arc<Output>,
    /// Freeze after each invocation.
    freezes: bool,
    synthetic: bool,
    frozen: bool,
}

/// An invocation that has ended.
struct Done {
    report: Report,
    start: Instant,
}

type Booting = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

/// Who wants to know about an invocation.
pub(crate) type Reply = oneshot::Sender<Result<Report, String>>;

pub(crate) enum Happened {
    /// All that belongs to it is up, or why it is not.
    Booted(anyhow::Result<()>),
    /// Whether the invocation was in order.
    Invoked(bool),
    /// The extension with this script ended by itself.
    Ended(String),
}

impl Session {
    /// Starts the platform; [`next`](Self::next) boots what belongs to it.
    pub(crate) async fn start(
        setup: Arc<Setup>,
        boots: Vec<ExtensionCommand>,
        output: Arc<Output>,
    ) -> anyhow::Result<Self> {
        let feed = Arc::new(Feed::new(Arc::clone(&output)));
        let observer = Arc::clone(&feed);
        let mut builder = Platform::builder().observer(move |event| observer.observe(event));
        if let Some((spec, seed)) = &setup.faults {
            builder = builder.faults(Faults::parse(spec, *seed)?);
        }
        let platform = builder.start().await?;
        output.tell(Told::Platform {
            address: platform.address(),
        });
        let platform = Arc::new(platform);
        let booting = boot(
            Arc::clone(&platform),
            Arc::clone(&setup),
            boots,
            Arc::clone(&output),
        );
        Ok(Self {
            platform,
            feed,
            booting: Some(Box::pin(booting)),
            calls: JoinSet::new(),
            output,
            freezes: setup.freeze,
            synthetic: setup.function.is_none(),
            frozen: false,
        })
    }

    /// Whether it can be invoked.
    pub(crate) fn is_up(&self) -> bool {
        self.booting.is_none()
    }

    /// Whether nothing is in flight.
    pub(crate) fn is_idle(&self) -> bool {
        self.calls.is_empty()
    }

    /// Sends an invocation, which [`next`](Self::next) will tell of.
    pub(crate) fn invoke(
        &mut self,
        number: u64,
        order: Order,
        trace_id: String,
        reply: Option<Reply>,
    ) {
        self.frozen = false;
        self.feed.invocation_starts();
        let platform = Arc::clone(&self.platform);
        let synthetic = self.synthetic;
        let settles = self.freezes || self.output.style == Style::Terminal;
        self.calls.spawn(async move {
            let invocation = order.invocation(&trace_id);
            let invoked = platform.invoke_with(invocation).await?;
            let start = invoked.started_at;
            let report = Report::new(number, &order, synthetic, invoked);
            if let Some(reply) = reply {
                // Who has gone meanwhile does not want to know.
                let _ = reply.send(Ok(report.clone()));
            }
            if settles {
                let _ = tokio::time::timeout(SETTLE, platform.wait_for_telemetry()).await;
            }
            Ok(Done { report, start })
        });
    }

    /// What happens next; it was told of by then.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when this is dropped unfinished.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Happened> {
        tokio::select! {
            // What an extension still answered before it ended comes first.
            biased;
            booted = finished(&mut self.booting) => Ok(Happened::Booted(booted)),
            Some(done) = self.calls.join_next() => {
                let Done { report, start } = done??;
                self.feed.invoked(&report, start);
                if self.freezes && self.is_idle() {
                    self.freeze();
                }
                Ok(Happened::Invoked(report.ok))
            }
            script = self.platform.wait_for_exit() => Ok(Happened::Ended(script)),
        }
    }

    pub(crate) fn toggle_freeze(&mut self) {
        if self.frozen {
            self.platform.thaw();
            self.frozen = false;
            self.output.tell(Told::Thawed);
        } else {
            self.freeze();
        }
    }

    fn freeze(&mut self) {
        self.platform.freeze();
        self.frozen = true;
        self.output.tell(Told::Frozen);
    }

    /// Ends the instance in order; what is in flight for too long is given up. How its extensions ended.
    pub(crate) async fn stop(mut self) -> anyhow::Result<Vec<ProcessExit>> {
        // What has not registered yet is killed.
        self.booting = None;
        let parting = async {
            while let Some(done) = self.calls.join_next().await {
                if let Ok(Ok(Done { report, start })) = done {
                    self.feed.invoked(&report, start);
                }
            }
        };
        let _ = tokio::time::timeout(PARTING, parting).await;
        self.calls.shutdown().await;
        let Some(platform) = Arc::into_inner(self.platform) else {
            // It cannot be: only the boot and the calls had it, too.
            return Ok(Vec::new());
        };
        let shutdown = platform.shutdown().await?;
        for stopped in &shutdown.extensions {
            let (script, status) = (&stopped.script, stopped.status.to_string());
            self.output.tell(match stopped.stop_duration {
                None => Told::Ended { script, status },
                Some(duration) => Told::Stopped {
                    script,
                    took_ms: millis(duration),
                    status,
                    killed: stopped.killed,
                },
            });
        }
        Ok(shutdown.extensions)
    }
}

/// Boots what belongs to the instance, one after the other.
async fn boot(
    platform: Arc<Platform>,
    setup: Arc<Setup>,
    boots: Vec<ExtensionCommand>,
    output: Arc<Output>,
) -> anyhow::Result<()> {
    for boot in boots {
        let boot = setup
            .environment
            .iter()
            .fold(boot, |boot, (name, value)| boot.env(name, value));
        let registered = platform
            .boot(boot)
            .await
            .map_err(|error| explained(&error))?;
        tell_registered(&output, &registered);
    }
    if let Some(script) = &setup.attach {
        let environment = platform.environment();
        let all = environment.iter().chain(&setup.environment);
        output.tell(Told::Attach {
            script,
            environment: all.map(|(name, value)| (&**name, &**value)).collect(),
        });
        tell_registered(&output, &platform.attach(script).await?);
    }
    if let Some(function) = &setup.function {
        let booted = platform.boot_function(function).await;
        booted.map_err(|error| explained(&error))?;
    }
    Ok(())
}

async fn finished(booting: &mut Option<Booting>) -> anyhow::Result<()> {
    let Some(boot) = booting else {
        return pending().await;
    };
    let booted = boot.await;
    *booting = None;
    booted
}

fn tell_registered(output: &Output, registered: &RegisteredExtension) {
    output.tell(Told::Registered {
        script: &registered.script,
        address: registered.address,
        took_ms: millis(registered.startup_duration),
    });
}

/// Why something did not boot. What it printed was shown as it came, and is not told again.
fn explained(error: &Error) -> anyhow::Error {
    let Some(stopped) = error.process_exit() else {
        return anyhow!("{}", in_one_line(error));
    };
    let lines = stopped.output.iter().map(|line| line.text.as_str());
    let held = taken_ports(&lines.collect::<Vec<_>>().join("\n"));
    match &held[..] {
        [] => anyhow!("{error}"),
        held => anyhow!("{error}; {}", held.join(", ")),
    }
}

fn in_one_line(error: &dyn std::error::Error) -> String {
    let source = error.source().map(|source| format!(": {source}"));
    format!("{error}{}", source.unwrap_or_default())
}
