//! How each kind of value is read, and what is said about one that cannot be.

use std::time::Duration;

use fg_extension::Error;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{HeaderMap, Uri};

use super::{Exporter, Flush};
use crate::export::text::one_line;

/// The longest of all durations; an "unlimited" wait would never end for a connection that died in a freeze.
const HOUR: Duration = Duration::from_secs(3600);

pub(super) fn bad(name: &str, value: &str, why: &str, what_to_do: &str) -> Error {
    one_line(&format!("{name} is `{value}`, which {why}: {what_to_do}")).into()
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
    let bad = |why: &str, what: &str| Err(bad(name, &shown, why, what));
    let example = "write it as in `https://collector.example:4318`";

    let Ok(uri) = value.parse::<Uri>() else {
        return bad("is not a URL", example);
    };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return bad("does not begin with `http://` or `https://`", example);
    };
    if scheme != "http" && scheme != "https" {
        return bad("is neither `http://` nor `https://`", example);
    }
    if authority.as_str().contains('@') {
        return bad(
            "has a user name in it",
            "put the credentials into OTEL_EXPORTER_OTLP_HEADERS, as in `authorization=Basic%20…`",
        );
    }
    let port = authority.as_str().strip_prefix(authority.host());
    let has_port = port.is_some_and(|port| !port.is_empty());
    if authority.host().is_empty() || has_port && uri.port_u16().is_none_or(|port| port == 0) {
        return bad("has no host, or no port from 1 to 65535 after it", example);
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

pub(super) fn exporter(name: &str, value: &str) -> Result<Exporter, Error> {
    match value.to_ascii_lowercase().as_str() {
        "otlp" => Ok(Exporter::Otlp),
        "none" => Ok(Exporter::None),
        _ => Err(bad(
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
    let why = "is not a protocol of this exporter";
    let grpc = "write `http/protobuf` and give the endpoint the collector's HTTP port, as a rule 4318 and not 4317";
    let what = if value.eq_ignore_ascii_case("grpc") {
        grpc
    } else {
        "write `http/protobuf`, which every collector takes at the same endpoint"
    };
    Err(bad(name, value, why, what))
}

pub(super) fn gzip(name: &str, value: &str) -> Result<bool, Error> {
    match value.to_ascii_lowercase().as_str() {
        "gzip" => Ok(true),
        "none" => Ok(false),
        _ => Err(bad(
            name,
            value,
            "is not a compression",
            "write `gzip` or `none`",
        )),
    }
}

/// Milliseconds; 0 is the specification's way to say "no limit", and an hour the longest that there is.
pub(super) fn timeout(name: &str, value: &str) -> Result<Duration, Error> {
    if !is_number(value) {
        let why = "is not a number of milliseconds";
        return Err(bad(name, value, why, "write it as in `10000`"));
    }
    // What digits cannot be parsed are too many.
    let timeout = value.parse().map_or(HOUR, Duration::from_millis);
    Ok(match timeout {
        Duration::ZERO => HOUR,
        timeout => timeout.min(HOUR),
    })
}

pub(super) fn flush(name: &str, value: &str) -> Result<Flush, Error> {
    match value.to_ascii_lowercase().as_str() {
        "adaptive" => Ok(Flush::Adaptive),
        "end" => Ok(Flush::End),
        "periodic" => Ok(Flush::Periodic),
        _ => Err(bad(
            name,
            value,
            "is not a way to flush",
            "write `adaptive`, `end` or `periodic`",
        )),
    }
}

/// `500ms`, `10s`, `1.5s`, `1m`, or a number of seconds; up to an hour.
pub(super) fn duration(name: &str, value: &str, least: Duration) -> Result<Duration, Error> {
    let seconds = number_with_unit(value).and_then(|(number, unit)| match unit {
        "ms" => Some(number / 1000.0),
        "" | "s" => Some(number),
        "m" => Some(number * 60.0),
        "h" => Some(number * 3600.0),
        _ => None,
    });
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|duration| (least..=HOUR).contains(duration))
        .ok_or_else(|| {
            let why = format!("is not a duration from {least:?} to 1h");
            bad(name, value, &why, "write it as `500ms`, `10s` or `1m`")
        })
}

/// `512KiB`, `4MiB`, `4MB`, or a number of bytes; from a kilobyte to a gigabyte.
pub(super) fn bytes(name: &str, value: &str) -> Result<usize, Error> {
    let bytes = number_with_unit(value).and_then(|(number, unit)| {
        let unit = match unit.to_ascii_lowercase().as_str() {
            "" | "b" => 1.0,
            "kb" => 1e3,
            "kib" => 1024.0,
            "mb" => 1e6,
            "mib" => 1024.0 * 1024.0,
            "gb" => 1e9,
            "gib" => 1024.0 * 1024.0 * 1024.0,
            _ => return None,
        };
        Some(number * unit)
    });
    bytes
        .filter(|bytes| (1000.0..=(1 << 30) as f64).contains(bytes))
        .map(|bytes| bytes as usize)
        .ok_or_else(|| {
            bad(
                name,
                value,
                "is not a size from 1KB to 1GiB",
                "write it as `512KiB`, `4MiB` or a number of bytes",
            )
        })
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
            bad(
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
    let bad = |what: &str, why: &str| -> Error {
        one_line(&format!(
            "{name} has {what}, {why}: write it as in `api-key=secret,x-tenant=a%20b`, percent-encoded where needed"
        ))
        .into()
    };
    let mut headers = HeaderMap::new();
    for (index, entry) in list(value).enumerate() {
        let Some((key, value)) = entry.split_once('=') else {
            let which = format!("an entry without `=`, the {}", ordinal(index));
            return Err(bad(&which, "which gives no header a value"));
        };
        let key = key.trim();
        let Ok(header) = HeaderName::from_bytes(key.as_bytes()) else {
            return Err(bad(
                &format!("an entry for `{key}`"),
                "which is no header's name",
            ));
        };
        if OURS.contains(&header) {
            return Err(bad(
                &format!("an entry for `{key}`"),
                "which the exporter itself must set",
            ));
        }
        let decoded = percent_decoded(value.trim());
        let Some(mut value) = decoded.and_then(|value| HeaderValue::try_from(value).ok()) else {
            return Err(bad(
                &format!("a value for `{key}`"),
                "which is no header's value",
            ));
        };
        value.set_sensitive(true);
        headers.append(header, value);
    }
    Ok(headers)
}

/// What follows from the body, the protocol and the connection.
const OURS: [HeaderName; 5] = [
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

fn number_with_unit(value: &str) -> Option<(f64, &str)> {
    let digits = value
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    Some((number.parse().ok()?, unit.trim_start()))
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
