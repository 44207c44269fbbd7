//! How each kind of value is read, and what is said about one that cannot be.

use std::time::Duration;

use fg_extension::Error;
use fg_util::error::one_line;
use fg_util::setting::SizeRange;
use fg_util::{duration, setting};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{HeaderMap, Uri};

use super::{Compression, ExporterSelection, FlushMode};

/// Reports a value that cannot be read.
pub(super) fn invalid(name: &str, value: &str, problem: &str, hint: &str) -> Error {
    setting::invalid(name, value, problem, hint).into()
}

/// A URL, used as it is.
pub(super) fn endpoint(name: &str, value: &str) -> Result<Uri, Error> {
    // A password shall not get into the logs by way of the error about it.
    let shown = match (value.find("://"), value.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => {
            format!("{}://***{}", &value[..scheme], &value[at..])
        }
        _ => value.to_owned(),
    };
    let invalid = |problem: &str, hint: &str| Err(invalid(name, &shown, problem, hint));
    let example = "write it as in `https://collector.example:4318`";

    let Ok(uri) = value.parse::<Uri>() else {
        return invalid("is not a URL", example);
    };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return invalid("does not begin with `http://` or `https://`", example);
    };
    if scheme != "http" && scheme != "https" {
        return invalid("is neither `http://` nor `https://`", example);
    }
    if authority.as_str().contains('@') {
        return invalid(
            "has a user name in it",
            "put the credentials into OTEL_EXPORTER_OTLP_HEADERS, as in `authorization=Basic%20…`",
        );
    }
    let port = authority.as_str().strip_prefix(authority.host());
    let has_port = port.is_some_and(|port| !port.is_empty());
    if authority.host().is_empty() || has_port && uri.port_u16().is_none_or(|port| port == 0) {
        return invalid("has no host, or no port from 1 to 65535 after it", example);
    }
    Ok(uri)
}

