//! The requests that control the instance: reads their bodies, and passes them to the loop of `dev` as commands.

use std::time::Duration;

use fg_emulator::Faults;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::StatusCode;
use hyper::body::{Body, Bytes, Incoming};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::sync::oneshot;

use super::command::{BatchSpec, PageCommand, PageRequest};
use super::response::{self, PageResponse};
use super::server::Shared;
use crate::invocation::{InvocationSpec, MAX_PAYLOAD_BYTES, PAYLOAD_TOO_LARGE};

/// The longest body: a payload of 6 MB in which every byte is escaped, and the other fields.
const MAX_INVOKE_BYTES: usize = 40 * 1024 * 1024;
/// The longest body of the other commands.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// The time to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest number of invocations that are requested together.
const MAX_COUNT: u64 = 1_000_000;
/// The largest number of invocations that are in flight at the same time.
const MAX_CONCURRENCY: u64 = 1_000;
/// The largest size of the payloads that are in flight at the same time.
const MAX_PAYLOADS_BYTES: u64 = 512 * 1024 * 1024;
/// The longest trace ID.
const MAX_TRACE_ID: usize = 256;

/// The path of a command.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum CommandPath {
    Invoke,
    StopInvocations,
    Freeze,
    Thaw,
    Rebuild,
    ShutDown,
    Faults,
}

/// The reason why a request is rejected.
type Rejection = (StatusCode, String);

impl CommandPath {
    /// Returns the command of a path below `/api/`.
    pub(super) fn find(path: &str) -> Option<Self> {
        Some(match path {
            "invoke" => Self::Invoke,
            "invoke/stop" => Self::StopInvocations,
            "freeze" => Self::Freeze,
            "thaw" => Self::Thaw,
            "rebuild" => Self::Rebuild,
            "shutdown" => Self::ShutDown,
            "faults" => Self::Faults,
            _ => return None,
        })
    }
}

/// Executes a command, and returns the response.
pub(super) async fn respond(path: CommandPath, body: Incoming, shared: &Shared) -> PageResponse {
    match execute(path, body, shared).await {
        Ok(response) => response,
        Err((status, message)) => response::error(status, true, &message),
    }
}

async fn execute(
    path: CommandPath,
    body: Incoming,
    shared: &Shared,
) -> Result<PageResponse, Rejection> {
    let Some(commands) = &shared.commands else {
        let message =
            "this command has no controls; start cargo fg dev --ui to control an instance";
        return Err(conflict(message));
    };
    let limit = match path {
        CommandPath::Invoke => MAX_INVOKE_BYTES,
        _ => MAX_BODY_BYTES,
    };
    // Few large bodies are read at the same time, to limit memory.
    let size = body.size_hint().upper();
    let is_large = size.is_none_or(|size| size > MAX_BODY_BYTES as u64);
    let _permit = match is_large {
        true => shared.large_bodies.acquire().await.ok(),
        false => None,
    };
    let body = read(body, limit).await?;
    let synthetic = shared.events.state.borrow().synthetic;
    let command = parse(path, &body, synthetic)?;
    drop(body);
    let (reply, response) = oneshot::channel();
    let ended = || conflict("the run has ended; start cargo fg dev again");
    let sent = commands.send(PageRequest { command, reply }).await;
    sent.map_err(|_| ended())?;
    let executed = response
        .await
        .map_err(|_| ended())?
        .map_err(|message| conflict(&message))?;
    let status = match path {
        CommandPath::Invoke => StatusCode::ACCEPTED,
        _ => StatusCode::OK,
    };
    // Strings and numbers can always be serialized.
    let body = serde_json::to_string(&executed).unwrap_or_default();
    Ok(response::json(status, body))
}

/// Reads the body, which may be empty.
async fn read(body: Incoming, limit: usize) -> Result<Bytes, Rejection> {
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    let collected = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, limit).collect()).await;
    match collected {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(bad_request(&format!("cannot read the body: {error}"))),
        Err(_) => Err((
            StatusCode::REQUEST_TIMEOUT,
            "the body did not arrive in time; send the request again".to_owned(),
        )),
    }
}

