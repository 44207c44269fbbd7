//! The result of a request, read from the collector's response.

use std::time::{Duration, SystemTime};

use fg_util::error::{excerpt, one_line};
use hyper::StatusCode;
use hyper::header::{self, HeaderMap};
use hyper::http::response::Parts;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;

use super::hint::{self, PATHS};
use super::request::PROTOBUF;
use super::retry::{is_retryable, retry_after};
use crate::rpc_status::RpcStatus;
use crate::signal::Signal;

/// The result of a request.
#[derive(Debug, PartialEq)]
pub(super) enum ExportResult {
    /// The collector accepted the request, except for `rejected` items, for the reason in `message`.
    ///
    /// If no items were rejected, a non-empty message is a warning.
    Accepted { rejected: u64, message: String },
    /// The request failed, but may be accepted if it is sent again.
    Retryable {
        retry_after: Option<Duration>,
        reason: String,
    },
    /// The request was rejected permanently.
    Rejected { reason: String },
    /// The request was rejected, but parts of it may be accepted.
    TooLarge { reason: String },
    /// The request was rejected because of its compression, and may be accepted without.
    CompressionRejected { reason: String },
}

impl ExportResult {
    /// Interprets the response to a request of the signal. Replaces secrets, which the response may quote.
    pub(super) fn from_response(
        signal: Signal,
        head: &Parts,
        body: &[u8],
        secrets: &[&str],
    ) -> Self {
        let is_protobuf = head
            .headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(PROTOBUF.as_bytes()));
        if head.status.is_success() && is_web_page(&head.headers) {
            // A login page, or a web server that knows no OTLP: the data is not stored.
            let reason = format!(
                "this is not an OTLP endpoint, since it responds with status {} and a web page (text/html); \
                 check the URL; {PATHS}",
                head.status
            );
            return Self::Rejected { reason };
        }
        if head.status.is_success() {
            let (rejected, message) = is_protobuf
                .then(|| partial_success(signal, body))
                .flatten()
                .unwrap_or_default();
            return Self::Accepted {
                rejected: rejected.try_into().unwrap_or(0),
                message: quote(&message, secrets),
            };
        }
        let reason = match error_message(body, is_protobuf, secrets) {
            message if message.is_empty() => format!("status {}", head.status),
            message => format!("status {}: {message}", head.status),
        };
        if is_retryable(head.status) {
            return Self::Retryable {
                retry_after: retry_after(&head.headers, SystemTime::now()),
                reason,
            };
        }
        if head.status == StatusCode::PAYLOAD_TOO_LARGE {
            return Self::TooLarge { reason };
        }
        Self::Rejected {
            reason: match hint::for_status(head) {
                Some(hint) => format!("{reason}; {}", masked(&hint, secrets)),
                None => reason,
            },
        }
    }

    /// Returns the result of a request that failed without a response.
    pub(super) fn retryable(reason: String) -> Self {
        Self::Retryable {
            retry_after: None,
            reason,
        }
    }

    /// Appends a note to the reason of a failure.
    pub(super) fn with_note(mut self, note: &str) -> Self {
        match &mut self {
            Self::Accepted { .. } => {}
            Self::Retryable { reason, .. }
            | Self::Rejected { reason }
            | Self::TooLarge { reason }
            | Self::CompressionRejected { reason } => reason.push_str(note),
        }
        self
    }
}

fn is_web_page(headers: &HeaderMap) -> bool {
    const HTML: &[u8] = b"text/html";
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.as_bytes().get(..HTML.len()))
        .is_some_and(|kind| kind.eq_ignore_ascii_case(HTML))
}

/// Returns how many items the collector rejected, and the reason.
fn partial_success(signal: Signal, body: &[u8]) -> Option<(i64, String)> {
    match signal {
        Signal::Traces => {
            let partial = ExportTraceServiceResponse::decode(body)
                .ok()?
                .partial_success?;
            Some((partial.rejected_spans, partial.error_message))
        }
        Signal::Logs => {
            let partial = ExportLogsServiceResponse::decode(body)
                .ok()?
                .partial_success?;
            Some((partial.rejected_log_records, partial.error_message))
        }
        Signal::Metrics => {
            let partial = ExportMetricsServiceResponse::decode(body)
                .ok()?
                .partial_success?;
            Some((partial.rejected_data_points, partial.error_message))
        }
    }
}

/// Returns the error message of the collector, or of a proxy in front of it that does not know OTLP.
fn error_message(body: &[u8], is_protobuf: bool, secrets: &[&str]) -> String {
    if is_protobuf {
        let status = RpcStatus::decode(body).unwrap_or_default();
        quote(&status.message, secrets)
    } else {
        quote(&String::from_utf8_lossy(body), secrets)
    }
}

/// Returns the start of a message from the other side, on one line.
fn quote(text: &str, secrets: &[&str]) -> String {
    // Before the message is cut, because the rest of a secret that is cut would not be recognized.
    one_line(&excerpt(masked(text, secrets).trim()))
}

/// Replaces secrets.
fn masked(text: &str, secrets: &[&str]) -> String {
    let replace = |text: String, secret: &&str| text.replace(secret, "***");
    secrets.iter().fold(text.to_owned(), replace)
}

#[cfg(test)]
mod tests {
    use fg_util::error::EXCERPT_CHARS;

    use super::*;

    #[test]
    fn error_message_comes_from_the_status_or_the_body() {
        let status = [0x08, 3, 0x12, 7, b'n', b'o', b' ', b'r', b'o', b'o', b'm'];
        assert_eq!(error_message(&status, true, &[]), "no room");
        assert_eq!(
            error_message(b"<p>Not\nFound</p>", false, &[]),
            r"<p>Not\nFound</p>"
        );
        assert_eq!(error_message(&[0xff], true, &[]), "");
        let long = error_message("ä".repeat(EXCERPT_CHARS + 1).as_bytes(), false, &[]);
        assert_eq!(long, format!("{}…", "ä".repeat(EXCERPT_CHARS)));
    }

    #[test]
    fn secret_is_masked_before_the_message_is_cut() {
        let secret = "12345678".repeat(EXCERPT_CHARS);
        let body = format!("wrong: {secret}, {secret}");
        assert_eq!(
            error_message(body.as_bytes(), false, &[&secret]),
            "wrong: ***, ***"
        );
    }
}
