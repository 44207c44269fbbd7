//! The platform's telemetry.

use std::time::Duration;

use tokio::time::sleep;

use super::client::{Client, Manner, Response, post};
use super::world::{self, choose, problem, step};

/// The maximum number of clients that post telemetry. The number of a client is the remainder of the numbers of its events.
pub(super) const CLIENTS: u64 = 4;

/// From this number of events on, a batch is larger than the buffer.
const LARGE: u64 = 100;

/// Posts batches of telemetry, and repeats those that are rejected with status 503.
pub(super) async fn post_batches(client: u64) {
    let (start, count) = choose(|random| (random.millis(0..=5000), random.within(1..=30)));
    sleep(start).await;
    for _ in 0..count {
        if !post_batch(client).await {
            return;
        }
        let pause = choose(|random| random.millis(0..=1000));
        sleep(pause).await;
    }
}

/// Returns `false` if the extension has ended.
async fn post_batch(client: u64) -> bool {
    let size = choose(|random| match random.within(0..=99) {
        // The body is so large that it counts as a large one.
        0 => random.within(400..=500),
        1..=10 => random.within(20..=80),
        _ => random.within(1..=20),
    });
    let ids: Vec<u64> = (0..size)
        .map(|_| world::with(world::World::next_id) * CLIENTS + client)
        .collect();
    if size >= LARGE {
        world::with(|world| world.largest_batch = world.largest_batch.max(size));
    }
    let events: Vec<String> = ids
        .iter()
        // The text is longer than what the queue knows about an event besides.
        .map(|id| format!(r#"{{"type":"function","record":"{id:0>150}"}}"#))
        .collect();
    let request = post("/", &format!("[{}]", events.join(",")));
    for _ in 0..4 {
        let port = world::with(|world| world.telemetry_port);
        let Ok(mut connection) = Client::connect(port).await else {
            return false;
        };
        let before = received_by_empty_queue();
        world::with(|world| world.batches_in_flight += 1);
        let response = connection.send(request.as_bytes(), &Manner::random()).await;
        world::with(|world| world.batches_in_flight -= 1);
        match response {
            Response::Status(200) => {
                step(|| format!("{size} events were acknowledged"));
                world::with(|world| world.acknowledged.extend(&ids));
                break;
            }
            Response::Status(503) => {
                if before.is_some() && before == received_by_empty_queue() {
                    problem(format!(
                        "a batch of {size} events was rejected without a reason"
                    ));
                }
                sleep(Duration::from_secs(1)).await;
            }
            Response::Status(status) => problem(format!("a batch got status {status}")),
            Response::Missing {
                was_owed: true,
                error,
            } => {
                // Before `init` has completed, an extension that cannot register just ends.
                let text = format!("{size} events got no response: {error}");
                world::with(|world| world.unanswered.push(text));
                break;
            }
            // Whether the batch was accepted is unknown, so it is not repeated.
            Response::Missing { .. } | Response::NotExpected => {
                world::with(|world| world.may_have_received = true);
                break;
            }
        }
    }
    true
}

/// Returns how many events were received so far, if the queue is empty and no large body is being read. Otherwise returns `None`.
///
/// If the number stays the same while a batch is sent, the batch must be accepted.
fn received_by_empty_queue() -> Option<u64> {
    world::with(|world| {
        let counters = world.counters.as_ref();
        let (received, queued) = match counters {
            Some(counters) => (counters.received(), counters.bytes_queued()),
            // The handler was not called yet.
            None if world.acknowledged.is_empty()
                && !world.may_have_received
                && world.batches_in_flight == 0 =>
            {
                (0, 0)
            }
            None => return None,
        };
        let is_empty = !world.is_shutting_down && world.largest_batch == 0 && queued == 0;
        is_empty.then_some(received)
    })
}
