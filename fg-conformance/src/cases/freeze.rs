//! FRZ: invocations around a freeze of the instance.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use fg_emulator::Platform;
use tokio::time::timeout;

use super::CaseId;
use super::invocation::{INVOKE_PATH, event};
use crate::harness::client::{HttpResponse, post};
use crate::report::{Finding, Report};

/// How long the process stays stopped after the event is posted. No response may arrive in this time.
const STOPPED_FOR: Duration = Duration::from_millis(50);

/// Checks FRZ-01.
pub(crate) async fn check_freeze(platform: &Platform, address: SocketAddr, report: &mut Report) {
    platform.freeze();
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
    report.record(CaseId::Frz01, finding);
}

async fn check_responses(
    address: SocketAddr,
    first: Result<HttpResponse, String>,
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