/// Returns the command that a body describes.
fn parse(path: CommandPath, body: &[u8], synthetic: bool) -> Result<PageCommand, Rejection> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Empty {}
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct FaultsBody {
        faults: String,
    }
    let command = match path {
        CommandPath::Invoke => return parse_invoke(from_json(body)?, synthetic),
        CommandPath::Faults => {
            let FaultsBody { faults } = from_json(body)?;
            let faults = faults.trim();
            if !faults.is_empty() {
                Faults::parse(faults, 0).map_err(|error| bad_request(&error.to_string()))?;
            }
            return Ok(PageCommand::SetFaults(faults.to_owned()));
        }
        CommandPath::StopInvocations => PageCommand::StopInvocations,
        CommandPath::Freeze => PageCommand::Freeze,
        CommandPath::Thaw => PageCommand::Thaw,
        CommandPath::Rebuild => PageCommand::Rebuild,
        CommandPath::ShutDown => PageCommand::ShutDown,
    };
    let Empty {} = from_json(body)?;
    Ok(command)
}

fn parse_invoke(mut body: Map<String, Value>, synthetic: bool) -> Result<PageCommand, Rejection> {
    // A field that is null is the same as a missing one.
    body.retain(|_, value| !value.is_null());
    let count = number(&mut body, "count", MAX_COUNT)?;
    let concurrency = number(&mut body, "concurrency", MAX_CONCURRENCY)?;
    const FIELDS: [&str; 5] = ["payload", "outcome", "duration", "logs", "trace_id"];
    if let Some(name) = body.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        let expected = FIELDS.join(", ");
        return Err(bad_request(&format!(
            "unknown field `{name}`; expected {expected}, count or concurrency"
        )));
    }
    let is_set = |name: &&str| body.contains_key(*name);
    if let Some(name) = ["outcome", "duration", "logs"]
        .iter()
        .find(|name| is_set(name))
        && !synthetic
    {
        return Err(bad_request(&format!(
            "cannot set `{name}`: it applies to the synthetic function, and this cargo fg dev runs a real one"
        )));
    }
    let spec: InvocationSpec = serde_json::from_value(Value::Object(body))
        .map_err(|error| bad_request(&error.to_string()))?;
    if spec.payload.0.len() > MAX_PAYLOAD_BYTES {
        return Err((StatusCode::PAYLOAD_TOO_LARGE, PAYLOAD_TOO_LARGE.to_owned()));
    }
    if spec.payload.0.len() as u64 * concurrency.min(count) > MAX_PAYLOADS_BYTES {
        return Err(bad_request(
            "the payloads in flight would have more than 512 MB; choose a smaller `concurrency`",
        ));
    }
    // It becomes a header of the event for a real function.
    if let Some(trace_id) = &spec.trace_id {
        let is_valid = |id: &str| id.bytes().all(|byte| byte.is_ascii_graphic());
        if trace_id.is_empty() || trace_id.len() > MAX_TRACE_ID || !is_valid(trace_id) {
            return Err(bad_request(
                "a trace ID has 1 to 256 characters of ASCII, without spaces",
            ));
        }
        if count > 1 {
            return Err(bad_request(
                "`trace_id` is for one invocation; leave it out if `count` is larger than 1",
            ));
        }
    }
    Ok(PageCommand::Invoke(BatchSpec {
        spec,
        count,
        concurrency: concurrency as usize,
    }))
}

/// Removes a number from the fields, and checks its range. The default is 1.
fn number(body: &mut Map<String, Value>, name: &str, max: u64) -> Result<u64, Rejection> {
    let Some(value) = body.remove(name) else {
        return Ok(1);
    };
    let number = value.as_u64().filter(|number| (1..=max).contains(number));
    number.ok_or_else(|| bad_request(&format!("`{name}` must be a number from 1 to {max}")))
}

/// Parses a body; an empty one is an object without fields.
fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Rejection> {
    let body = match body.trim_ascii() {
        [] => b"{}",
        body => body,
    };
    serde_json::from_slice(body).map_err(|error| bad_request(&format!("invalid body: {error}")))
}

fn bad_request(message: &str) -> Rejection {
    (StatusCode::BAD_REQUEST, message.to_owned())
}

fn conflict(message: &str) -> Rejection {
    (StatusCode::CONFLICT, message.to_owned())
}

fn too_large() -> Rejection {
    let message = "the body is too large; a payload has at most 6 MB".to_owned();
    (StatusCode::PAYLOAD_TOO_LARGE, message)
}
