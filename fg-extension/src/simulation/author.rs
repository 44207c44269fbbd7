//! The extension of an author whose code is slow, fails, panics and hangs.

use std::time::Duration;

use tokio::time::sleep;

use super::TOLERANCE;
use super::world::{self, choose, problem, step};
use crate::{
    Error, Extension, ExtensionName, Invocation, Port, Registration, Subscription,
    TelemetryCounters, TelemetryEvent, TelemetryHandler, TelemetryType,
};

pub(super) const PORT: Port = Port::new(8081);
pub(super) const TELEMETRY_PORT: Port = Port::new(8082);

const TIMEOUT: Duration = Duration::from_secs(2);
/// How long handlers may run after the shutdown started.
const ABORTED_AFTER: Duration = Duration::from_millis(1500);

pub(super) struct Author;

/// Does what authors do: mostly the right thing, soon.
async fn act(what: &str) -> Result<(), Error> {
    let (kind, pause) = choose(|random| (random.within(0..=99), random.millis(1..=300)));
    match kind {
        0..60 => Ok(()),
        60..80 => {
            sleep(pause).await;
            Ok(())
        }
        80..84 => {
            sleep(10 * pause).await;
            Ok(())
        }
        84..92 => Err("not this time".into()),
        92..96 => {
            step(|| format!("{what} panics"));
            panic!("{what} panics")
        }
        _ => {
            step(|| format!("{what} hangs"));
            sleep(Duration::from_secs(3600)).await;
            Ok(())
        }
    }
}

/// A call of the handler, which must not be dropped too early.
struct Call {
    started_after: Duration,
    is_complete: bool,
}

impl Call {
    fn start() -> Self {
        Self {
            started_after: world::with(|world| world.running_time()),
            is_complete: false,
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // A panic ends it, too.
        if self.is_complete || std::thread::panicking() {
            return;
        }
        let (now, shutdown) = world::with(|world| (world.running_time(), world.shutdown_after));
        let ran = now - self.started_after;
        let is_late = ran + TOLERANCE >= TIMEOUT;
        let is_aborted = shutdown.is_some_and(|at| now - at + TOLERANCE >= ABORTED_AFTER);
        if !is_late && !is_aborted {
            problem(format!("a handler was dropped after {ran:?}"));
        }
    }
}

impl Extension for Author {
    const NAME: ExtensionName = ExtensionName::new("extensionSimulated.sh");
    const PORT: Port = PORT;
    const TIMEOUT: Option<Duration> = Some(TIMEOUT);

    async fn init(_: &Registration) -> Result<Self, Error> {
        let pause = choose(|random| random.millis(0..=500));
        sleep(pause).await;
        Ok(Self)
    }

    async fn invoke(&self, invocation: Invocation) -> Result<(), Error> {
        let id: u64 = invocation.trace_id.parse()?;
        world::with(|world| *world.started.entry(id).or_default() += 1);
        let mut call = Call::start();
        let outcome = act("invoke").await;
        call.is_complete = true;
        outcome?;
        world::with(|world| *world.succeeded.entry(id).or_default() += 1);
        Ok(())
    }

    async fn shutdown(&self) -> Result<(), Error> {
        step(|| "shutdown is called".to_owned());
        sleep(Duration::from_millis(20)).await;
        Ok(())
    }
}

impl TelemetryHandler for Author {
    const SUBSCRIPTION: Subscription =
        Subscription::new(TELEMETRY_PORT, &[TelemetryType::Function]);

    async fn telemetry(
        &self,
        events: Vec<TelemetryEvent>,
        counters: &TelemetryCounters,
    ) -> Result<(), Error> {
        world::with(|world| world.counters = Some(counters.clone()));
        act("telemetry").await?;
        for event in events {
            let TelemetryEvent::Function(log) = event else {
                problem("an event changed its type".to_owned());
                continue;
            };
            let id: u64 = log.text().parse()?;
            world::with(|world| world.delivered.insert(id));
        }
        Ok(())
    }
}
