//! The platform's API: registrations and subscriptions, most of which succeed soon.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::client::write_all;
use super::network::{TcpListener, TcpStream};
use super::world::{self, World, choose, step};

pub(super) const PORT: u16 = 9001;

/// Serves the API, in some simulations only after a while.
pub(super) async fn serve() {
    let (is_late, pause) = choose(|random| (random.percent(15), random.millis(1..=4000)));
    if is_late && !world::is_scripted() {
        sleep(pause).await;
    }
    let listener = TcpListener::listen(PORT);
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(respond(stream));
    }
}

async fn respond(stream: TcpStream) {
    let mut request = Vec::new();
    while !is_complete(&request) {
        let mut part = [0; 4096];
        let _ = stream.readable().await;
        match stream.try_read(&mut part) {
            Ok(length) if length > 0 => request.extend_from_slice(&part[..length]),
            _ => return,
        }
    }
    let is_registration = request.starts_with(b"POST /extension/register");
    let what = match is_registration {
        true => "registration",
        false => "subscription",
    };
    let (kind, pause) = choose(|random| (random.within(0..=99), random.millis(1..=9500)));
    world::with(match is_registration {
        true => World::registration_arrived,
        false => World::subscription_arrived,
    });
    // The page says what a second registration gets only in part, so this platform rejects it.
    let is_duplicate = is_registration && world::with(|world| world.registered_at.is_some());
    let (status, is_late) = match kind {
        _ if world::is_scripted() => (200, false),
        _ if is_duplicate => (403, false),
        0..60 => (200, false),
        60..75 => (200, true),
        75..86 => (503, false),
        86..88 => (400, false),
        88..95 => {
            step(|| format!("the {what} is reset"));
            world::with(|world| world.open_registration = None);
            return stream.reset();
        }
        _ => {
            step(|| format!("the {what} has no response"));
            sleep(Duration::from_secs(3600)).await;
            return;
        }
    };
    if is_registration && status == 200 {
        world::with(|world| {
            world.registered_at.get_or_insert_with(Instant::now);
        });
    }
    if is_late {
        sleep(pause).await;
    }
    step(|| format!("the {what} gets status {status}"));
    world::with(|world| world.is_subscription_final |= !is_registration && status != 503);
    if is_registration {
        world::with(|world| {
            world.open_registration = None;
            let now = world.running_time();
            if status == 200 {
                world.accepted_after.get_or_insert(now);
            }
        });
    }
    let body = r#"{"functionName":"f","functionVersion":"1"}"#;
    let length = body.len();
    let response = format!("HTTP/1.1 {status} -\r\ncontent-length: {length}\r\n\r\n{body}");
    // In two parts, as a response may arrive.
    let cut = choose(|random| random.within(1..=response.len() as u64));
    let (first, second) = response.split_at(usize::try_from(cut).unwrap());
    let _ = write_all(&stream, first.as_bytes()).await;
    sleep(Duration::from_millis(1)).await;
    let _ = write_all(&stream, second.as_bytes()).await;
}

/// Returns whether a request is complete. A registration has no body, and that of a subscription ends with an array.
fn is_complete(request: &[u8]) -> bool {
    match request.starts_with(b"POST /telemetry") {
        true => request.ends_with(b"]}"),
        false => request.ends_with(b"\r\n\r\n"),
    }
}
