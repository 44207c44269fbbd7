//! The platform's invocations, and clients that only connect.

use std::time::Duration;

use tokio::time::sleep;

use super::author::Author;
use super::client::{Client, Manner, Response, post};
use super::world::{self, World, choose, problem, step};
use crate::Extension;

/// Posts invocations over a connection, and over a new one when it breaks.
pub(super) async fn invoke() {
    let (start, count) = choose(|random| (random.millis(0..=8000), random.within(1..=20)));
    sleep(start).await;
    let Ok(mut client) = Client::connect(Author::PORT).await else {
        return;
    };
    for _ in 0..count {
        let manner = Manner::random();
        // The second response may come too late for a client that closes its sending side.
        let can_be_pair = !matches!(manner, Manner::HalfCloses);
        let is_pair = can_be_pair && choose(|random| random.percent(8));
        let ids: Vec<_> = (0..=u64::from(is_pair))
            .map(|_| world::with(World::next_id))
            .collect();
        let requests: String = ids.iter().copied().map(request).collect();
        let mut response = client.send(requests.as_bytes(), &manner).await;
        check(ids[0], &response, is_pair);
        if let ([_, second], Response::Status(_)) = (&ids[..], &response) {
            response = client.receive().await;
            check(*second, &response, is_pair);
        }
        let has_response = matches!(response, Response::Status(_));
        if has_response && client.has_more() {
            problem(format!("there is more than the response to {ids:?}"));
        }
        if !has_response || matches!(manner, Manner::HalfCloses) {
            match Client::connect(Author::PORT).await {
                Ok(new) => client = new,
                Err(_) => return,
            }
        }
        let pause = choose(|random| random.millis(0..=1500));
        sleep(pause).await;
    }
}

fn request(id: u64) -> String {
    let body = format!(r#"{{"traceId":"{id}","invokedFunctionUrn":"a:b"}}"#);
    post("/extension/invoke", &body)
}

/// Checks a response.
fn check(id: u64, response: &Response, is_pair: bool) {
    let (started, succeeded, is_shutting_down) = world::with(|world| {
        let started = world.started.get(&id).copied().unwrap_or_default();
        let succeeded = world.succeeded.get(&id).copied().unwrap_or_default();
        (started, succeeded, world.is_shutting_down)
    });
    match response {
        Response::Status(200) if (started, succeeded) != (1, 1) => problem(format!(
            "invocation {id} got status 200, but was started {started} times and succeeded {succeeded} times"
        )),
        Response::Status(200) => {}
        // The handler failed or exceeded its time limit. In a shutdown, it may have been aborted before it started.
        Response::Status(500) if (started, succeeded) == (1, 0) || is_shutting_down => {}
        Response::Status(status) => problem(format!("invocation {id} got status {status}")),
        Response::Missing { was_owed, error } => {
            let is_owed = match is_pair {
                // The second of two requests need not be served in a shutdown. If it has not even been read, the connection
                // is reset, and the response to the first may be lost.
                true => *was_owed && !is_shutting_down,
                // A handler that was started has to be waited for, or aborted, which has a response.
                false => *was_owed || started > 0,
            };
            let text = format!("invocation {id} got no response: {error}");
            step(|| text.clone());
            if is_owed {
                world::with(|world| world.unanswered.push(text));
            }
        }
        Response::NotExpected => {}
    }
}

/// Posts one invocation.
pub(super) async fn invoke_once() {
    let id = world::with(World::next_id);
    if let Ok(mut client) = Client::connect(Author::PORT).await {
        let response = client.send(request(id).as_bytes(), &Manner::Whole).await;
        check(id, &response, false);
    }
}

/// Opens many connections, and sends nothing.
pub(super) async fn crowd() {
    let (start, count) = choose(|random| (random.millis(0..=8000), random.within(200..=500)));
    sleep(start).await;
    step(|| format!("{count} clients connect"));
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.extend(Client::connect(Author::PORT).await);
    }
    sleep(Duration::from_secs(30)).await;
}
