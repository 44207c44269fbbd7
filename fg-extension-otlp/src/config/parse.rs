//! Parsers for the values of settings, with the error message for each kind of invalid value.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use fg_extension::{Error, Setting};
use fg_util::setting::SizeRange;
use fg_util::{duration, setting};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{HeaderMap, Uri};

use super::secrets::{self, REFERENCE, SecretHeader};
use super::{Compression, ExporterSelection, FlushMode};
use crate::diagnostic::Diagnostic;
use crate::shown_url::shown_url;

/// Parses a URL, which is used unchanged.
pub(super) fn endpoint(setting: &Setting) -> Result<Uri, Error> {
    let value = setting.value();
    let invalid = |problem: &str, hint: &str| {
        let may_contain_secret = value.contains('@') || shown_url(value) != value;
        let message = match may_contain_secret {
            true => setting.unreadable(&format!("the value {problem}; {hint}")),
            false => setting.invalid(problem, hint),
        };
        Err(message.into())
    };
    let example = "write a URL such as `https://collector.example:4318`";

    let scheme = value.split_once("://").map(|(scheme, _)| scheme);
    match scheme.map(str::to_ascii_lowercase).as_deref() {
        Some("http" | "https") => {}
        Some("grpc" | "grpcs") => {
            let hint = "write `http://` or `https://` and the collector's port for OTLP over HTTP, usually 4318";
            return invalid("is for gRPC, which is not supported", hint);
        }
        _ => return invalid("does not start with `http://` or `https://`", example),
    }
    let Ok(uri) = value.parse::<Uri>() else {
        return invalid("is not a URL", example);
    };
    let Some(authority) = uri.authority() else {
        return invalid("has no host", example);
    };
    if authority.as_str().contains('@') {
        return invalid(
            "contains a user name",
            "put the credentials in OTEL_EXPORTER_OTLP_HEADERS, for example `authorization=Basic%20…`",
        );
    }
    let port = authority.as_str().strip_prefix(authority.host());
    let has_port = port.is_some_and(|port| !port.is_empty());
    if authority.host().is_empty() || has_port && uri.port_u16().is_none_or(|port| port == 0) {
        return invalid("has no host, or a port outside 1 to 65535", example);
    }
    Ok(uri)
}

/// Appends a path to a URL.
pub(super) fn below(base: Uri, path: &str) -> Result<Uri, Error> {
    let mut joined = base.path().trim_end_matches('/').to_owned();
    joined.push_str(path);
    if let Some(query) = base.query() {
        joined.push('?');
        joined.push_str(query);
    }
    let mut parts = base.into_parts();
    parts.path_and_query = Some(joined.parse()?);
    Ok(Uri::from_parts(parts)?)
}

/// Parses the address of the receiver, or `off`.
pub(super) fn receiver(setting: &Setting) -> Result<Option<SocketAddr>, Error> {
    let value = setting.value();
    if value.eq_ignore_ascii_case("off") {
        return Ok(None);
    }
    // Many settings of collectors contain the name.
    let port = value
        .strip_prefix("localhost:")
        .and_then(|port| port.parse().ok());
    let address = match port {
        Some(port) => Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        None => value.parse(),
    };
    match address {
        Ok(address) if address.ip().is_loopback() && address.port() != 0 => Ok(Some(address)),
        _ => {
            let problem = "is not a loopback address with a port";
            let hint = "write `off`, or an address such as `127.0.0.1:4318`";
            Err(setting.invalid(problem, hint).into())
        }
    }
}

/// Parses the name of an exporter.
pub(super) fn exporter(setting: &Setting) -> Result<ExporterSelection, Error> {
    match setting.value().to_ascii_lowercase().as_str() {
        "otlp" => Ok(ExporterSelection::Otlp),
        "none" => Ok(ExporterSelection::None),
        _ => Err(setting
            .invalid("is not a supported exporter", "write `otlp` or `none`")
            .into()),
    }
}

