//! The extension of an author whose code is slow, fails, panics and hangs.

use std::time::Duration;

use tokio::time::sleep;

use super::trouble::Act;
use super::world::{self, choose, problem, step};
use super::{ABORTED_AFTER, TELEMETRY_TIMEOUT, TOLERANCE};
use crate::{
    Error, Extension, ExtensionName, Invocation, Port, Registration, Subscription,
    TelemetryCounters, TelemetryEvent, TelemetryHandler, TelemetryType,
};

const TELEMETRY_PORT: Port = Port::new(8082);

/// The time limit of an invocation.
const TIMEOUT: Duration = Duration::from_secs(2);

pub(super) struct Author;

/// The handlers, as indices of their troubles.
#[derive(Clone, Copy, Debug)]
enum Handler {
    Invoke,
    Telemetry,
}

impl Handler {
    /// Returns how long a call may run at most.
    fn longest(self) -> Duration {
        match self {
            Self::Invoke => TIMEOUT,
            Self::Telemetry => TELEMETRY_TIMEOUT / 2,
        }
    }
}

/// A call of a handler, which must not be dropped too early.
struct Call {
    handler: Handler,
    /// How long it may run, unless there is a shutdown.
    limit: Duration,
    started_after: Duration,
    is_complete: bool,
}

impl Call {
    fn start(handler: Handler, limit: Duration) -> Self {
        let started_after = world::with(|world| {
            world.calls_in_flight += 1;
            world.running_time()
        });
        Self {
            handler,
            limit,
            started_after,
            is_complete: false,
        }
    }

    async fn act(&mut self) -> Result<(), Error> {
        let handler = self.handler;
        let act = world::with(|world| {
            let now = world.running_time();
            let trouble = world.troubles[handler as usize];
            match world.is_scripted {
                true => Act::Succeed,
                false => trouble.act(now, &mut world.random),
            }
        });
        step(|| format!("{handler:?}: {act:?}"));
        match act {
            Act::Succeed => {}
            Act::Sleep(pause) => sleep(pause).await,
            Act::Fail => {
                self.is_complete = true;
                return Err("not this time".into());
            }
            Act::Panic => panic!("{handler:?} panics"),
            Act::Hang => sleep(Duration::from_secs(3600)).await,
        }
        self.is_complete = true;
        Ok(())
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let (now, shutdown) = world::with(|world| {
            let now = world.running_time();
            world.calls_in_flight -= 1;
            world.last_call_ended = now;
            (now, world.shutdown_after)
        });
        let ran = now - self.started_after;
        if ran > self.handler.longest() + TOLERANCE {
            problem(format!("{:?} ran for {ran:?}", self.handler));
        }
        // A panic ends it, too.
        if self.is_complete || std::thread::panicking() {
            return;
        }
        let is_late = ran + TOLERANCE >= self.limit;
        let is_aborted = shutdown.is_some_and(|at| now - at + TOLERANCE >= ABORTED_AFTER);
        if !is_late && !is_aborted {
            problem(format!("{:?} was dropped after {ran:?}", self.handler));
        }
    }
}

impl Extension for Author {
    const NAME: ExtensionName = ExtensionName::new("extensionSimulated.sh");
    const PORT: Port = Port::new(8081);
    const TIMEOUT: Option<Duration> = Some(TIMEOUT);

    async fn init(_: &Registration) -> Result<Self, Error> {
        let (pause, kind) = choose(|random| (random.millis(0..=500), random.within(0..=99)));
        match kind {
            _ if world::is_scripted() => {}
            0..2 => return Err("init fails".into()),
            2..10 => sleep(10 * pause).await,
            _ => sleep(pause).await,
        }
        world::with(|world| world.is_initialized = true);
        Ok(Self)
    }

    async fn invoke(&self, invocation: Invocation) -> Result<(), Error> {
        let id: u64 = invocation.trace_id.parse()?;
        world::with(|world| *world.started.entry(id).or_default() += 1);
        Call::start(Handler::Invoke, TIMEOUT).act().await?;
        world::with(|world| *world.succeeded.entry(id).or_default() += 1);
        Ok(())
    }

    async fn shutdown(&self) -> Result<(), Error> {
        step(|| "shutdown is called".to_owned());
        let calls = world::with(|world| {
            world.shutdown_calls += 1;
            world.calls_in_flight
        });
        if calls > 0 {
            problem(format!("shutdown is called with {calls} calls in flight"));
        }
        let (takes, fails) = world::with(|world| (world.shutdown_takes, world.shutdown_fails));
        sleep(takes).await;
        world::with(|world| world.shutdown_completed += 1);
        match fails {
            true => Err("shutdown fails".into()),
            false => Ok(()),
        }
    }
}

/// The events that the telemetry handler is called with. Unless they are delivered, the attempt has failed.
struct Attempt(Vec<u64>);

impl Attempt {
    fn new(events: &[TelemetryEvent]) -> Self {
        let mut ids = Vec::new();
        for event in events {
            match event {
                TelemetryEvent::Function(log) => ids.push(log.text().parse().unwrap()),
                other => problem(format!("an event is not a log: {other:?}")),
            }
        }
        Self(ids)
    }

    /// Returns how long the call may run: an attempt has half of the time that is left.
    fn limit(&self) -> Duration {
        let failed = world::with(|world| {
            let failed = self.0.iter().map(|id| world.failed_attempts.get(id));
            failed.flatten().copied().max().unwrap_or_default()
        });
        // The pauses take some of it, too.
        TELEMETRY_TIMEOUT / 2 / 3_u32.saturating_pow(failed)
    }

    fn succeed(mut self) {
        for id in std::mem::take(&mut self.0) {
            let client = id % super::telemetry::CLIENTS;
            let (is_new, last) = world::with(|world| {
                let last = world.last_delivered.insert(client, id);
                (world.delivered.insert(id), last)
            });
            if !is_new {
                problem(format!("event {id} was delivered twice"));
            } else if let Some(last) = last.filter(|last| *last > id) {
                problem(format!("event {id} was delivered after event {last}"));
            }
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        world::with(|world| {
            for id in &self.0 {
                *world.failed_attempts.entry(*id).or_default() += 1;
            }
        });
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
        let (queued, limit) = (
            counters.bytes_queued(),
            world::with(|world| world.max_queued()),
        );
        if queued > limit {
            problem(format!(
                "{queued} bytes are queued, and the limit is {limit}"
            ));
        }
        let attempt = Attempt::new(&events);
        Call::start(Handler::Telemetry, attempt.limit())
            .act()
            .await?;
        attempt.succeed();
        Ok(())
    }
}
