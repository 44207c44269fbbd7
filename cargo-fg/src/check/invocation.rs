//! INV and FRZ: events, in all the ways in which they may come.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use fg_emulator::Platform;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::client::{Answer, Connection, post};
use super::report::{Finding, Report};

const PATH: &str = "/extension/invoke";
/// How many at once.
pub(super) const MANY: usize = 64;
/// How long all of them may take: one after another is slow, and a short backlog makes the kernel try again after
/// 1, 3, 7, 15 and 31 seconds.
const MANY_IN: Duration = Duration::from_secs(60);
/// How long the first of them may take.
const FIRST_IN: Duration = Duration::from_secs(10);
/// How long one may take beside another that is not whole.
const BESIDE_IN: Duration = Duration::from_secs(3);
/// How long an answer is waited for that must not come, since the process is stopped.
const MOMENT: Duration = Duration::from_millis(50);

/// The documented event (D 2707), with a trace id of its own.
pub(super) fn event() -> String {
    event_with(&json!({}))
}

fn event_with(fields: &serde_json::Value) -> String {
    let mut event = json!({
        "traceId": uuid::Uuid::new_v4().to_string(),
        "invokedFunctionUrn": "sn:cn:yrk:1111:function:0@test@hello:latest",
    });
    if let (Some(event), Some(fields)) = (event.as_object_mut(), fields.as_object()) {
        event.extend(fields.clone());
    }
    event.to_string()
}

/// INV-01.
pub(super) async fn documented(address: SocketAddr, report: &mut Report) {
    let answer = post(address, PATH, event())
        .await
        .and_then(Answer::expect_200);
    report.tell("INV-01", answer.map(|answer| answer.told()));
}

/// INV-02.
pub(super) async fn many(address: SocketAddr, report: &mut Report) {
    let finding = match at_once(address).await {
        // Only where the function's concurrency is above 1 does another come in meanwhile.
        Ok(told) => match beside_half(address).await {
            Ok(()) => Finding::pass(told),
            Err(why) => Finding::warn(format!("{told}, but {why}")),
        },
        Err(error) => Finding::fail(error),
    };
    report.tell("INV-02", finding);
}

/// Whether they are answered beside each other or one after another.
async fn at_once(address: SocketAddr) -> Result<String, String> {
    let start = Instant::now();
    let mut calls = JoinSet::new();
    for _ in 0..MANY {
        calls.spawn(async move {
            let mut connection = Connection::open_within(address, MANY_IN).await?;
            connection
                .post(PATH, event())
                .await
                .and_then(Answer::expect_200)
        });
    }
    let (mut answered, mut deadline) = (0, start + FIRST_IN);
    loop {
        match timeout_at(deadline, calls.join_next()).await {
            Ok(Some(Ok(Ok(_)))) => {
                answered += 1;
                deadline = start + MANY_IN;
            }
            Ok(Some(Ok(Err(error)))) => {
                return Err(format!(
                    "{answered} were answered with 200, then one was not: {error}"
                ));
            }
            Ok(Some(Err(error))) => return Err(error.to_string()),
            Ok(None) => return Ok(format!("all in {:.1?}", start.elapsed())),
            Err(_) if answered == 0 => return Err(format!("none was answered in {FIRST_IN:?}")),
            Err(_) => return Err(format!("{answered} of {MANY} were answered in {MANY_IN:?}")),
        }
    }
}

/// Whether one is answered while another is not whole yet, and then that one.
async fn beside_half(address: SocketAddr) -> Result<(), String> {
    let mut connection = Connection::open(address).await?;
    let Some(half) = connection.half(PATH, event()).await? else {
        // What does not wait for the other half holds up nobody.
        return Ok(());
    };
    let beside = timeout(BESIDE_IN, post(address, PATH, event())).await;
    let last = half.finish().await.and_then(Answer::expect_200);
    match beside {
        Ok(answer) => answer.and_then(Answer::expect_200).map(drop),
        Err(_) => Err("one stalled connection holds up the others".to_owned()),
    }?;
    last.map(drop)
        .map_err(|error| format!("one that came in slowly was not served: {error}"))
}

