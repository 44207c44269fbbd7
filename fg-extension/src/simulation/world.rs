//! What happens in one simulation, and what the extension promised.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::author::Author;
use super::random::Random;
use super::trouble::Trouble;
use crate::{Extension, Port, TelemetryCounters, TelemetryHandler};

/// The record of one simulation.
pub(super) struct World {
    pub(super) random: Random,
    pub(super) start: Instant,
    /// How long the process has been frozen so far.
    pub(super) frozen: Duration,
    /// Whether nothing is left to chance, and everything succeeds, since a test decides what happens.
    pub(super) is_scripted: bool,
    /// The port that telemetry is posted to, which may be that of the invocations.
    pub(super) telemetry_port: Port,
    /// When the author's handlers of invocations, and of telemetry, are in trouble.
    pub(super) troubles: [Trouble; 2],

    /// How long the process had run when the last registration arrived, unless it has a response.
    pub(super) open_registration: Option<Duration>,
    /// How long the process had run when the first and the last subscription arrived, and whether there was a final response.
    pub(super) subscriptions: Option<(Duration, Duration)>,
    pub(super) is_subscription_final: bool,
    /// When a registration was accepted, even if the response is sent later.
    pub(super) registered_at: Option<Instant>,
    /// How long the process had run when a status 200 to the registration was sent.
    pub(super) accepted_after: Option<Duration>,
    /// Whether `init` has completed, so that requests are served.
    pub(super) is_initialized: bool,

    /// How often the handler was called with an invocation, and how often it succeeded.
    pub(super) started: BTreeMap<u64, u32>,
    pub(super) succeeded: BTreeMap<u64, u32>,
    /// Complete invocations without a response, which is a problem if `init` has completed.
    pub(super) unanswered: Vec<String>,

    /// The events that were acknowledged with status 200.
    pub(super) acknowledged: BTreeSet<u64>,
    /// The batches that are being sent, or wait for their responses.
    pub(super) batches_in_flight: u32,
    /// Whether there was a batch without a response, which may be acknowledged all the same.
    pub(super) may_have_received: bool,
    /// The events for which the telemetry handler returned `Ok`.
    pub(super) delivered: BTreeSet<u64>,
    /// How often the telemetry handler failed with an event, timed out or was aborted.
    pub(super) failed_attempts: BTreeMap<u64, u32>,
    /// The last event that was delivered of each client, which are delivered in order.
    pub(super) last_delivered: BTreeMap<u64, u64>,
    pub(super) counters: Option<TelemetryCounters>,
    /// The number of events in the largest batch that is larger than the buffer, which may exceed it.
    pub(super) largest_batch: u64,

    /// The calls of handlers that have not ended, and how long the process had run when the last of them ended.
    pub(super) calls_in_flight: u32,
    pub(super) last_call_ended: Duration,

    /// Whether the extension has ended, so that it no longer learns of a shutdown request.
    pub(super) has_ended: bool,
    /// Whether a shutdown was requested.
    pub(super) is_shutting_down: bool,
    /// How long the process had run when the extension learned of that. A request waits in the backlog until `init` has
    /// completed.
    pub(super) shutdown_after: Option<Duration>,
    /// How often the author's `shutdown` was called.
    pub(super) shutdown_calls: u32,
    /// How long it takes, and whether it fails.
    pub(super) shutdown_takes: Duration,
    pub(super) shutdown_fails: bool,
    /// How often it was not dropped before it ended.
    pub(super) shutdown_completed: u32,

    /// What went wrong.
    pub(super) problems: Vec<String>,
    /// Everything that happened.
    pub(super) steps: Vec<String>,
    next_id: u64,
}

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

