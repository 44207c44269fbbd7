//! INV: invocations: concurrent, on shared connections, malformed, and with unknown fields.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use super::CaseId;
use crate::harness::client::{Connection, HttpResponse, post};
use crate::harness::{CallRecorder, Recorded};
use crate::report::{Finding, Report};

/// The path that events are posted to (D 2707).
pub(super) const INVOKE_PATH: &str = "/extension/invoke";
/// How many events are posted at once.
const CONCURRENT: usize = 64;
/// How long all of them may take. Handling one after another is slow, and if the backlog is short, the kernel retries the
/// connection after 1, 3, 7, 15 and 31 seconds.
const ALL_WITHIN: Duration = Duration::from_secs(60);
/// How long the first of them may take.
const FIRST_WITHIN: Duration = Duration::from_secs(10);
/// How long a response may take while another request is incomplete.
const RESPONSE_WITHIN: Duration = Duration::from_secs(3);

/// After how long without a response the check posts another request.
const SLOW_AFTER: Duration = Duration::from_millis(400);
/// How long it waits for one of the two responses. If there is none, the handler blocks its thread.
const UNBLOCKED_WITHIN: Duration = Duration::from_millis(2600);
/// If it waits longer than this, and there is a warning of the extension about a blocked thread, that is the cause. A handler
/// that blocks for a shorter time responds to [`CONCURRENT`] events within [`ALL_WITHIN`].
const BLOCKED_AFTER: Duration = Duration::from_millis(500);
/// A part of the warning that fg-extension logs.
const BLOCKED_WARNING: &str = "the handler blocked its thread for";
/// How long that warning may take after the response.
const WARNING_WITHIN: Duration = Duration::from_millis(200);

/// Returns the event from the documentation (D 2707), with a new trace ID.
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

/// What an invocation was found to do.
enum Handler {
    Responds(Result<HttpResponse, String>),
    /// It blocks the thread that serves the other requests. The text says what was observed.
    Blocks(String),
}

/// Checks INV-01. Returns whether the handler blocks its thread, so that no other case can be tested on this process.
pub(crate) async fn check_documented(
    address: SocketAddr,
    recorder: &CallRecorder,
    report: &mut Report,
) -> bool {
    match invoke_documented(address, recorder).await {
        Handler::Responds(response) => {
            let response = response.and_then(HttpResponse::expect_200);
            report.record(CaseId::Inv01, response.map(|response| response.summary()));
            false
        }
        Handler::Blocks(observed) => {
            let finding = Finding::fail(format!(
                "the handler blocks its thread: {observed}; run what blocks on another thread, in Rust: use spawn_blocking"
            ));
            report.record(CaseId::Inv01, finding);
            true
        }
    }
}

/// Posts an event. If the response takes long, posts a request that the extension can reject without its handler, to learn
/// whether the handler blocks the other requests.
async fn invoke_documented(address: SocketAddr, recorder: &CallRecorder) -> Handler {
    let start = Instant::now();
    let mut request = pin!(post(address, INVOKE_PATH, event()));
    if let Some(response) = within(SLOW_AFTER, &mut request).await {
        return Handler::Responds(response);
    }
    let probe_start = Instant::now();
    let mut probe = pin!(post(address, INVOKE_PATH, "{}"));
    let first = within(UNBLOCKED_WITHIN, async {
        tokio::select! {
            response = &mut request => Some(response),
            _ = &mut probe => None,
        }
    });
    let Some(first) = first.await else {
        let waited = SLOW_AFTER + UNBLOCKED_WITHIN;
        return Handler::Blocks(format!(
            "did not respond within {waited:?}, nor to an invalid event on a second connection"
        ));
    };
    let was_blocked = probe_start.elapsed() > BLOCKED_AFTER;
    let response = match first {
        Some(response) => response,
        None => request.await,
    };
    let took = start.elapsed();
    if was_blocked && let Some(line) = blocked_warning(recorder).await {
        return Handler::Blocks(format!(
            "the response took {took:.1?}, and stderr says: {line}"
        ));
    }
    Handler::Responds(response)
}

/// Waits for the future for this long. Time in which this process does not run hardly counts, so that an extension on a busy
/// machine is not blamed for it.
async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    const TICK: Duration = Duration::from_millis(50);
    let mut future = pin!(future);
    for _ in 0..limit.as_millis() / TICK.as_millis() {
        if let Ok(output) = timeout(TICK, &mut future).await {
            return Some(output);
        }
    }
    None
}

/// Returns the line in which an extension built with fg-extension reports a handler that blocks.
async fn blocked_warning(recorder: &CallRecorder) -> Option<String> {
    let find = |recorded: &Recorded| {
        let mut lines = recorded.stderr.iter();
        lines.find(|line| line.contains(BLOCKED_WARNING)).cloned()
    };
    // The line may arrive after the response.
    let arrives = recorder.until(|recorded| find(recorded).is_some());
    let _ = timeout(WARNING_WITHIN, arrives).await;
    find(&recorder.recorded())
}

