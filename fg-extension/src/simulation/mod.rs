//! A seeded simulation of the runtime: random schedules of requests, failures, freezes and signals, on a network in memory
//! and with paused time.
//!
//! Everything but the sockets, the signals and the second thread is the code of the runtime. A failure prints its seed;
//! `FG_SIMULATION_SEED=<seed>` replays it, and `FG_SIMULATION_RUNS=<runs>` runs more.

mod author;
pub(crate) mod network;
mod platform;
mod random;
pub(crate) mod signals;
pub(crate) mod watchdog;
mod world;

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use author::Author;
use world::World;

use crate::config::{Config, TelemetryConfig};
use crate::http::reading;
use crate::{Extension, RunError, TelemetryCounters, TelemetryHandler, run};

/// How many schedules are run by default.
const RUNS: u64 = 1000;

const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);
const REGISTER_TIMEOUT: Duration = Duration::from_secs(10);

/// What a shutdown may take longer than its timeout: the time between two ticks, and the granularity of timers.
const TOLERANCE: Duration = Duration::from_millis(250);

#[test]
fn random_schedules_keep_every_promise() {
    let variable = |name| std::env::var(name).ok().map(|value| value.parse().unwrap());
    if let Some(seed) = variable("FG_SIMULATION_SEED") {
        let world = simulate(seed);
        println!("{}", world.steps.join("\n"));
        assert!(world.problems.is_empty(), "{:#?}", world.problems);
        return;
    }
    for seed in 0..variable("FG_SIMULATION_RUNS").unwrap_or(RUNS) {
        // In a thread of its own, so that no state is left of the run before.
        let run = std::thread::spawn(move || simulate(seed));
        let world = run
            .join()
            .unwrap_or_else(|_| panic!("seed {seed} panicked"));
        assert!(
            world.problems.is_empty(),
            "FG_SIMULATION_SEED={seed} replays this: {:#?}",
            world.problems
        );
    }
}

fn simulate(seed: u64) -> World {
    crate::panics::install_hook();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        world::start(seed);
        let mut actors = JoinSet::new();
        tokio::spawn(platform::serve_api());
        tokio::spawn(platform::freeze());
        tokio::spawn(platform::shut_down());
        for _ in 0..world::choose(|random| random.within(1..=6)) {
            actors.spawn(platform::invoke());
        }
        for _ in 0..world::choose(|random| random.within(1..=4)) {
            actors.spawn(platform::post_telemetry());
        }
        let result = timeout(Duration::from_secs(3600), tokio::spawn(extension())).await;
        let stopped = world::with(|world| world.running_time());
        // The clients read the last responses.
        let _ = timeout(Duration::from_secs(120), actors.join_all()).await;
        match result {
            Ok(Ok(result)) => check(&result, stopped),
            Ok(Err(panic)) => world::problem(format!("the runtime panicked: {panic}")),
            Err(_) => world::problem("the extension did not end".to_owned()),
        }
    });
    world::finish()
}

async fn extension() -> Result<(), RunError> {
    let settings = |name| {
        let value = match name {
            "EXTENSION_API_ADDR" => format!("127.0.0.1:{}", platform::API_PORT),
            "FG_SHUTDOWN_TIMEOUT" => format!("{}ms", SHUTDOWN_TIMEOUT.as_millis()),
            "FG_REGISTER_TIMEOUT" => format!("{}ms", REGISTER_TIMEOUT.as_millis()),
            "FG_TELEMETRY_BUFFER" => "20KB".to_owned(),
            "FG_TELEMETRY_TIMEOUT" => "10s".to_owned(),
            _ => return None,
        };
        Some(value.into())
    };
    let config = Config::from(settings, Author::NAME, Author::PORT)?;
    let telemetry = TelemetryConfig::from(
        settings,
        Author::NAME,
        Author::PORT,
        Author::SUBSCRIPTION,
        &config,
    )?;
    let startup = run::Startup::with_config::<Author>(config, None)?;
    startup.run_with_telemetry::<Author>(&telemetry).await
}

/// Checks what the extension promised, once it has ended.
fn check(result: &Result<(), RunError>, stopped: Duration) {
    world::step(|| format!("the extension ended: {result:?}"));
    let (problems, took) = world::with(|world| {
        let mut problems = Vec::new();
        let is_registered = !result
            .as_ref()
            .is_err_and(|error| error.is_rejected() || error.is_register_timeout());
        if is_registered {
            problems.append(&mut world.unanswered);
        } else if world
            .accepted_after
            .is_some_and(|after| after < REGISTER_TIMEOUT)
        {
            problems.push(format!("the registration was accepted, but: {result:?}"));
        }
        for (id, count) in &world.started {
            if *count > 1 {
                problems.push(format!("invocation {id} was started {count} times"));
            }
        }
        let missing = world.acknowledged.difference(&world.delivered).count() as u64;
        let lost = world.counters.as_ref().map(TelemetryCounters::lost);
        // Without a call of the handler there are no counters, but the error tells.
        let is_reported = match lost {
            Some(lost) => lost >= missing,
            None => true,
        };
        if missing > 0 && !(is_reported && result.is_err()) {
            problems.push(format!(
                "{missing} acknowledged events were not delivered, but {lost:?} counted as lost"
            ));
        }
        if let Some(counters) = &world.counters {
            let (received, settled) = (counters.received(), counters.delivered() + counters.lost());
            if received != settled {
                problems.push(format!(
                    "{received} events were received, and {settled} settled"
                ));
            }
            if counters.lost() > 0 && result.is_ok() {
                problems.push("the exit status hides lost events".to_owned());
            }
        }
        let took = world
            .shutdown_after
            .map(|after| stopped.saturating_sub(after));
        if let Some(took) = took
            && took > SHUTDOWN_TIMEOUT + TOLERANCE
        {
            problems.push(format!("the shutdown took {took:?}"));
        }
        if !reading::is_unused() {
            problems.push("the memory of a body is still reserved".to_owned());
        }
        (problems, took)
    });
    world::step(|| format!("the shutdown took {took:?}"));
    problems.into_iter().for_each(world::problem);
}
