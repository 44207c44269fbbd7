//! A call of the platform's API, retried while that can help.

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, StatusCode, header, http};
use hyper_util::rt::TokioIo;
use serde::de::IgnoredAny;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::Error;
use crate::config::PlatformAddress;
use fg_util::backoff::Backoff;
use fg_util::error::{chain, one_line};
use fg_util::select::run_alongside;

/// How long the rest of an answer may take, once its status is there.
const BODY_TIMEOUT: Duration = Duration::from_secs(2);

/// A POST to the platform.
pub(crate) struct ApiRequest<'a> {
    pub(crate) platform: &'a PlatformAddress,
    pub(crate) path: &'static str,
    pub(crate) headers: &'a [(&'static str, &'a str)],
    pub(crate) body: Bytes,
    /// What it is for, in a log line.
    pub(crate) purpose: &'static str,
}

pub(crate) enum ApiError {
    /// The answer is final: its status, and what the platform said.
    Rejected(StatusCode, String),
    /// None came in time: how often it was tried, and what went wrong last.
    NoResponse(u32, Error),
}

impl ApiRequest<'_> {
    /// Posts it; the JSON of an answer with status 200, or null if that has none.
    ///
    /// Failures that pass (I: 5xx, 408, 429, a connection refused or broken, no answer) are tried again until
    /// the time is over; any other answer than 200 is final (D 2707, 2710).
    pub(crate) async fn post(&self, timeout: Duration) -> Result<Value, ApiError> {
        let deadline = Instant::now() + timeout;
        let mut backoff = Backoff::default();
        let mut attempts = 0_u32;
        loop {
            attempts += 1;
            // An attempt has half of what is left: time enough for a platform that is slow to answer, and
            // another attempt if it never does.
            let now = Instant::now();
            let error = match self.attempt(now + (deadline - now) / 2).await {
                Ok(ApiResponse::Ok(json)) => return Ok(json),
                Ok(ApiResponse::Rejected(status, said)) => {
                    return Err(ApiError::Rejected(status, said));
                }
                Ok(ApiResponse::Retry(said)) => said.into(),
                Err(error) => error,
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left < Duration::from_millis(10) {
                return Err(ApiError::NoResponse(attempts, error));
            }
            // The pause is cut short where it would use up the time of another attempt.
            let pause = backoff.next_pause().min(left / 2);
            tracing::info!(
                "{} attempt {attempts} failed, next in {pause:.0?}: {}",
                self.purpose,
                chain(error.as_ref())
            );
            tokio::time::sleep(pause).await;
        }
    }

    /// Once, over a connection of its own, answered before `deadline`.
    async fn attempt(&self, deadline: Instant) -> Result<ApiResponse, Error> {
        let in_time = |_| "no answer in time";
        let connect = TcpStream::connect((self.platform.host(), self.platform.port));
        let stream = timeout_at(deadline, connect).await.map_err(in_time)??;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = self.request()?;
        run_alongside(connection, async {
            let response = timeout_at(deadline, sender.send_request(request))
                .await
                .map_err(in_time)??;
            let status = response.status();
            // A 200 counts (D), which a body that stalls does not undo, nor the end of the attempt.
            let body_deadline = Instant::now() + BODY_TIMEOUT;
            let body_deadline = if status == StatusCode::OK {
                body_deadline
            } else {
                body_deadline.min(deadline)
            };
            let mut body = Vec::new();
            let _ended = timeout_at(body_deadline, read(response.into_body(), &mut body)).await;
            Ok(judge(status, &body))
        })
        .await
    }

    fn request(&self) -> http::Result<Request<Full<Bytes>>> {
        let mut request = Request::post(self.path)
            .header(header::HOST, self.platform.to_string())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONTENT_LENGTH, self.body.len());
        for (name, value) in self.headers {
            request = request.header(*name, *value);
        }
        request.body(Full::new(self.body.clone()))
    }
}

/// What the platform answered.
#[derive(Debug)]
enum ApiResponse {
    Ok(Value),
    /// Final; what the platform said.
    Rejected(StatusCode, String),
    /// Worth another try; what the platform said.
    Retry(String),
}

/// Reads an answer: to its end, to where it breaks off, to the end of its JSON, since not every server says
/// where a body ends, or to a size that no answer has.
async fn read(mut body: Incoming, bytes: &mut Vec<u8>) {
    const LIMIT: usize = 1024 * 1024;
    while let Some(Ok(frame)) = body.frame().await {
        let data = frame.into_data().unwrap_or_default();
        bytes.extend_from_slice(&data[..data.len().min(LIMIT - bytes.len())]);
        let is_whole = bytes.trim_ascii_end().ends_with(b"}")
            && serde_json::from_slice::<IgnoredAny>(bytes).is_ok();
        if is_whole || bytes.len() == LIMIT {
            break;
        }
    }
}

fn judge(status: StatusCode, body: &[u8]) -> ApiResponse {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    if status == StatusCode::OK && is_empty(&json["errorInfo"]) {
        return ApiResponse::Ok(json);
    }
    let said = said(&json, body);
    let passes = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
    if status.is_server_error() || passes.contains(&status) {
        ApiResponse::Retry(format!(
            "the platform answered with {}",
            answer(status, &said)
        ))
    } else {
        ApiResponse::Rejected(status, said)
    }
}

/// Whether an `errorInfo` tells of no error: the page's example has empty strings in it.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.trim().is_empty(),
        Value::Array(values) => values.iter().all(is_empty),
        Value::Object(fields) => fields.values().all(is_empty),
    }
}

/// What an answer says of an error: `errorType: errorMessage`, or else the beginning of its text, in one line.
fn said(json: &Value, body: &[u8]) -> String {
    let info = if is_empty(&json["errorInfo"]) {
        json
    } else {
        &json["errorInfo"]
    };
    let parts = [&info["errorType"], &info["errorMessage"]]
        .map(|part| part.as_str().unwrap_or_default().trim());
    let text = match parts {
        ["", ""] if info.is_object() => info.to_string(),
        ["", ""] => String::from_utf8_lossy(body).into_owned(),
        ["", text] | [text, ""] => text.to_owned(),
        [kind, message] => format!("{kind}: {message}"),
    };
    one_line(&text.chars().take(300).collect::<String>())
}

/// The status of an answer, and what it said.
pub(crate) fn answer(status: StatusCode, said: &str) -> String {
    let separator = if said.is_empty() { "" } else { ": " };
    format!("status {}{separator}{said}", status.as_u16())
}
