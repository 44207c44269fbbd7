//! A seeded simulation of the runtime: random schedules of requests, failures, freezes and signals, on a network in memory
//! and with paused time.
//!
//! Everything but the sockets, the signals and the second thread is the code of the runtime. A failure prints its seed;
//! `FG_SIMULATION_SEED=<seed>` replays it, and `FG_SIMULATION_RUNS=<runs>` runs more.

mod api;
mod author;
mod client;
mod events;
mod invocations;
mod limits;
pub(crate) mod network;
mod promises;
mod random;
pub(crate) mod signals;
mod telemetry;
mod trouble;
pub(crate) mod watchdog;
mod world;

use std::io::Write as _;
use std::time::Duration;

use fg_util::backoff;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::timeout;

use author::Author;
use random::Random;
use world::World;

use crate::config::{Config, TelemetryConfig};
use crate::{Extension, RunError, TelemetryHandler, run};

/// How many schedules are run by default.
const RUNS: u64 = 1000;

const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);
/// When handlers are aborted in a shutdown: a quarter of its time is reserved for the author's `shutdown`.
const ABORTED_AFTER: Duration = Duration::from_millis(1500);
const REGISTER_TIMEOUT: Duration = Duration::from_secs(10);
const TELEMETRY_TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum number of bytes of telemetry that are queued.
const TELEMETRY_BUFFER: u64 = 20_000;

/// What a shutdown may take longer than its timeout: the time between two ticks, and the granularity of timers.
const TOLERANCE: Duration = Duration::from_millis(250);

#[test]
fn random_schedules_keep_every_promise() {
    let variable = |name| std::env::var(name).ok().map(|value| value.parse().unwrap());
    if let Some(seed) = variable("FG_SIMULATION_SEED") {
        let world = simulate(seed);
        // Not `println`, whose output is only shown if the test fails.
        let _ = writeln!(std::io::stderr(), "{}", world.steps.join("\n"));
        assert!(world.problems.is_empty(), "{:#?}", world.problems);
        return;
    }
    for seed in 0..variable("FG_SIMULATION_RUNS").unwrap_or(RUNS) {
        // In a thread of its own, so that no state is left of the run before.
        let run = std::thread::spawn(move || simulate(seed));
        let world = run
            .join()
            .unwrap_or_else(|_| panic!("`FG_SIMULATION_SEED={seed} cargo test -p fg-extension --lib simulation` replays this:\n    a panic"));
        assert!(
            world.problems.is_empty(),
            "`FG_SIMULATION_SEED={seed} cargo test -p fg-extension --lib simulation` replays this: {:#?}",
            world.problems
        );
    }
}

#[test]
fn seed_determines_what_happens() {
    for seed in 0..20 {
        let steps = || std::thread::spawn(move || simulate(seed).steps).join();
        assert_eq!(steps().unwrap(), steps().unwrap(), "seed {seed}");
    }
}

/// Returns a runtime whose time passes when all tasks wait.
fn runtime() -> Runtime {
    crate::panics::install_hook();
    backoff::simulation::set_random(|| world::choose(Random::fraction));
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap()
}

fn simulate(seed: u64) -> World {
    runtime().block_on(async {
        world::start(seed, false);
        let mut actors = JoinSet::new();
        let (has_short_reads, max_read, has_crowd) = world::choose(|random| {
            let max_read = random.within(1..=100);
            (random.percent(20), max_read, random.percent(10))
        });
        if has_short_reads {
            network::set_max_read(usize::try_from(max_read).unwrap());
        }
        tokio::spawn(api::serve());
        tokio::spawn(events::freeze());
        tokio::spawn(events::shut_down());
        for _ in 0..world::choose(|random| random.within(1..=6)) {
            actors.spawn(invocations::invoke());
        }
        for client in 0..world::choose(|random| random.within(1..=telemetry::CLIENTS)) {
            actors.spawn(telemetry::post_batches(client));
        }
        if has_crowd {
            actors.spawn(invocations::crowd());
        }
        let result = timeout(Duration::from_secs(3600), tokio::spawn(extension())).await;
        let stopped = world::with(|world| {
            world.has_ended = true;
            world.running_time()
        });
        world::step(|| format!("the extension ended: {result:?}"));
        // The clients read the last responses.
        let _ = timeout(Duration::from_secs(120), actors.join_all()).await;
        match result {
            Ok(Ok(result)) => promises::check(&result, stopped),
            Ok(Err(panic)) => world::problem(format!("the runtime panicked: {panic}")),
            Err(_) => world::problem("the extension did not end".to_owned()),
        }
    });
    world::finish()
}

async fn extension() -> Result<(), RunError> {
    let settings = |name: &str| {
        let value = match name {
            "EXTENSION_API_ADDR" => format!("127.0.0.1:{}", api::PORT),
            "FG_TELEMETRY_PORT" => world::with(|world| world.telemetry_port).to_string(),
            "FG_SHUTDOWN_TIMEOUT" => format!("{}ms", SHUTDOWN_TIMEOUT.as_millis()),
            "FG_REGISTER_TIMEOUT" => format!("{}ms", REGISTER_TIMEOUT.as_millis()),
            "FG_TELEMETRY_BUFFER" => format!("{}KB", TELEMETRY_BUFFER / 1000),
            "FG_TELEMETRY_TIMEOUT" => format!("{}s", TELEMETRY_TIMEOUT.as_secs()),
            _ => return None,
        };
        Some(value.into())
    };
    let config = Config::from_variables(settings, Author::NAME, Author::PORT)?;
    let telemetry = TelemetryConfig::from_variables(
        settings,
        Author::NAME,
        Author::PORT,
        Author::SUBSCRIPTION,
        &config,
    )?;
    let startup = run::Startup::with_config::<Author>(config, None)?;
    startup.run_with_telemetry::<Author>(&telemetry).await
}
