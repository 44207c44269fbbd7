//! What happens to the process: it is frozen, and it is asked to shut down.

use std::time::Duration;

use fg_util::select::select;
use tokio::time::sleep;

use super::author::Author;
use super::client::{Client, Manner, Response, post};
use super::network::after_operations;
use super::world::{self, choose, step};
use super::{invocations, signals};
use crate::Extension;

/// Waits for a random time, or until a random operation on a socket.
async fn at_some_time(longest: u64) {
    let (by_time, pause, operations) = choose(|random| {
        let pause = random.millis(0..=longest);
        (random.percent(50), pause, random.within(0..=600))
    });
    // Some simulations have fewer operations.
    let last = sleep(Duration::from_millis(longest));
    match by_time {
        true => sleep(pause).await,
        false => drop(select(after_operations(operations), last).await),
    }
}

/// Freezes the process now and then: no task runs while time passes.
pub(super) async fn freeze() {
    let count = choose(|random| random.within(0..=3));
    for _ in 0..count {
        at_some_time(9000).await;
        let duration = choose(|random| random.millis(500..=20_000));
        step(|| format!("the process is frozen for {duration:?}"));
        world::with(|world| world.frozen += duration);
        tokio::time::advance(duration).await;
    }
}

/// Requests the shutdown at some time, in some simulations just after invocations have arrived.
pub(super) async fn shut_down() {
    let (by_request, has_burst) = choose(|random| (random.percent(30), random.percent(30)));
    at_some_time(25_000).await;
    if has_burst {
        for _ in 0..choose(|random| random.within(1..=5)) {
            tokio::spawn(invocations::invoke_once());
        }
        // They connect and send, and the extension has not accepted them yet.
        for _ in 0..2 {
            tokio::task::yield_now().await;
        }
    }
    if by_request && let Ok(mut client) = Client::connect(Author::PORT).await {
        world::with(|world| world.is_shutting_down = true);
        step(|| "POST /extension/shutdown".to_owned());
        let request = post("/extension/shutdown", "");
        let response = client.send(request.as_bytes(), &Manner::Whole).await;
        if matches!(response, Response::Status(200)) {
            world::with(world::World::begin_shutdown);
        }
        // It may have been lost, for example in the backlog of a process that has ended.
        sleep(Duration::from_secs(60)).await;
    }
    step(|| "SIGTERM".to_owned());
    world::with(world::World::begin_shutdown);
    signals::raise("SIGTERM");
}
