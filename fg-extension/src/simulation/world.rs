//! What happens in one simulation, and what the extension promised.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use super::random::Random;
use crate::TelemetryCounters;

/// The record of one simulation.
pub(super) struct World {
    pub(super) random: Random,
    /// How often the handler was called with an invocation, and how often it succeeded.
    pub(super) started: HashMap<u64, u32>,
    pub(super) succeeded: HashMap<u64, u32>,
    /// The events that were acknowledged with status 200.
    pub(super) acknowledged: HashSet<u64>,
    /// The events for which the telemetry handler returned `Ok`.
    pub(super) delivered: HashSet<u64>,
    pub(super) counters: Option<TelemetryCounters>,
    /// When the process had run for how long, and a status 200 to the registration was sent.
    pub(super) accepted_after: Option<Duration>,
    /// When a registration was accepted, even if the response is sent later.
    pub(super) registered_at: Option<Instant>,
    /// Whether a shutdown was requested.
    pub(super) is_shutting_down: bool,
    /// How long the process had run when the extension learned of that. A request waits in the backlog until `init` has completed.
    pub(super) shutdown_after: Option<Duration>,
    /// How long the process has been frozen so far.
    pub(super) frozen: Duration,
    /// Invocations without a response, which is a problem unless the extension could not register.
    pub(super) unanswered: Vec<String>,
    /// What went wrong.
    pub(super) problems: Vec<String>,
    /// The last steps, for a simulation that is replayed.
    pub(super) steps: Vec<String>,
    pub(super) start: Instant,
    next_id: u64,
}

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

/// Starts a new record for this thread.
pub(super) fn start(seed: u64) {
    WORLD.set(Some(World {
        random: Random::new(seed),
        started: HashMap::new(),
        succeeded: HashMap::new(),
        acknowledged: HashSet::new(),
        delivered: HashSet::new(),
        counters: None,
        accepted_after: None,
        registered_at: None,
        is_shutting_down: false,
        shutdown_after: None,
        frozen: Duration::ZERO,
        unanswered: Vec::new(),
        problems: Vec::new(),
        steps: Vec::new(),
        start: Instant::now(),
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
}
