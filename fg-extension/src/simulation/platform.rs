//! The platform and other clients: what they send, and when.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::author::{PORT, TELEMETRY_PORT};
use super::network::{TcpListener, TcpStream, read_status, write_all};
use super::signals;
use super::world::{self, choose, problem, step};

pub(super) const API_PORT: u16 = 9001;

/// Serves the platform's API: registrations and subscriptions, most of which succeed soon.
pub(super) async fn serve_api() {
    let listener = TcpListener::listen(API_PORT);
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(respond(stream));
    }
}

async fn respond(stream: TcpStream) {
    let mut request = [0; 4096];
    let _ = stream.readable().await;
    let length = stream.try_read(&mut request).unwrap_or_default();
    let is_registration = request[..length].starts_with(b"POST /extension/register");
    let (kind, pause) = choose(|random| (random.within(0..=99), random.millis(1..=7000)));
    let what = if is_registration {
        "registration"
    } else {
        "subscription"
    };
    // The page says what a second registration gets only in part, so this platform rejects it.
    let is_duplicate = is_registration && world::with(|world| world.registered_at.is_some());
    let status = match kind {
        _ if is_duplicate => 403,
        0..60 => 200,
        60..75 => {
            if is_registration {
                world::with(|world| world.registered_at = Some(Instant::now()));
            }
            sleep(pause).await;
            200
        }
        75..88 => 503,
        88..95 => {
            step(|| format!("{what} is reset"));
            return stream.reset();
        }
        _ => {
            step(|| format!("{what} has no response"));
            sleep(Duration::from_secs(3600)).await;
            return;
        }
    };
    step(|| format!("{what} gets status {status}"));
    if is_registration && status == 200 {
        world::with(|world| {
            world.registered_at.get_or_insert_with(Instant::now);
        });
    }
    if is_registration && status == 200 {
        world::with(|world| {
            let now = world.running_time();
            world.accepted_after.get_or_insert(now);
        });
    }
    let body = r#"{"functionName":"f","functionVersion":"1"}"#;
    let response = format!(
        "HTTP/1.1 {status} -\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let _ = write_all(&stream, response.as_bytes()).await;
}

/// What a client does with one request.
enum Manner {
    Whole,
    /// In two parts, with a pause between them.
    Halves(Duration),
    /// It never sends the rest.
    Half,
    /// It sends everything, and resets the connection without reading the response.
    Leaves,
}

impl Manner {
    fn random() -> Self {
        let (kind, pause) = choose(|random| (random.within(0..=99), random.millis(1..=4000)));
        match kind {
            0..70 => Self::Whole,
            70..85 => Self::Halves(pause),
            85..93 => Self::Half,
            _ => Self::Leaves,
        }
    }
}

/// Sends a request over a connection. Returns the status, or `None` if there can be no response.
async fn send(stream: &TcpStream, request: &str, manner: &Manner) -> io::Result<Option<u16>> {
    let bytes = request.as_bytes();
    let cut = choose(|random| random.within(1..=bytes.len() as u64 - 1));
    let (first, second) = bytes.split_at(usize::try_from(cut).unwrap());
    match manner {
        Manner::Whole => write_all(stream, bytes).await?,
        Manner::Halves(pause) => {
            write_all(stream, first).await?;
            sleep(*pause).await;
            write_all(stream, second).await?;
        }
        Manner::Half => {
            write_all(stream, first).await?;
            sleep(Duration::from_secs(60)).await;
            return Ok(None);
        }
        Manner::Leaves => {
            write_all(stream, bytes).await?;
            stream.reset();
            return Ok(None);
        }
    }
    read_status(stream).await.map(Some)
}

fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}")
}

async fn connect(port: u16) -> io::Result<TcpStream> {
    let address: SocketAddr = (Ipv4Addr::LOCALHOST, port).into();
    TcpStream::connect(&[address]).await
}

