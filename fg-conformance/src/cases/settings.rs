//! SET: where the extension finds its settings.

use super::CaseId;
use super::invocation::{INVOKE_PATH, event};
use crate::Error;
use crate::harness::client::{HttpResponse, post, wait_until_listening};
use crate::harness::{Harness, StopMode};
use crate::report::{Finding, Report};

/// Checks SET-01, in a separate boot.
pub(crate) async fn check_user_data(
    harness: &Harness<'_>,
    stop_mode: StopMode,
    report: &mut Report,
) -> Result<(), Error> {
    if harness.extension.user_data().is_empty() {
        let why = "no settings of the function's console given; use --user-data";
        report.record(CaseId::Set01, Finding::skip(why));
        return Ok(());
    }
    let booted = harness.boot_with_user_data_only().await?;
    let problem = match booted.start.registered() {
        Ok(registered) => {
            if report.is_failed(CaseId::Reg05) {
                wait_until_listening(registered.address).await;
            }
            let response = post(registered.address, INVOKE_PATH, event()).await;
            match (
                response.and_then(HttpResponse::expect_200),
                harness.first_address(),
            ) {
                (Err(error), _) => Some(format!("the invocation failed: {error}")),
                (Ok(_), Some(first)) if first != registered.address => Some(format!(
                    "registered {}, but {first} if they are environment variables too",
                    registered.address
                )),
                (Ok(_), _) => None,
            }
        }
        Err(reason) => Some(reason),
    };
    let finding = match problem {
        None => Finding::pass("registers and responds with its settings in RUNTIME_USERDATA alone"),
        Some(problem) => {
            report.keep_stderr(&booted.recorder);
            Finding::warn(format!(
                "with its settings in RUNTIME_USERDATA alone: {problem}"
            ))
        }
    };
    report.record(CaseId::Set01, finding);
    booted.stop(stop_mode).await
}