/// Checks INV-02.
pub(crate) async fn check_concurrent(
    address: SocketAddr,
    recorder: &CallRecorder,
    report: &mut Report,
) {
    let finding = match invoke_concurrently(address).await {
        // Only a warning: another invocation arrives at the same time only if the concurrency of the function is above 1.
        Ok(detail) => match invoke_during_partial_request(address).await {
            Ok(()) => Finding::pass(detail),
            Err(why) => Finding::warn(format!("{detail}, but {why}")),
        },
        Err(error) => Finding::fail(match blocked_warning(recorder).await {
            Some(line) => format!("{error}; stderr says: {line}"),
            None => error,
        }),
    };
    report.record(CaseId::Inv02, finding);
}

/// Posts many events at once. They may be handled in parallel or one after another.
async fn invoke_concurrently(address: SocketAddr) -> Result<String, String> {
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
                    "one invocation failed after {responses} successful ones: {error}"
                ));
            }
            Ok(Some(Err(error))) => return Err(error.to_string()),
            Ok(None) => {
                return Ok(format!(
                    "all {CONCURRENT} succeeded in {:.1?}",
                    start.elapsed()
                ));
            }
            Err(_) if responses == 0 => {
                return Err(format!("no response within {FIRST_WITHIN:?}"));
            }
            Err(_) => {
                return Err(format!(
                    "{responses} of {CONCURRENT} responses within {ALL_WITHIN:?}"
                ));
            }
        }
    }
}

/// Posts an event while another request is incomplete, then completes that request.
async fn invoke_during_partial_request(address: SocketAddr) -> Result<(), String> {
    let mut connection = Connection::open(address).await?;
    let Some(request) = connection.post_half(INVOKE_PATH, event()).await? else {
        // An extension that does not wait for the other half does not block other requests.
        return Ok(());
    };
    let other = timeout(RESPONSE_WITHIN, post(address, INVOKE_PATH, event())).await;
    let last = request.finish().await.and_then(HttpResponse::expect_200);
    match other {
        Ok(response) => response.and_then(HttpResponse::expect_200).map(drop),
        Err(_) => Err("a stalled connection blocks the others".to_owned()),
    }?;
    last.map(drop)
        .map_err(|error| format!("a request that arrived slowly failed: {error}"))
}

/// Checks INV-03.
pub(crate) async fn check_connections(address: SocketAddr, report: &mut Report) {
    let finding = invoke_on_connections(address)
        .await
        .unwrap_or_else(Finding::fail);
    report.record(CaseId::Inv03, finding);
}

async fn invoke_on_connections(address: SocketAddr) -> Result<Finding, String> {
    for _ in 0..2 {
        let response = post(address, INVOKE_PATH, event())
            .await
            .and_then(HttpResponse::expect_200);
        response.map_err(|error| format!("on separate connections: {error}"))?;
    }
    let mut connection = Connection::open(address).await?;
    let first = connection.post(INVOKE_PATH, event()).await?.expect_200()?;
    if first.closes {
        return Ok(Finding::pass("announces that it closes each connection"));
    }
    Ok(match connection.post(INVOKE_PATH, event()).await {
        Ok(response) => match response.expect_200() {
            Ok(_) => Finding::pass("keeps the connection open"),
            Err(error) => {
                Finding::fail(format!("the second invocation on one connection: {error}"))
            }
        },
        Err(error) => Finding::warn(format!(
            "closed the connection without `Connection: close`, so the next invocation failed: {error}"
        )),
    })
}

/// Checks INV-04.
pub(crate) async fn check_malformed(address: SocketAddr, report: &mut Report) {
    let finding = post_malformed_bodies(address).await;
    report.record(CaseId::Inv04, finding.unwrap_or_else(Finding::fail));
}

async fn post_malformed_bodies(address: SocketAddr) -> Result<Finding, String> {
    let valid = event();
    let bodies = [
        ("an empty body", ""),
        ("a body that is not JSON", "not JSON"),
        ("a truncated event", &valid[..valid.len() / 2]),
        ("control characters", "\u{0}\u{1}\u{7f}"),
        ("null", "null"),
        ("an array", "[]"),
        ("an object without fields", "{}"),
        (
            "a traceId that is a number",
            r#"{"traceId": 1, "invokedFunctionUrn": "sn"}"#,
        ),
        (
            "an event without a traceId",
            r#"{"invokedFunctionUrn": "sn"}"#,
        ),
    ];
    let mut warning = None;
    for (description, body) in bodies {
        let response = post(address, INVOKE_PATH, body.to_owned()).await;
        let response =
            response.map_err(|error| format!("no response to {description}: {error}"))?;
        if !(400..500).contains(&response.status) {
            // Only a warning: the platform sends valid events, so an extension may ignore the body.
            warning.get_or_insert(format!(
                "expected a 4xx status for {description}, got {}",
                response.summary()
            ));
        }
    }
    let response = post(address, INVOKE_PATH, valid.clone())
        .await
        .and_then(HttpResponse::expect_200);
    response.map_err(|error| {
        format!(
            "a valid event after {} malformed bodies: {error}",
            bodies.len()
        )
    })?;
    Ok(match warning {
        Some(warning) => Finding::warn(warning),
        None => Finding::pass(format!(
            "rejected {} malformed bodies, then accepted a valid event",
            bodies.len()
        )),
    })
}

/// Checks INV-05.
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
