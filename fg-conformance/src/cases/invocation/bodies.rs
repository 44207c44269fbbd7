//! INV-04 and INV-05: malformed bodies, and unknown fields.

use std::net::SocketAddr;

use serde_json::json;

use super::{INVOKE_PATH, event, event_with};
use crate::cases::CaseId;
use crate::harness::client::{HttpResponse, post};
use crate::report::{Finding, Report};

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
