//! FRZ: invocations around a freeze of the instance.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use fg_emulator::Platform;
use tokio::time::timeout;

use super::CaseId;
use super::invocation::{INVOKE_PATH, event};
use crate::harness::client::{HttpResponse, RequestError, post};
use crate::report::{Finding, Report};

/// How long the process stays stopped after the event is posted. No response may arrive in this time.
const STOPPED_FOR: Duration = Duration::from_millis(50);
/// How long FRZ-02 keeps the process stopped before it posts the event: longer than the idle timeouts of common servers, such
/// as 5 s in Node.js.
const LONG_FREEZE: Duration = Duration::from_secs(6);

/// Checks FRZ-01 or FRZ-02.
pub(crate) async fn check_freeze(
    id: CaseId,
    platform: &Platform,
    address: SocketAddr,
    report: &mut Report,
) {
    platform.freeze();
    if id == CaseId::Frz02 {
        tokio::time::sleep(LONG_FREEZE).await;
    }
    let mut request = pin!(post(address, INVOKE_PATH, event()));
    let early = timeout(STOPPED_FOR, &mut request).await;
    platform.thaw();
    let finding = match early {
        Ok(Ok(response)) => Finding::warn(format!(
            "the extension responded with status {} while its process group was stopped, so it has left the group",
            response.summary()
        )),
        Ok(Err(error)) => Finding::fail(format!("while the extension was frozen: {error}")),
        Err(_) => check_responses(address, request.await).await.into(),
    };
    report.record(id, finding);
}

async fn check_responses(
    address: SocketAddr,
    first: Result<HttpResponse, RequestError>,
) -> Result<String, String> {
    first
        .and_then(HttpResponse::expect_200)
        .map_err(|error| format!("the event posted during the freeze: {error}"))?;
    let second = post(address, INVOKE_PATH, event()).await;
    second
        .and_then(HttpResponse::expect_200)
        .map_err(|error| format!("the event posted after the thaw: {error}"))?;
    Ok("responded to both events with status 200".to_owned())
}