/// INV-03.
pub(super) async fn connections(address: SocketAddr, report: &mut Report) {
    let finding = try_connections(address).await.unwrap_or_else(Finding::fail);
    report.tell("INV-03", finding);
}

async fn try_connections(address: SocketAddr) -> Result<Finding, String> {
    for _ in 0..2 {
        let answer = post(address, PATH, event())
            .await
            .and_then(Answer::expect_200);
        answer.map_err(|error| format!("over a connection each: {error}"))?;
    }
    let mut connection = Connection::open(address).await?;
    let first = connection.post(PATH, event()).await?.expect_200()?;
    if first.closes {
        return Ok(Finding::pass("closes each connection, and says so"));
    }
    Ok(match connection.post(PATH, event()).await {
        Ok(answer) => match answer.expect_200() {
            Ok(_) => Finding::pass("keeps the connection"),
            Err(error) => Finding::fail(format!("the second over one connection: {error}")),
        },
        Err(error) => Finding::warn(format!(
            "it closes the connection without `Connection: close`, and the next event is lost: {error}"
        )),
    })
}

/// INV-04.
pub(super) async fn malformed(address: SocketAddr, report: &mut Report) {
    report.tell("INV-04", try_malformed(address).await);
}

async fn try_malformed(address: SocketAddr) -> Result<String, String> {
    let whole = event();
    let bodies = [
        ("an empty body", ""),
        ("no JSON", "no JSON at all"),
        ("an event that is cut off", &whole[..whole.len() / 2]),
        ("bytes that are no text", "\u{0}\u{1}\u{7f}"),
        ("null", "null"),
        ("an array", "[]"),
        ("an object without fields", "{}"),
        (
            "a traceId that is a number",
            r#"{"traceId": 1, "invokedFunctionUrn": "sn"}"#,
        ),
        ("an event without invokedFunctionUrn", r#"{"traceId": "1"}"#),
    ];
    for (what, body) in bodies {
        match post(address, PATH, body.to_owned()).await {
            Ok(answer) if (400..500).contains(&answer.status) => {}
            Ok(answer) => return Err(format!("{what} was answered with {}", answer.told())),
            Err(error) => return Err(format!("{what} was not answered: {error}")),
        }
    }
    let answer = post(address, PATH, whole.clone())
        .await
        .and_then(Answer::expect_200);
    answer.map_err(|error| format!("an event after {} bad bodies: {error}", bodies.len()))?;
    Ok(format!("{} bad bodies, then an event", bodies.len()))
}

/// INV-05.
pub(super) async fn unknown_fields(address: SocketAddr, report: &mut Report) {
    let body = event_with(&json!({
        "eventType": "INVOKE",
        "deadlineMs": 1_700_000_000_000_u64,
        "tracing": {"type": "none", "value": null},
        "tags": [],
    }));
    let answer = post(address, PATH, body).await.and_then(Answer::expect_200);
    report.tell("INV-05", answer.map(|answer| answer.told()));
}

/// FRZ-01.
pub(super) async fn freeze(platform: &Platform, address: SocketAddr, report: &mut Report) {
    platform.freeze();
    let mut call = pin!(post(address, PATH, event()));
    let early = timeout(MOMENT, &mut call).await;
    platform.thaw();
    let finding = match early {
        Ok(Ok(answer)) => Finding::warn(format!(
            "it answered ({}) although its process group was stopped: it left the group",
            answer.told()
        )),
        Ok(Err(error)) => Finding::fail(format!("while it was stopped: {error}")),
        Err(_) => thawed(address, call.await).await.into(),
    };
    report.tell("FRZ-01", finding);
}

async fn thawed(address: SocketAddr, first: Result<Answer, String>) -> Result<String, String> {
    first
        .and_then(Answer::expect_200)
        .map_err(|error| format!("the event that came while it was stopped: {error}"))?;
    let second = post(address, PATH, event()).await;
    second
        .and_then(Answer::expect_200)
        .map_err(|error| format!("the event after it: {error}"))?;
    Ok("answered both".to_owned())
}
