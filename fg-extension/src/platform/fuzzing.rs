//! The platform's response to a registration.

// A panic is how a target reports a problem.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

use hyper::StatusCode;
use serde_json::Value;

use super::client::{ApiResponse, classify, is_json_object};
use super::exchange::{Framing, Head, parse_head};
use super::register::registration;
use crate::Registration;
use crate::config;

/// A response: its status and its body, with whether all of it has arrived.
type Response = (StatusCode, Vec<u8>, bool);

/// Reads the response to a registration that arrives in one piece and in several, compares its body with that of a simple
/// decoder, and compares its meaning with what `serde_json` reads.
pub fn registration_reply(data: &[u8]) {
    let whole = read([data]);
    for size in [1, 13, 200] {
        // The head is parsed again for each part.
        if data.len() > 1000 * size {
            continue;
        }
        let parts = read(data.chunks(size));
        match (&whole, &parts) {
            (Ok(Some((status, body, _))), Ok(Some((again, part, is_complete)))) => {
                assert_eq!(status, again);
                assert!(body.starts_with(part), "in parts of {size} bytes");
                // Not every server indicates where the body ends.
                assert!(body == part || is_json_object(part));
                assert!(*is_complete || part == body);
            }
            _ => assert_eq!(whole, parts),
        }
    }
    if let Ok(Some((status, body, _))) = whole {
        if let Some(expected) = expected_body(data) {
            assert!(body == expected, "{} bytes", body.len());
        }
        check_meaning(status, &body);
    }
}

/// Reads a response as [`super::exchange::Exchange`] does, without its limits. Returns `None` if its head is not complete.
fn read<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<Response>, String> {
    let (mut received, mut body) = (Vec::new(), Vec::new());
    let mut head: Option<Head> = None;
    let mut is_complete = false;
    for part in parts {
        received.extend_from_slice(part);
        if head.is_none() {
            head = read_head(&mut received)?;
        }
        if let Some(head) = &mut head {
            is_complete = head.framing.decode(&mut received, &mut body) || is_json_object(&body);
            if is_complete {
                break;
            }
        }
    }
    Ok(head.map(|head| (head.status, body, is_complete)))
}

/// Removes the head of a response from what was received, with all responses such as `100 Continue` before it.
fn read_head(received: &mut Vec<u8>) -> Result<Option<Head>, String> {
    while let Some((head, length)) = parse_head(received).map_err(|error| error.to_string())? {
        received.drain(..length);
        if !head.status.is_informational() {
            return Ok(Some(head));
        }
    }
    Ok(None)
}

/// Returns the body of a response that arrived in one piece, or `None` if its framing is unusual.
fn expected_body(data: &[u8]) -> Option<Vec<u8>> {
    let mut rest = data.to_vec();
    let head = read_head(&mut rest).ok()??;
    // A status of three digits follows the version.
    let start = data.len() - rest.len();
    let text = str::from_utf8(&data[..start]).ok()?;
    if text.replace("\r\n", "").contains(['\r', '\n']) {
        return None;
    }
    let heads = text.split_inclusive("\r\n\r\n");
    let text = heads.filter(|head| !head.trim().is_empty()).last()?;
    let mut lines = text.trim_ascii().split("\r\n");
    let status = lines.next()?.get(9..12)?;
    assert_eq!(head.status.as_str(), status);
    let headers: Vec<_> = lines
        .map(|line| line.split_once(':').unwrap_or_default())
        .collect();
    let header = |name: &str| {
        let named = headers
            .iter()
            .rfind(|(other, _)| other.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim())
    };
    let has_no_body = matches!(status, "204" | "304");
    match (header("transfer-encoding"), header("content-length")) {
        _ if has_no_body => {
            assert_eq!(head.framing, Framing::Length(0));
            Some(Vec::new())
        }
        (Some(coding), _) if coding.eq_ignore_ascii_case("chunked") => {
            assert_eq!(head.framing, Framing::Chunked(0));
            decode_chunks(&rest)
        }
        (Some(_), _) => None,
        (None, Some(length)) => {
            let length: usize = length.parse().ok()?;
            assert_eq!(head.framing, Framing::Length(length));
            Some(rest[..rest.len().min(length)].to_vec())
        }
        (None, None) => {
            assert_eq!(head.framing, Framing::UntilClosed);
            Some(rest)
        }
    }
}

/// Decodes chunks without extensions. Returns `None` if there is anything else.
fn decode_chunks(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = str::from_utf8(&rest[..end]).ok()?;
        let is_plain = size.len() < 16 && size.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = usize::from_str_radix(size, 16).ok().filter(|_| is_plain)?;
        if size == 0 {
            return Some(body);
        }
        rest = &rest[end + 2..];
        if rest.len() <= size {
            body.extend_from_slice(rest);
            return Some(body);
        }
        body.extend_from_slice(&rest[..size]);
        rest = rest[size..].strip_prefix(b"\r\n")?;
    }
}

/// Compares what a response means.
fn check_meaning(status: StatusCode, body: &[u8]) {
    let json: Option<Value> = serde_json::from_slice(body).ok();
    let text = |name: &str| {
        let text = json.as_ref()?.get("errorInfo")?.get(name)?.as_str()?;
        Some(text.trim()).filter(|text| !text.is_empty())
    };
    let has_error = text("errorType").is_some() || text("errorMessage").is_some();
    // Numbers such as `1e999` are JSON, but not values.
    let is_known = json.is_some() || !is_json_object(body);
    let config = config::fuzzing::config();
    let is_temporary = status.is_server_error() || [408, 429].contains(&status.as_u16());
    let rejection = match classify(status, body.to_vec()) {
        ApiResponse::Ok(unchanged) => {
            assert_eq!((status, &*unchanged), (StatusCode::OK, body));
            assert!(!has_error);
            check_registration(json.as_ref(), &registration(body, &config));
            return;
        }
        ApiResponse::Rejected(rejection) => {
            assert!(!is_temporary);
            rejection
        }
        ApiResponse::Retry(rejection) => {
            assert!(is_temporary);
            rejection
        }
    };
    assert!(status != StatusCode::OK || has_error || !is_known);
    assert_eq!(rejection.status, status);
    let message = rejection.to_string();
    assert!(!message.contains(char::is_control), "{message:?}");
    assert!(message.chars().count() < 8000, "{message:?}");
    for part in ["errorType", "errorMessage"].into_iter().filter_map(text) {
        let is_plain = part.len() < 100 && !part.contains(char::is_control);
        assert!(!is_plain || message.contains(part), "{message:?}");
    }
}

fn check_registration(json: Option<&Value>, registration: &Registration) {
    let Some(json) = json else {
        return;
    };
    let text = |name: &str| {
        let text = json.get(name)?.as_str()?;
        Some(text).filter(|text| !text.is_empty())
    };
    assert_eq!(
        registration.function_name.as_deref(),
        text("functionName").or(Some("name"))
    );
    assert_eq!(
        registration.function_version.as_deref(),
        text("functionVersion").or(Some("version"))
    );
    assert_eq!(
        registration.handler.as_deref(),
        text("handler").or_else(|| text("handlerName"))
    );
}