/// The URL of one signal below the one of all.
pub(super) fn endpoint_below(name: &str, value: &str, path: &str) -> Result<Uri, Error> {
    let base = endpoint(name, value)?;
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

pub(super) fn exporter(name: &str, value: &str) -> Result<ExporterSelection, Error> {
    match value.to_ascii_lowercase().as_str() {
        "otlp" => Ok(ExporterSelection::Otlp),
        "none" => Ok(ExporterSelection::None),
        _ => Err(invalid(
            name,
            value,
            "is not an exporter of this extension",
            "write `otlp` or `none`",
        )),
    }
}

/// The only protocol that is spoken here.
pub(super) fn protocol(name: &str, value: &str) -> Result<(), Error> {
    if value.eq_ignore_ascii_case("http/protobuf") {
        return Ok(());
    }
    let problem = "is not a protocol of this exporter";
    let grpc = "write `http/protobuf` and give the endpoint the collector's HTTP port, as a rule 4318 and not 4317";
    let hint = if value.eq_ignore_ascii_case("grpc") {
        grpc
    } else {
        "write `http/protobuf`, which every collector takes at the same endpoint"
    };
    Err(invalid(name, value, problem, hint))
}

pub(super) fn compression(name: &str, value: &str) -> Result<Compression, Error> {
    match value.to_ascii_lowercase().as_str() {
        "gzip" => Ok(Compression::Gzip),
        "none" => Ok(Compression::None),
        _ => Err(invalid(
            name,
            value,
            "is not a compression",
            "write `gzip` or `none`",
        )),
    }
}

/// Milliseconds; 0 is the specification's way to say "no limit", which here is the longest duration that there is: an
/// unlimited wait would never end for a connection that died in a freeze.
pub(super) fn timeout(name: &str, value: &str) -> Result<Duration, Error> {
    if !is_number(value) {
        let problem = "is not a number of milliseconds";
        return Err(invalid(name, value, problem, "write it as in `10000`"));
    }
    // What digits cannot be parsed are too many.
    let timeout = value.parse().map_or(duration::MAX, Duration::from_millis);
    Ok(match timeout {
        Duration::ZERO => duration::MAX,
        timeout => timeout.min(duration::MAX),
    })
}

pub(super) fn flush_mode(name: &str, value: &str) -> Result<FlushMode, Error> {
    match value.to_ascii_lowercase().as_str() {
        "adaptive" => Ok(FlushMode::Adaptive),
        "end" => Ok(FlushMode::End),
        "periodic" => Ok(FlushMode::Periodic),
        _ => Err(invalid(
            name,
            value,
            "is not a way to flush",
            "write `adaptive`, `end` or `periodic`",
        )),
    }
}

/// A duration of at least `min`, and at most an hour.
pub(super) fn duration(name: &str, value: &str, min: Duration) -> Result<Duration, Error> {
    Ok(setting::parse_duration(name, value, min..=duration::MAX)?)
}

/// From a kilobyte to a gigabyte.
pub(super) fn buffer_size(name: &str, value: &str) -> Result<usize, Error> {
    let range = SizeRange {
        bytes: 1000..=1 << 30,
        text: "1KB to 1GiB",
    };
    Ok(setting::parse_size(name, value, range)?)
}

/// `key=value,key2=value2`, keys and values percent-encoded.
pub(super) fn attributes(name: &str, value: &str) -> Result<Vec<(String, String)>, Error> {
    list(value)
        .map(|entry| {
            let (key, value) = entry.split_once('=')?;
            let key = percent_decoded(key.trim())?;
            (!key.is_empty()).then_some((key, percent_decoded(value.trim())?))
        })
        .collect::<Option<_>>()
        .ok_or_else(|| {
            invalid(
                name,
                value,
                "is not a list of `key=value`",
                "write it as in `deployment.environment.name=test,team=a%20b`, percent-encoded where needed",
            )
        })
}

/// `key=value,key2=value2`, values percent-encoded.
///
/// The values are keys and tokens as a rule, so an error about one names its header only.
pub(super) fn headers(name: &str, value: &str) -> Result<HeaderMap, Error> {
    let invalid = |what: &str, problem: &str| -> Error {
        one_line(&format!(
            "{name} has {what}, {problem}: write it as in `api-key=secret,x-tenant=a%20b`, percent-encoded where needed"
        ))
        .into()
    };
    let mut headers = HeaderMap::new();
    for (index, entry) in list(value).enumerate() {
        let Some((key, value)) = entry.split_once('=') else {
            let which = format!("an entry without `=`, the {}", ordinal(index));
            return Err(invalid(&which, "which gives no header a value"));
        };
        let key = key.trim();
        let Ok(header) = HeaderName::from_bytes(key.as_bytes()) else {
            return Err(invalid(
                &format!("an entry for `{key}`"),
                "which is not a header name",
            ));
        };
        if RESERVED_HEADERS.contains(&header) {
            return Err(invalid(
                &format!("an entry for `{key}`"),
                "which the exporter itself must set",
            ));
        }
        let decoded = percent_decoded(value.trim());
        let Some(mut value) = decoded.and_then(|value| HeaderValue::try_from(value).ok()) else {
            return Err(invalid(
                &format!("a value for `{key}`"),
                "which is not a header value",
            ));
        };
        value.set_sensitive(true);
        headers.append(header, value);
    }
    Ok(headers)
}

/// Headers that follow from the body, the protocol and the connection.
const RESERVED_HEADERS: [HeaderName; 5] = [
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
];

fn list(value: &str) -> impl Iterator<Item = &str> {
    value
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
}

fn ordinal(index: usize) -> String {
    match index {
        0 => "first".to_owned(),
        1 => "second".to_owned(),
        2 => "third".to_owned(),
        _ => format!("{}th", index + 1),
    }
}

/// Digits only: Rust's own parser takes a `+` too.
fn is_number(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_digit())
}

fn percent_decoded(text: &str) -> Option<String> {
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
