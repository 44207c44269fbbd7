//! The registration call, retried while that can help.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::de::IgnoredAny;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::concurrent::beside;
use crate::config::Config;
use crate::error::{chain, one_line};
use crate::{Error, ExtensionName, Registration, RunError, TelemetryCounters};

/// How long the rest of an answer may take, once its status is there.
const BODY_TIMEOUT: Duration = Duration::from_secs(2);

/// Registers with the platform.
///
/// Failures that pass (I: 5xx, 408, 429, a connection refused or broken, no answer) are tried again until
/// `FG_REGISTER_TIMEOUT` is over; any other answer than 200 is final (D 2707).
pub(crate) async fn register(
    name: ExtensionName,
    config: &Config,
) -> Result<Registration, RunError> {
    let deadline = Instant::now() + config.register_timeout;
    let mut backoff = Backoff::new();
    let mut attempts = 0_u32;
    loop {
        attempts += 1;
        // An attempt has half of what is left: time enough for a platform that is slow to answer, and
        // another attempt if it never does.
        let now = Instant::now();
        let error = match attempt(name, config, now + (deadline - now) / 2).await {
            Ok(Answer::Registered(registration)) => return Ok(registration),
            Ok(Answer::Refused(status, said)) => return Err(refused(name, config, status, &said)),
            Ok(Answer::Failed(said)) => said.into(),
            Err(error) => error,
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left < Duration::from_millis(10) {
            return Err(unreachable(config, attempts, error));
        }
        // The pause is cut short where it would use up the time of another attempt.
        let pause = backoff.next().min(left / 2);
        tracing::info!(
            "registration attempt {attempts} failed, next in {pause:.0?}: {}",
            chain(error.as_ref())
        );
        tokio::time::sleep(pause).await;
    }
}

/// What the platform answered.
#[derive(Debug)]
enum Answer {
    Registered(Registration),
    /// Final; what the platform said.
    Refused(StatusCode, String),
    /// Worth another try; what the platform said.
    Failed(String),
}

/// One `POST /extension/register` over a connection of its own, answered before `deadline`.
async fn attempt(name: ExtensionName, config: &Config, deadline: Instant) -> Result<Answer, Error> {
    let in_time = |_| "no answer in time";
    let connect = TcpStream::connect((config.platform.host(), config.platform.port));
    let stream = timeout_at(deadline, connect).await.map_err(in_time)??;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::post("/extension/register")
        .header(header::HOST, config.platform.to_string())
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::CONTENT_LENGTH, 0)
        .header("FunctionGraph-Extension-Name", name.as_str())
        .header(
            "FunctionGraph-Extension-Address",
            config.port.address().to_string(),
        )
        .body(Empty::<Bytes>::new())?;
    beside(connection, async {
        let response = timeout_at(deadline, sender.send_request(request))
            .await
            .map_err(in_time)??;
        let status = response.status();
        // A 200 is a registration (D), which a body that stalls does not undo, nor the end of the attempt.
        let body_deadline = Instant::now() + BODY_TIMEOUT;
        let body_deadline = if status == StatusCode::OK {
            body_deadline
        } else {
            body_deadline.min(deadline)
        };
        let mut body = Vec::new();
        let _ended = timeout_at(body_deadline, read(response.into_body(), &mut body)).await;
        Ok(judge(status, &body, config))
    })
    .await
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

fn judge(status: StatusCode, body: &[u8], config: &Config) -> Answer {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    if status == StatusCode::OK && is_empty(&json["errorInfo"]) {
        return Answer::Registered(registration(&json, config));
    }
    let said = said(&json, body);
    let passes = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
    if status.is_server_error() || passes.contains(&status) {
        Answer::Failed(format!(
            "the platform answered with {}",
            answer(status, &said)
        ))
    } else {
        Answer::Refused(status, said)
    }
}

/// Nobody outside the platform can tell what a 200 may look like (?), so every one is a registration, with
/// one warning if it does not name the function as the page says.
fn registration(answer: &Value, config: &Config) -> Registration {
    let text = |field: &str| {
        answer[field]
            .as_str()
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let (function_name, function_version) = (text("functionName"), text("functionVersion"));
    if function_name.is_none() || function_version.is_none() {
        tracing::warn!(
            "the platform at {} registered the extension without naming the function; \
             its name and version are those of RUNTIME_FUNC_NAME and RUNTIME_FUNC_VERSION, if set",
            config.platform,
        );
    }
    Registration {
        function_name: function_name.or_else(|| config.function_name.clone()),
        function_version: function_version.or_else(|| config.function_version.clone()),
        // The page's prose promises the handler's name, its example has none (?).
        handler: text("handler").or_else(|| text("handlerName")),
        telemetry: TelemetryCounters::default(),
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

fn refused(name: ExtensionName, config: &Config, status: StatusCode, said: &str) -> RunError {
    let what_to_do = if status == StatusCode::OK || status.is_client_error() {
        format!(
            "its start script must be `extension/{name}` and no other extension may have its port"
        )
    } else {
        "a registration is answered with status 200, so check EXTENSION_API_ADDR".to_owned()
    };
    RunError::refused(format!(
        "the platform at {} refused to register {name} at {} with {}; {what_to_do}",
        config.platform,
        config.port.address(),
        answer(status, said),
    ))
}

/// The status of an answer, and what it said.
fn answer(status: StatusCode, said: &str) -> String {
    let separator = if said.is_empty() { "" } else { ": " };
    format!("status {}{separator}{said}", status.as_u16())
}

fn unreachable(config: &Config, attempts: u32, last: Error) -> RunError {
    let message = format!(
        "no registration with the platform at {} in {:?} ({attempts} attempts); \
         check EXTENSION_API_ADDR, or set FG_REGISTER_TIMEOUT to wait longer",
        config.platform, config.register_timeout,
    );
    RunError::timeout(message, last)
}

/// Pauses that double from 50 ms to a second, each between half of that and all of it: several extensions
/// that start at once do not knock at once.
struct Backoff {
    longest: Duration,
}

impl Backoff {
    fn new() -> Self {
        Self {
            longest: Duration::from_millis(50),
        }
    }

    fn next(&mut self) -> Duration {
        // The standard library's hasher keys are the randomness at hand.
        let random = RandomState::new().hash_one(()) as f64 / u64::MAX as f64;
        let pause = self.longest.mul_f64(0.5 + random / 2.0);
        self.longest = (self.longest * 2).min(Duration::from_secs(1));
        pause
    }
}
