//! INV: invocations, in all the ways in which they may arrive.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::CaseId;
use crate::harness::client::{Connection, HttpResponse, post};
use crate::report::{Finding, Report};

/// Where events are posted to (D 2707).
pub(super) const INVOKE_PATH: &str = "/extension/invoke";
/// How many at once.
const CONCURRENT: usize = 64;
/// How long all of them may take: one after another is slow, and a short backlog makes the kernel try again after
/// 1, 3, 7, 15 and 31 seconds.
const ALL_WITHIN: Duration = Duration::from_secs(60);
/// How long the first of them may take.
const FIRST_WITHIN: Duration = Duration::from_secs(10);
/// How long one may take beside another that is not whole.
const RESPONSE_WITHIN: Duration = Duration::from_secs(3);

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
pub(crate) async fn check_documented(address: SocketAddr, report: &mut Report) {
    let response = post(address, INVOKE_PATH, event())
        .await
        .and_then(HttpResponse::expect_200);
    report.record(CaseId::Inv01, response.map(|response| response.summary()));
}

/// INV-02.
pub(crate) async fn check_concurrent(address: SocketAddr, report: &mut Report) {
    let finding = match at_once(address).await {
        // Only where the function's concurrency is above 1 does another come in meanwhile.
        Ok(detail) => match invoke_during_partial_request(address).await {
            Ok(()) => Finding::pass(detail),
            Err(why) => Finding::warn(format!("{detail}, but {why}")),
        },
        Err(error) => Finding::fail(error),
    };
    report.record(CaseId::Inv02, finding);
}

/// Whether they are answered beside each other or one after another.
async fn at_once(address: SocketAddr) -> Result<String, String> {
    let start = Instant::now();
    let mut requests = JoinSet::new();
    for _ in 0..CONCURRENT {
        requests.spawn(async move {
            let mut connection = Connection::open_within(address, ALL_WITHIN).await?;
            connection
                .post(INVOKE_PATH, event())
                .await
                .and_then(HttpResponse::expect_200)
        });
    }
    let (mut responses, mut deadline) = (0, start + FIRST_WITHIN);
    loop {
        match timeout_at(deadline, requests.join_next()).await {
            Ok(Some(Ok(Ok(_)))) => {
                responses += 1;
                deadline = start + ALL_WITHIN;
            }
            Ok(Some(Ok(Err(error)))) => {
                return Err(format!(
                    "{responses} were answered with 200, then one was not: {error}"
                ));
            }
            Ok(Some(Err(error))) => return Err(error.to_string()),
            Ok(None) => return Ok(format!("all in {:.1?}", start.elapsed())),
            Err(_) if responses == 0 => {
                return Err(format!("none was answered in {FIRST_WITHIN:?}"));
            }
            Err(_) => {
                return Err(format!(
                    "{responses} of {CONCURRENT} were answered in {ALL_WITHIN:?}"
                ));
            }
        }
    }
}

/// Whether one is answered while another is not whole yet, and then that one.
async fn invoke_during_partial_request(address: SocketAddr) -> Result<(), String> {
    let mut connection = Connection::open(address).await?;
    let Some(request) = connection.post_half(INVOKE_PATH, event()).await? else {
        // What does not wait for the other half holds up nobody.
        return Ok(());
    };
    let other = timeout(RESPONSE_WITHIN, post(address, INVOKE_PATH, event())).await;
    let last = request.finish().await.and_then(HttpResponse::expect_200);
    match other {
        Ok(response) => response.and_then(HttpResponse::expect_200).map(drop),
        Err(_) => Err("one stalled connection holds up the others".to_owned()),
    }?;
    last.map(drop)
        .map_err(|error| format!("one that came in slowly was not served: {error}"))
}

/// INV-03.
pub(crate) async fn check_connections(address: SocketAddr, report: &mut Report) {
    let finding = try_connections(address).await.unwrap_or_else(Finding::fail);
    report.record(CaseId::Inv03, finding);
}

async fn try_connections(address: SocketAddr) -> Result<Finding, String> {
    for _ in 0..2 {
        let response = post(address, INVOKE_PATH, event())
            .await
            .and_then(HttpResponse::expect_200);
        response.map_err(|error| format!("over a connection each: {error}"))?;
    }
    let mut connection = Connection::open(address).await?;
    let first = connection.post(INVOKE_PATH, event()).await?.expect_200()?;
    if first.closes {
        return Ok(Finding::pass("closes each connection, and says so"));
    }
    Ok(match connection.post(INVOKE_PATH, event()).await {
        Ok(response) => match response.expect_200() {
            Ok(_) => Finding::pass("keeps the connection"),
            Err(error) => Finding::fail(format!("the second over one connection: {error}")),
        },
        Err(error) => Finding::warn(format!(
            "it closes the connection without `Connection: close`, and the next event is lost: {error}"
        )),
    })
}

/// INV-04.
pub(crate) async fn check_malformed(address: SocketAddr, report: &mut Report) {
    report.record(CaseId::Inv04, try_malformed(address).await);
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
    for (description, body) in bodies {
        match post(address, INVOKE_PATH, body.to_owned()).await {
            Ok(response) if (400..500).contains(&response.status) => {}
            Ok(response) => {
                return Err(format!(
                    "{description} was answered with {}",
                    response.summary()
                ));
            }
            Err(error) => return Err(format!("{description} was not answered: {error}")),
        }
    }
    let response = post(address, INVOKE_PATH, whole.clone())
        .await
        .and_then(HttpResponse::expect_200);
    response.map_err(|error| format!("an event after {} bad bodies: {error}", bodies.len()))?;
    Ok(format!("{} bad bodies, then an event", bodies.len()))
}

/// INV-05.
pub(crate) async fn check_unknown_fields(address: SocketAddr, report: &mut Report) {
    let body = event_with(&json!({
        "eventType": "INVOKE",
        "deadlineMs": 1_700_000_000_000_u64,
        "tracing": {"type": "none", "value": null},
        "tags": [],
    }));
    let response = post(address, INVOKE_PATH, body)
        .await
        .and_then(HttpResponse::expect_200);
    report.record(CaseId::Inv05, response.map(|response| response.summary()));
}
