//! One instance: a platform, the extensions on it, and the invocations that are in flight.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use fg_emulator::{Boot, Error, Faults, Platform, Registered, Stopped};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::feed::Feed;
use super::output::{Output, Style};
use super::told::Told;
use crate::holder::holder;
use crate::order::Order;
use crate::report::{Report, millis};

/// How long telemetry may hold up the bars of its invocation, or the freeze after it.
const SETTLE: Duration = Duration::from_millis(300);

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

/// Who wants to know about an invocation.
pub(crate) type Reply = oneshot::Sender<Result<Report, String>>;

pub(crate) enum Happened {
    /// Whether the invocation was in order.
    Invoked(bool),
    /// The extension with this script ended by itself.
    Ended(String),
}

impl Session {
    /// Starts the platform, and boots what belongs to it.
    pub(crate) async fn boot(
        setup: Arc<Setup>,
        boots: Vec<Boot>,
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
        Ok(Self {
            platform: Arc::new(platform),
            feed,
            calls: JoinSet::new(),
            output,
            freezes: setup.freeze,
            synthetic: setup.function.is_none(),
            frozen: false,
        })
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
            let start = invoked.start;
            let report = Report::new(number, &order, synthetic, invoked);
            if let Some(reply) = reply {
                // Who has gone meanwhile does not want to know.
                let _ = reply.send(Ok(report.clone()));
            }
            if settles {
                let _ = tokio::time::timeout(SETTLE, platform.telemetry_delivered()).await;
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
            Some(done) = self.calls.join_next() => {
                let Done { report, start } = done??;
                self.feed.invoked(&report, start);
                if self.freezes && self.is_idle() {
                    self.freeze();
                }
                Ok(Happened::Invoked(report.ok))
            }
            script = self.platform.ended() => Ok(Happened::Ended(script)),
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

    /// Ends the instance in order; what was in flight is given up. How its extensions ended.
    pub(crate) async fn stop(mut self) -> anyhow::Result<Vec<Stopped>> {
        self.calls.shutdown().await;
        let Some(platform) = Arc::into_inner(self.platform) else {
            // It cannot be: only the calls had it, too.
            return Ok(Vec::new());
        };
        let shutdown = platform.shutdown().await?;
        for stopped in &shutdown.extensions {
            let (script, status) = (&stopped.script, stopped.status.to_string());
            if stopped.took.is_zero() {
                self.output.tell(Told::Ended { script, status });
            } else {
                self.output.tell(Told::Stopped {
                    script,
                    took_ms: millis(stopped.took),
                    status,
                    killed: stopped.killed,
                });
            }
        }
        Ok(shutdown.extensions)
    }
}

fn tell_registered(output: &Output, registered: &Registered) {
    output.tell(Told::Registered {
        script: &registered.script,
        address: registered.address,
        took_ms: millis(registered.took),
    });
}

/// Why something did not boot. What it printed was shown as it came, and is not told again.
fn explained(error: &Error) -> anyhow::Error {
    let Some(stopped) = error.stopped() else {
        return anyhow!("{}", in_one_line(error));
    };
    let lines = stopped.output.iter().map(|line| line.text.as_str());
    let held: Vec<_> = ports(&lines.collect::<Vec<_>>().join("\n"))
        .into_iter()
        .filter_map(|port| Some(format!("port {port} is held by {}", holder(port)?)))
        .collect();
    match &held[..] {
        [] => anyhow!("{error}"),
        held => anyhow!("{error}; {}", held.join(", ")),
    }
}

fn in_one_line(error: &dyn std::error::Error) -> String {
    let source = error.source().map(|source| format!(": {source}"));
    format!("{error}{}", source.unwrap_or_default())
}

/// The ports of the platform's range that a text names, those of an address rather than others; all, if it says
/// that an address is in use and not which.
fn ports(text: &str) -> Vec<u16> {
    let mut after_colon = false;
    let (mut of_addresses, mut others) = (BTreeSet::new(), BTreeSet::new());
    for part in text.split_inclusive(|c: char| !c.is_ascii_digit()) {
        let number = part.trim_end_matches(|c: char| !c.is_ascii_digit()).parse();
        match number {
            Ok(port) if RANGE.contains(&port) && after_colon => of_addresses.insert(port),
            Ok(port) if RANGE.contains(&port) => others.insert(port),
            _ => false,
        };
        after_colon = part.ends_with(':');
    }
    let text = text.to_lowercase();
    let is_in_use = text.contains("in use") || text.contains("eaddrinuse");
    let named = [of_addresses, others]
        .into_iter()
        .find(|ports| !ports.is_empty());
    match named {
        Some(ports) => ports.into_iter().collect(),
        None if is_in_use => RANGE.collect(),
        None => Vec::new(),
    }
}

/// D 2707.
const RANGE: std::ops::RangeInclusive<u16> = 8081..=8090;

#[cfg(test)]
mod tests {
    use super::ports;

    #[test]
    fn ports_of_a_complaint() {
        for (text, expected) in [
            (
                "ERROR: cannot listen on 127.0.0.1:8083: Address in use",
                &[8083][..],
            ),
            ("bind 8090, 8081 and 8090", &[8081, 8090]),
            (
                "127.0.0.1:8083 is not free; set one from 8081 to 8090",
                &[8083],
            ),
            ("18081 80810 8080 8091", &[]),
            ("nonsense", &[]),
        ] {
            assert_eq!(ports(text), expected, "{text}");
        }
        for text in [
            "OSError: [Errno 98] Address already in use",
            "listen EADDRINUSE",
        ] {
            assert_eq!(ports(text).len(), 10, "{text}");
        }
    }
}