/// Checks the protocol; `http/protobuf` is the only supported one.
pub(super) fn protocol(setting: &Setting) -> Result<(), Error> {
    let value = setting.value();
    if value.eq_ignore_ascii_case("http/protobuf") {
        return Ok(());
    }
    let problem = "is not a supported protocol";
    let grpc = "write `http/protobuf` and use the collector's HTTP port in the endpoint, usually 4318 instead of 4317";
    let hint = if value.eq_ignore_ascii_case("grpc") {
        grpc
    } else {
        "write `http/protobuf`, which collectors accept at the same endpoint"
    };
    Err(setting.invalid(problem, hint).into())
}

/// Parses the name of a compression.
pub(super) fn compression(setting: &Setting) -> Result<Compression, Error> {
    match setting.value().to_ascii_lowercase().as_str() {
        "gzip" => Ok(Compression::Gzip),
        "none" => Ok(Compression::None),
        _ => Err(setting
            .invalid("is not a supported compression", "write `gzip` or `none`")
            .into()),
    }
}

/// Parses a number of milliseconds.
///
/// The specification defines 0 as "no limit". Here it means the longest supported duration, because an unlimited wait
/// would never end for a connection that died in a freeze.
pub(super) fn timeout(setting: &Setting) -> Result<Duration, Error> {
    let value = setting.value();
    if !is_number(value) {
        let problem = "is not a number of milliseconds";
        return Err(setting
            .invalid(problem, "write a number such as `10000`")
            .into());
    }
    // Parsing digits only fails on overflow.
    let timeout = value.parse().map_or(duration::MAX, Duration::from_millis);
    Ok(match timeout {
        Duration::ZERO => duration::MAX,
        timeout => timeout.min(duration::MAX),
    })
}

/// Parses the name of a flush mode.
pub(super) fn flush_mode(setting: &Setting) -> Result<FlushMode, Error> {
    match setting.value().to_ascii_lowercase().as_str() {
        "adaptive" => Ok(FlushMode::Adaptive),
        "end" => Ok(FlushMode::End),
        "periodic" => Ok(FlushMode::Periodic),
        _ => Err(setting
            .invalid(
                "is not a flush mode",
                "write `adaptive`, `end` or `periodic`",
            )
            .into()),
    }
}

/// Parses a type of trigger that the semantic conventions define.
pub(super) fn trigger(setting: &Setting) -> Result<&'static str, Error> {
    let value = setting.value();
    let mut triggers = ["datasource", "http", "pubsub", "timer", "other"].into_iter();
    let known = triggers.find(|trigger| trigger.eq_ignore_ascii_case(value));
    known.ok_or_else(|| {
        let hint = "write `datasource`, `http`, `pubsub`, `timer` or `other`";
        setting.invalid("is not a type of trigger", hint).into()
    })
}

/// Parses `true` or `false`.
pub(super) fn switch(setting: &Setting) -> Result<bool, Error> {
    match setting.value().to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(setting
            .invalid("is neither `true` nor `false`", "write `true` or `false`")
            .into()),
    }
}

/// Parses a duration of at least `min` and at most one hour.
pub(super) fn duration(setting: &Setting, min: Duration) -> Result<Duration, Error> {
    Ok(setting::parse_duration(setting, min..=duration::MAX)?)
}

/// Parses a size from 1 KB to 1 GiB.
pub(super) fn buffer_size(setting: &Setting) -> Result<usize, Error> {
    let range = SizeRange {
        bytes: 1000..=1 << 30,
        text: "1KB to 1GiB",
    };
    Ok(setting::parse_size(setting, range)?)
}

/// Parses `key=value,key2=value2`; keys and values are percent-encoded.
///
/// An error message contains only the entry that is invalid, because the others may be secret.
pub(super) fn attributes(setting: &Setting) -> Result<Vec<(String, String)>, Error> {
    let pair = |entry: &str| {
        let (key, value) = entry.split_once('=')?;
        let key = percent_decoded(key.trim())?;
        (!key.is_empty()).then_some((key, percent_decoded(value.trim())?))
    };
    let invalid = |entry: &str| {
        let hint = "write pairs such as `deployment.environment.name=test,team=a%20b`, percent-encoded where needed";
        setting.unreadable(&format!("`{entry}` is not a `key=value` pair; {hint}"))
    };
    list(setting.value())
        .map(|entry| pair(entry).ok_or_else(|| invalid(entry).into()))
        .collect()
}

