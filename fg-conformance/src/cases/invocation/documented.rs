//! INV-01: the event from the documentation.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::{INVOKE_PATH, blocked_warning, event};
use crate::cases::CaseId;
use crate::harness::CallRecorder;
use crate::harness::client::{Connection, HttpResponse, RequestError, post};
use crate::report::{Finding, Report};

/// After how long without a response the check posts another request.
const SLOW_AFTER: Duration = Duration::from_millis(400);
/// How long it waits for one of the two responses.
const UNBLOCKED_WITHIN: Duration = Duration::from_millis(9600);
/// If it waits longer than this, and there is a warning of the extension about a blocked thread, that is the cause.
const BLOCKED_AFTER: Duration = Duration::from_millis(500);

/// What an invocation was found to do.
enum Handler {
    Responds(Result<HttpResponse, RequestError>),
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
            let finding = Finding::fail(observed);
            report.record(CaseId::Inv01, finding);
            true
        }
    }
}

/// Posts an event. If the response takes long, posts a request that the extension can reject without its handler, to learn
/// whether the handler blocks the other requests.
async fn invoke_documented(address: SocketAddr, recorder: &CallRecorder) -> Handler {
    let start = Instant::now();
    let mut request = pin!(async {
        let mut connection = Connection::open_within(address, 2 * UNBLOCKED_WITHIN).await?;
        connection.post(INVOKE_PATH, event()).await
    });
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
            "no response within {waited:?}, nor to an invalid event on a second connection: the handler hangs, or blocks the \
             thread that serves all requests"
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
            "the handler blocks its thread: the response took {took:.1?}, and stderr says: {line}"
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
