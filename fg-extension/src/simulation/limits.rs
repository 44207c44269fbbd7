//! Tests of the time limits of requests, which take no time since the time of a simulation is paused.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, advance, sleep};

use super::author::Author;
use super::client::{Client, Manner, Response};
use super::{api, extension, signals, world};
use crate::{Extension, Port, RunError, TelemetryHandler};

const SECOND: Duration = Duration::from_secs(1);

/// How long a header, or the next part of a body, may take.
const PART: Duration = Duration::from_secs(5);
/// How long a whole body may take.
const BODY: Duration = Duration::from_secs(30);
/// How long the rest of a request may take in a shutdown.
const REST_IN_SHUTDOWN: Duration = Duration::from_millis(150);

type Running = JoinHandle<Result<(), RunError>>;

/// Runs an extension whose handlers succeed, on both ports one after the other.
fn run<F: Future>(scenario: impl Fn(Port, Running) -> F + Sync) {
    let on_port = |port| {
        super::runtime().block_on(async {
            world::start(0, true);
            tokio::spawn(api::serve());
            let extension = tokio::spawn(extension());
            // It is registered and subscribed then.
            sleep(SECOND).await;
            scenario(port, extension).await;
        });
        let world = world::finish();
        assert!(world.problems.is_empty(), "{:?}", world.problems);
    };
    // Each in a thread of its own, so that no state is left of the run before.
    std::thread::scope(|scope| {
        for port in [Author::PORT, Author::SUBSCRIPTION.port()] {
            let on_port = &on_port;
            scope.spawn(move || on_port(port));
        }
    });
}

/// Returns a request that the port accepts.
fn request(port: Port) -> String {
    let id = world::with(world::World::next_id);
    let (path, body) = match port == Author::PORT {
        true => (
            "/extension/invoke",
            format!(r#"{{"traceId":"{id}","invokedFunctionUrn":"a:b"}}"#),
        ),
        false => ("/", format!(r#"[{{"type":"function","record":"{id}"}}]"#)),
    };
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}")
}

fn split(request: &str) -> (&str, &str) {
    request.split_at(request.find("\r\n\r\n").unwrap() + 4)
}

async fn is_served(client: &mut Client, port: Port) -> bool {
    let response = client.send(request(port).as_bytes(), &Manner::Whole).await;
    matches!(response, Response::Status(200))
}

/// Sends the bytes one by one, with a pause before each, until the extension closes the connection. Returns how long that
/// took.
async fn trickle(client: &Client, bytes: &str, pause: Duration) -> Duration {
    let start = Instant::now();
    let send = async {
        for byte in bytes.bytes() {
            sleep(pause).await;
            if client.write_all(&[byte]).await.is_err() {
                return;
            }
        }
        std::future::pending().await
    };
    fg_util::select::select(client.closed(), send).await;
    start.elapsed()
}

fn assert_about(time: Duration, limit: Duration) {
    let tolerance = Duration::from_millis(50);
    assert!(time >= limit && time < limit + tolerance, "{time:?}");
}

#[test]
fn header_has_five_seconds_from_its_first_byte() {
    run(async |port, _| {
        let client = Client::connect(port).await.unwrap();
        // A connection may stay open without a request.
        sleep(100 * SECOND).await;
        let took = trickle(&client, &request(port), SECOND).await;
        // The first byte comes after a second.
        assert_about(took, SECOND + PART);
    });
}

#[test]
fn connection_that_was_served_is_kept_until_the_next_header_takes_too_long() {
    run(async |port, _| {
        let mut client = Client::connect(port).await.unwrap();
        for _ in 0..2 {
            assert!(is_served(&mut client, port).await);
            sleep(1000 * SECOND).await;
        }
        assert_about(trickle(&client, "P", SECOND).await, SECOND + PART);
    });
}

#[test]
fn body_may_pause_but_not_for_ever() {
    run(async |port, _| {
        let request = request(port);
        let (header, body) = split(&request);
        let mut client = Client::connect(port).await.unwrap();
        client.write_all(header.as_bytes()).await.unwrap();
        for part in body.as_bytes().chunks(8) {
            sleep(PART - SECOND / 10).await;
            client.write_all(part).await.unwrap();
        }
        assert!(matches!(client.receive().await, Response::Status(200)));

        client.write_all(header.as_bytes()).await.unwrap();
        let start = Instant::now();
        client.closed().await;
        assert_about(start.elapsed(), PART);
    });
}

#[test]
fn trickled_body_has_thirty_seconds() {
    run(async |port, _| {
        let request = request(port);
        let (header, _) = split(&request);
        let client = Client::connect(port).await.unwrap();
        let long = header.replace("content-length: ", "content-length: 9");
        client.write_all(long.as_bytes()).await.unwrap();
        let took = trickle(&client, &" ".repeat(900), SECOND).await;
        assert_about(took, BODY);
    });
}

#[test]
fn time_in_which_the_process_is_frozen_does_not_count() {
    run(async |port, _| {
        // In the header, and in the body.
        for cut in [20, request(port).len() - 10] {
            let request = request(port);
            let mut client = Client::connect(port).await.unwrap();
            let (first, second) = request.split_at(cut);
            client.write_all(first.as_bytes()).await.unwrap();
            for _ in 0..3 {
                sleep(SECOND).await;
                advance(100 * SECOND).await;
            }
            client.write_all(second.as_bytes()).await.unwrap();
            assert!(matches!(client.receive().await, Response::Status(200)));
        }
    });
}

#[test]
fn rest_of_a_request_has_little_time_in_a_shutdown() {
    run(async |port, extension| {
        let request = request(port);
        let mut clients = Vec::new();
        for cut in [1, 20, request.len() - 10, request.len() - 1] {
            let client = Client::connect(port).await.unwrap();
            client.write_all(&request.as_bytes()[..cut]).await.unwrap();
            clients.push((client, cut));
        }
        sleep(SECOND).await;
        world::with(world::World::begin_shutdown);
        signals::raise("SIGTERM");
        let start = Instant::now();
        // The rest of the last one is one packet behind.
        sleep(REST_IN_SHUTDOWN / 2).await;
        let (mut complete, cut) = clients.pop().unwrap();
        complete
            .write_all(&request.as_bytes()[cut..])
            .await
            .unwrap();
        assert!(matches!(complete.receive().await, Response::Status(200)));
        for (client, _) in &clients {
            client.closed().await;
        }
        assert_about(start.elapsed(), REST_IN_SHUTDOWN);
        extension.await.unwrap().unwrap();
        assert_about(start.elapsed(), REST_IN_SHUTDOWN);
    });
}