/// The headers of a setting.
#[derive(Default)]
pub(super) struct Headers {
    /// Those without secrets.
    pub(super) plain: HeaderMap,
    pub(super) secret: Vec<SecretHeader>,
    /// A warning about each invalid header without secrets.
    pub(super) warnings: Vec<Diagnostic>,
    /// The error about an invalid header with secrets.
    pub(super) error: Option<String>,
}

/// Parses `key=value,key2=value2` into headers; the values are percent-encoded.
///
/// The values are usually credentials, so a message contains at most the name of a header. An invalid reference to a secret
/// is an error, because only this crate reads those.
pub(super) fn headers(setting: &Setting) -> Headers {
    let hint = "write pairs such as `api-key=secret,x-tenant=a%20b`, percent-encoded where needed";
    let secret_hint = "write a header such as `authorization=Bearer%20${secret:api-key}`";
    let mut headers = Headers::default();
    for (index, entry) in list(setting.value()).enumerate() {
        let has_secret = entry.contains(REFERENCE);
        let added = header(index + 1, entry).and_then(|(name, value)| {
            if has_secret {
                let value = secrets::value(value)
                    .map_err(|problem| format!("the header `{name}`: {problem}"))?;
                headers.secret.push(SecretHeader { name, value });
            } else {
                let decoded = percent_decoded(value);
                let value = decoded.and_then(|value| HeaderValue::try_from(value).ok());
                let mut value = value
                    .ok_or_else(|| format!("the value of `{name}` is not a valid header value"))?;
                value.set_sensitive(true);
                headers.plain.append(name, value);
            }
            Ok(())
        });
        match added {
            Ok(()) => {}
            Err(problem) if has_secret => {
                let error = setting.unreadable(&format!("{problem}; {secret_hint}"));
                headers.error.get_or_insert(error);
            }
            Err(problem) => {
                let message = setting.unreadable(&format!("{problem}; {hint}"));
                headers.warnings.push(Diagnostic::Warning(format!(
                    "{message}; this header is not sent"
                )));
            }
        }
    }
    headers
}

/// Splits the entry of a list of headers with this number into the name of the header and its encoded value, or returns
/// what is wrong with it.
fn header(number: usize, entry: &str) -> Result<(HeaderName, &str), String> {
    let Some((key, value)) = entry.split_once('=') else {
        return Err(format!("entry {number} has no `=`"));
    };
    let key = key.trim();
    let Ok(name) = HeaderName::from_bytes(key.as_bytes()) else {
        // Not quoted: `authorization: Basic dTpw==` contains a password before its first `=`.
        return Err(format!(
            "entry {number} has no valid header name before its `=`"
        ));
    };
    if RESERVED_HEADERS.contains(&name) {
        return Err(format!("the exporter itself sets `{key}`"));
    }
    Ok((name, value.trim()))
}

/// Headers that the body, the protocol, and the connection determine.
const RESERVED_HEADERS: [HeaderName; 5] = [
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
];

/// Splits a comma-separated list and skips empty entries.
fn list(value: &str) -> impl Iterator<Item = &str> {
    value
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
}

/// Returns whether the value consists of digits. Rust's own parser also accepts a leading `+`.
fn is_number(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_digit())
}

/// Decodes percent-encoded text, or returns `None` if it is malformed or not UTF-8.
pub(super) fn percent_decoded(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        decoded.push(if *byte == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            rest = after;
            let digit = |digit: u8| char::from(digit).to_digit(16);
            u8::try_from(digit(digits[0])? * 16 + digit(digits[1])?).ok()?
        } else {
            *byte
        });
    }
    String::from_utf8(decoded).ok()
}
