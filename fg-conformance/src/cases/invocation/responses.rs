//! INV-06: the body and the headers of the responses.

use std::net::SocketAddr;

use hyper::header::{self, HeaderName};
use serde_json::Value;

use super::{INVOKE_PATH, event_with};
use crate::cases::CaseId;
use crate::harness::client::{HttpResponse, post};
use crate::report::{Finding, Report};

/// How many responses are examined.
const EVENTS: usize = 3;
/// Headers that have one value, so that a response must not contain them twice.
const SINGLE_HEADERS: [HeaderName; 4] = [
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::DATE,
    header::SERVER,
];

/// Checks INV-06.
pub(crate) async fn check_responses(address: SocketAddr, report: &mut Report) {
    let finding = match deviations(address).await {
        Ok(found) if found.is_empty() => Finding::pass(format!("{EVENTS} responses as documented")),
        Ok(found) => Finding::warn(found.join("; ")),
        Err(error) => Finding::fail(error),
    };
    report.record(CaseId::Inv06, finding);
}

async fn deviations(address: SocketAddr) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for _ in 0..EVENTS {
        let trace_id = uuid::Uuid::new_v4().to_string();
        let event = event_with(&serde_json::json!({ "traceId": trace_id }));
        let response = post(address, INVOKE_PATH, event).await;
        let response = response.and_then(HttpResponse::expect_200)?;
        let deviations = [
            repeated_headers(&response),
            unexpected_body(&response, &trace_id),
        ];
        for deviation in deviations.into_iter().flatten() {
            if !found.contains(&deviation) {
                found.push(deviation);
            }
        }
    }
    // A response with the trace ID of another event differs each time.
    found.truncate(2);
    Ok(found)
}

fn repeated_headers(response: &HttpResponse) -> Option<String> {
    let count = |name: &HeaderName| response.headers.get_all(name).iter().count();
    let repeated = SINGLE_HEADERS.iter().filter(|name| count(name) > 1);
    let repeated: Vec<_> = repeated.map(HeaderName::as_str).collect();
    (!repeated.is_empty())
        .then(|| format!("the response repeats the header {}", repeated.join(" and ")))
}

fn unexpected_body(response: &HttpResponse, trace_id: &str) -> Option<String> {
    let body = response.body.trim();
    if body.is_empty() {
        return Some("the response is empty".to_owned());
    }
    let start: String = body.chars().take(80).collect();
    let Ok(Value::Object(fields)) = serde_json::from_str(body) else {
        return Some(format!("the response is not a JSON object: {start}"));
    };
    match fields.get("traceId") {
        None => None,
        Some(Value::String(id)) if id == trace_id => None,
        Some(id) => Some(format!(
            "the response contains the traceId {id}, not that of the event, \"{trace_id}\""
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::unexpected_body;
    use crate::harness::client::HttpResponse;

    #[test]
    fn only_json_with_the_trace_id_or_none_is_expected() {
        let deviation = |body: &str| {
            let response = HttpResponse {
                status: 200,
                headers: Default::default(),
                body: body.to_owned(),
                closes: false,
            };
            unexpected_body(&response, "own").unwrap_or_default()
        };
        for body in ["{}", r#"{"traceId": "own", "more": []}"#] {
            assert_eq!(deviation(body), "", "{body}");
        }
        for (body, start) in [
            ("", "the response is empty"),
            (" \n", "the response is empty"),
            ("<html>", "the response is not a JSON object: <html>"),
            ("[]", "the response is not a JSON object"),
            ("OK", "the response is not a JSON object"),
            (
                r#"{"traceId": "other"}"#,
                "the response contains the traceId \"other\"",
            ),
            (
                r#"{"traceId": null}"#,
                "the response contains the traceId null",
            ),
        ] {
            assert!(deviation(body).starts_with(start), "{body}");
        }
    }
}