/// Starts a new record for this thread.
pub(super) fn start(seed: u64, is_scripted: bool) {
    let mut random = Random::new(seed);
    let troubles = [(); 2].map(|()| Trouble::random(&mut random));
    let telemetry_port = match !is_scripted && random.percent(25) {
        true => Author::PORT,
        false => Author::SUBSCRIPTION.port(),
    };
    // It has a quarter of the time of the shutdown at least.
    let shutdown_takes = match is_scripted {
        true => Duration::ZERO,
        false => random.millis(0..=400),
    };
    let shutdown_fails = !is_scripted && random.percent(10);
    WORLD.set(Some(World {
        random,
        start: Instant::now(),
        frozen: Duration::ZERO,
        is_scripted,
        telemetry_port,
        troubles,
        open_registration: None,
        subscriptions: None,
        is_subscription_final: false,
        registered_at: None,
        accepted_after: None,
        is_initialized: false,
        started: BTreeMap::new(),
        succeeded: BTreeMap::new(),
        unanswered: Vec::new(),
        acknowledged: BTreeSet::new(),
        batches_in_flight: 0,
        may_have_received: false,
        delivered: BTreeSet::new(),
        failed_attempts: BTreeMap::new(),
        last_delivered: BTreeMap::new(),
        counters: None,
        largest_batch: 0,
        calls_in_flight: 0,
        last_call_ended: Duration::ZERO,
        has_ended: false,
        is_shutting_down: false,
        shutdown_after: None,
        shutdown_calls: 0,
        shutdown_takes,
        shutdown_fails,
        shutdown_completed: 0,
        problems: Vec::new(),
        steps: Vec::new(),
        next_id: 0,
    }));
}

pub(super) fn finish() -> World {
    WORLD.take().unwrap()
}

pub(super) fn with<R>(use_world: impl FnOnce(&mut World) -> R) -> R {
    WORLD.with_borrow_mut(|world| use_world(world.as_mut().unwrap()))
}

/// Makes a random choice.
pub(super) fn choose<R>(choice: impl FnOnce(&mut Random) -> R) -> R {
    with(|world| choice(&mut world.random))
}

/// Returns whether a test decides what happens.
pub(super) fn is_scripted() -> bool {
    with(|world| world.is_scripted)
}

pub(super) fn step(text: impl FnOnce() -> String) {
    with(|world| {
        let at = world.start.elapsed().as_millis();
        world.steps.push(format!("{at:>7} ms  {}", text()));
    });
}

pub(super) fn problem(text: String) {
    step(|| format!("PROBLEM: {text}"));
    with(|world| world.problems.push(text));
}

impl World {
    /// Returns how long the process has run so far.
    pub(super) fn running_time(&self) -> Duration {
        self.start.elapsed().saturating_sub(self.frozen)
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Records a registration, which must not be one of two that have no response, unless most of the time is used up.
    pub(super) fn registration_arrived(&mut self) {
        let now = self.running_time();
        if let Some(before) = self.open_registration.replace(now)
            && now - before < (super::REGISTER_TIMEOUT.saturating_sub(before)) / 2
        {
            let text = format!("a registration at {now:?} followed one at {before:?}");
            self.problems.push(text);
        }
    }

    /// Records a subscription, which must not arrive before the registration has been accepted.
    pub(super) fn subscription_arrived(&mut self) {
        let now = self.running_time();
        if self.accepted_after.is_none() {
            let text =
                format!("a subscription arrived at {now:?}, before the registration was accepted");
            self.problems.push(text);
        }
        self.subscriptions = match self.subscriptions {
            Some((first, _)) => Some((first, now)),
            None => Some((now, now)),
        };
    }

    /// Returns how many bytes of telemetry may be in the queue. An empty queue accepts a batch of any size, and what the
    /// queue knows about an event takes more space than its text, which is short here.
    pub(super) fn max_queued(&self) -> u64 {
        super::TELEMETRY_BUFFER * 3 / 2 + 300 * self.largest_batch
    }

    /// Records that a shutdown was requested, and that the extension knows it, unless it has ended before.
    pub(super) fn begin_shutdown(&mut self) {
        self.is_shutting_down = true;
        if self.has_ended {
            return;
        }
        let now = self.running_time();
        self.shutdown_after.get_or_insert(now);
    }
}