/// Posts invocations over a connection, until it breaks.
pub(super) async fn invoke() {
    let (start, count) = choose(|random| (random.millis(0..=8000), random.within(1..=20)));
    sleep(start).await;
    let Ok(mut stream) = connect(PORT.get()).await else {
        return;
    };
    for _ in 0..count {
        let id = world::with(world::World::next_id);
        let manner = Manner::random();
        let request = post(
            "/extension/invoke",
            &format!(r#"{{"traceId":"{id}","invokedFunctionUrn":"a:b"}}"#),
        );
        let response = send(&stream, &request, &manner).await;
        check_invocation(id, &manner, &response);
        if !matches!(response, Ok(Some(_))) {
            match connect(PORT.get()).await {
                Ok(new) => stream = new,
                Err(_) => return,
            }
        }
        let pause = choose(|random| random.millis(0..=1500));
        sleep(pause).await;
    }
}

fn check_invocation(id: u64, manner: &Manner, response: &io::Result<Option<u16>>) {
    let (started, succeeded, is_shutting_down) = world::with(|world| {
        let count = |counts: &std::collections::HashMap<u64, u32>| {
            counts.get(&id).copied().unwrap_or_default()
        };
        let shutting_down = world.is_shutting_down;
        (
            count(&world.started),
            count(&world.succeeded),
            shutting_down,
        )
    });
    match response {
        Ok(Some(200)) if (started, succeeded) != (1, 1) => problem(format!(
            "invocation {id} got status 200, but was started {started} times and succeeded {succeeded} times"
        )),
        Ok(Some(200)) => {}
        Ok(Some(500)) if succeeded > 0 => {
            // The handler completed, but only after its time limit.
        }
        Ok(Some(500)) if started == 1 || is_shutting_down => {}
        Ok(Some(status)) => problem(format!("invocation {id} got status {status}")),
        // The keep-alive connection may have been closed, or the extension has shut down.
        Err(error) if matches!(manner, Manner::Whole | Manner::Halves(_)) && !is_shutting_down => {
            let text = format!("invocation {id} got no response: {error}");
            step(|| text.clone());
            world::with(|world| world.unanswered.push(text));
        }
        Ok(None) | Err(_) => {}
    }
}

/// Posts batches of telemetry, and repeats those that are rejected with status 503.
pub(super) async fn post_telemetry() {
    let (start, count) = choose(|random| (random.millis(0..=5000), random.within(1..=30)));
    sleep(start).await;
    for _ in 0..count {
        let size = choose(|random| match random.percent(10) {
            true => random.within(100..=400),
            false => random.within(1..=20),
        });
        let ids: Vec<u64> = (0..size)
            .map(|_| world::with(world::World::next_id))
            .collect();
        let events: Vec<String> = ids
            .iter()
            .map(|id| format!(r#"{{"type":"function","record":"{id}"}}"#))
            .collect();
        let request = post("/", &format!("[{}]", events.join(",")));
        for _ in 0..4 {
            let Ok(stream) = connect(TELEMETRY_PORT.get()).await else {
                return;
            };
            let manner = Manner::random();
            match send(&stream, &request, &manner).await {
                Ok(Some(200)) => {
                    world::with(|world| world.acknowledged.extend(&ids));
                    break;
                }
                Ok(Some(503)) => sleep(Duration::from_secs(1)).await,
                Ok(Some(status)) => problem(format!("a batch got status {status}")),
                // Whether the batch was accepted is unknown, so it is not repeated.
                Ok(None) | Err(_) => break,
            }
        }
        let pause = choose(|random| random.millis(0..=1000));
        sleep(pause).await;
    }
}

/// Freezes the process now and then: no task runs while time passes.
pub(super) async fn freeze() {
    let count = choose(|random| random.within(0..=3));
    for _ in 0..count {
        let (pause, duration) =
            choose(|random| (random.millis(0..=9000), random.millis(500..=20_000)));
        sleep(pause).await;
        step(|| format!("frozen for {duration:?}"));
        world::with(|world| world.frozen += duration);
        tokio::time::advance(duration).await;
    }
}

/// Starts the shutdown at some time.
pub(super) async fn shut_down() {
    let (pause, by_request) = choose(|random| (random.millis(0..=25_000), random.percent(30)));
    sleep(pause).await;
    if by_request && let Ok(stream) = connect(PORT.get()).await {
        world::with(|world| world.is_shutting_down = true);
        step(|| "POST /extension/shutdown".to_owned());
        let sent = send(&stream, &post("/extension/shutdown", ""), &Manner::Whole).await;
        if matches!(sent, Ok(Some(200))) {
            begin_shutdown();
        }
        // It may have been lost, for example in the backlog of a process that ended meanwhile.
        sleep(Duration::from_secs(60)).await;
    }
    step(|| "SIGTERM".to_owned());
    begin_shutdown();
    signals::raise("SIGTERM");
}

fn begin_shutdown() {
    world::with(|world| {
        world.is_shutting_down = true;
        let now = world.running_time();
        world.shutdown_after.get_or_insert(now);
    });
}
