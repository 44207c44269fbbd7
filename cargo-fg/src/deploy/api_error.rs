//! [`ApiError`]: why a request failed, with what the API said as it came.

use std::fmt;
use std::io;
use std::time::Duration;

use fg_util::error::{excerpt, one_line};
use serde_json::Value;
use ureq::Timeout;
use ureq::http::HeaderMap;

use super::client::ApiRequest;

/// The longest pause that the API can ask for with `Retry-After`.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// A request that failed.
#[derive(Debug)]
pub(super) struct ApiError {
    request: String,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    Unreachable {
        host: String,
        error: ureq::Error,
    },
    Interrupted {
        status: u16,
        error: ureq::Error,
    },
    Rejected {
        status: u16,
        message: String,
        retry_after: Duration,
    },
    NotJson {
        status: u16,
        body: String,
    },
    Unexpected {
        message: String,
    },
}

impl ApiError {
    /// There was no response. The message has this name for the host.
    pub(super) fn unreachable(request: &ApiRequest, host: String, error: ureq::Error) -> Self {
        Self::new(request, Problem::Unreachable { host, error })
    }

    /// The connection broke after the head of the response.
    pub(super) fn interrupted(request: &ApiRequest, status: u16, error: ureq::Error) -> Self {
        Self::new(request, Problem::Interrupted { status, error })
    }

    /// The response has an error status. The body is `{"error_code": …, "error_msg": …}` (D: FunctionGraph, error codes).
    pub(super) fn rejected(
        request: &ApiRequest,
        status: u16,
        headers: &HeaderMap,
        body: &str,
    ) -> Self {
        let parsed: Value = serde_json::from_str(body).unwrap_or_default();
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let field = |name: &str| parsed[name].as_str().filter(|it| !it.is_empty());
        let mut message = match (field("error_code"), field("error_msg")) {
            (Some(code), Some(text)) => format!("{code}: {}", one_line(text)),
            (Some(text), None) | (None, Some(text)) => one_line(text),
            (None, None) if body.trim().is_empty() => "without a message".to_owned(),
            (None, None) => excerpt(&one_line(body)),
        };
        if let Some(location) = header("location") {
            let location = one_line(location);
            message.push_str(&format!(
                "; redirects to {location}, which is not followed, since the signature is for another address"
            ));
        }
        if let Some(id) = header("x-request-id").or(field("request_id")) {
            message.push_str(&format!(" (request ID {})", one_line(id)));
        }
        let retry_after = header("retry-after").and_then(|value| value.parse().ok());
        let retry_after = Duration::from_secs(retry_after.unwrap_or_default());
        Self::new(
            request,
            Problem::Rejected {
                status,
                message,
                retry_after: retry_after.min(MAX_PAUSE),
            },
        )
    }

    pub(super) fn not_json(request: &ApiRequest, status: u16, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        // Broken JSON may contain the variables of a function, which are secret. A page of HTML says who has responded.
        let body = match text.trim_start().starts_with('<') {
            true => excerpt(&one_line(&text)),
            false => format!("{} bytes", body.len()),
        };
        Self::new(request, Problem::NotJson { status, body })
    }

    /// The response lacks a field, or a field has another type.
    pub(super) fn unexpected(request: &ApiRequest, error: &serde_json::Error) -> Self {
        let message = excerpt(&one_line(&error.to_string()));
        Self::new(request, Problem::Unexpected { message })
    }

    fn new(request: &ApiRequest, problem: Problem) -> Self {
        Self {
            request: request.to_string(),
            problem,
        }
    }

    /// Returns `true` if the API has certainly not executed the request, so that it can be sent again.
    pub(super) fn was_not_executed(&self) -> bool {
        match &self.problem {
            Problem::Unreachable { error, .. } => match error {
                ureq::Error::HostNotFound
                | ureq::Error::ConnectionFailed
                | ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => true,
                ureq::Error::Io(error) => error.kind() == io::ErrorKind::ConnectionRefused,
                _ => false,
            },
            // Rejected because of too many requests (D: FSS.0429).
            Problem::Rejected { status, .. } => *status == 429,
            Problem::Interrupted { .. } | Problem::NotJson { .. } | Problem::Unexpected { .. } => {
                false
            }
        }
    }

    /// Returns `true` if another attempt may succeed.
    pub(super) fn may_pass(&self) -> bool {
        match &self.problem {
            Problem::Unreachable { error, .. } => matches!(
                error,
                ureq::Error::Io(_) | ureq::Error::Timeout(_) | ureq::Error::Protocol(_)
            ),
            Problem::Interrupted { error, .. } => {
                !matches!(error, ureq::Error::BodyExceedsLimit(_))
            }
            Problem::Rejected { status, .. } => matches!(status, 408 | 429 | 500 | 502 | 503 | 504),
            Problem::NotJson { .. } | Problem::Unexpected { .. } => false,
        }
    }

    /// Returns how long the API asks to wait before the next attempt, at most [`MAX_PAUSE`].
    pub(super) fn retry_after(&self) -> Duration {
        match &self.problem {
            Problem::Rejected { retry_after, .. } => *retry_after,
            _ => Duration::ZERO,
        }
    }

    /// Returns `true` if it is unknown whether the API has executed the request.
    pub(super) fn is_uncertain(&self) -> bool {
        let is_rejected = matches!(self.problem, Problem::Rejected { status, .. } if status < 500);
        !is_rejected && !self.was_not_executed()
    }

    /// Returns `true` if the API responded that the resource does not exist.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self.problem, Problem::Rejected { status: 404, .. })
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let request = &self.request;
        match &self.problem {
            Problem::Unreachable { host, error } => {
                write!(f, "{request}: cannot reach {host}: ")?;
                match error {
                    ureq::Error::Io(error) => write!(f, "{error}"),
                    error => write!(f, "{error}"),
                }
            }
            Problem::Interrupted { status, error } => {
                write!(f, "{request}: status {status}, then {error}")
            }
            Problem::Rejected {
                status, message, ..
            } => {
                write!(f, "{request}: status {status}, {message}")
            }
            Problem::NotJson { status, body } => {
                write!(
                    f,
                    "{request}: status {status}, but the response is not JSON: {body}"
                )
            }
            Problem::Unexpected { message } => {
                write!(f, "{request}: unexpected response: {message}")
            }
        }
    }
}

impl std::error::Error for ApiError {}
