//! Turns text into something that can be published: names, classes of values, and known words. The report is made of these alone.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};
use std::sync::LazyLock;

/// The words that the report may quote, in any case. Everything else is described by its class.
const KNOWN_WORDS: &[&str] = &[
    // Telemetry events: the documented ones, and those of AWS.
    "platform",
    "function",
    "extension",
    "platform.initStart",
    "platform.initRuntimeDone",
    "platform.initReport",
    "platform.start",
    "platform.runtimeDone",
    "platform.report",
    "platform.restoreStart",
    "platform.restoreRuntimeDone",
    "platform.restoreReport",
    "platform.extension",
    "platform.fault",
    "platform.end",
    "platform.logsDropped",
    "platform.telemetrySubscription",
    // Statuses, stages and levels.
    "success",
    "succeeded",
    "ok",
    "failure",
    "fail",
    "failed",
    "error",
    "timeout",
    "timedout",
    "timed_out",
    "timed-out",
    "cancelled",
    "canceled",
    "killed",
    "oom",
    "shutdown",
    "spindown",
    "init",
    "initialize",
    "invoke",
    "start",
    "finish",
    "cold",
    "debug",
    "info",
    "warn",
    "warning",
    "fatal",
    "sync",
    "async",
    // Registrations and headers.
    "latest",
    "$LATEST",
    "POST",
    "GET",
    "keep-alive",
    "close",
    "chunked",
    "application/json",
];

/// The identifier of something, such as a variable, a header or a field. What does not look like an identifier is not shown.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Name(String);

impl Name {
    pub(crate) fn new(text: &str) -> Self {
        // A point occurs in e-mail addresses and in names of people.
        Self::checked(text, text.contains('.') || is_secret_value(text))
    }

    /// The name of something of the operating system, such as `python3.9`.
    pub(crate) fn of_system(text: &str) -> Self {
        Self::checked(text, false)
    }

    fn checked(text: &str, hidden: bool) -> Self {
        let is_name = !hidden
            && text.len() <= 64
            && text.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_')
            && text
                .bytes()
                .all(|it| it.is_ascii_alphanumeric() || b"_.-".contains(&it));
        Self(if is_name && !looks_like_an_id(text) {
            text.to_owned()
        } else {
            format!("(name of {} characters)", text.chars().count())
        })
    }
}

impl Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a part of a name may be random: six digits in a row, eight hexadecimal digits with a decimal one among them, or a change
/// between letters and digits at four places; or whether the part is too long for a word.
fn looks_like_an_id(text: &str) -> bool {
    let longest = |of: fn(&u8) -> bool| {
        let runs = text.as_bytes().split(|it| !of(it));
        runs.filter(|run| run.iter().any(u8::is_ascii_digit))
            .map(<[u8]>::len)
            .max()
            .unwrap_or(0)
    };
    let changes = |part: &str| {
        let pairs = part.as_bytes().windows(2);
        pairs
            .filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit())
            .count()
    };
    longest(u8::is_ascii_digit) >= 6
        || longest(u8::is_ascii_hexdigit) >= 8
        || text.split(['_', '.', '-']).any(|it| {
            let limit = if changes(it) > 0 { 16 } else { 32 };
            changes(it) >= 4 || it.len() > limit
        })
}

/// Returns a text that is one of the known words in any case, without white space around it.
pub(crate) fn known_word(text: &str) -> Option<&str> {
    let text = text.trim();
    KNOWN_WORDS
        .iter()
        .any(|word| word.eq_ignore_ascii_case(text))
        .then_some(text)
}

/// Describes a value without showing it.
pub(crate) fn class(text: &str) -> String {
    let trimmed = text.trim();
    let kind = match trimmed {
        "" => {
            return if text.is_empty() {
                "empty"
            } else {
                "white space"
            }
            .to_owned();
        }
        _ if is_uuid(trimmed) => "UUID".to_owned(),
        "true" | "false" => "boolean".to_owned(),
        _ if trimmed.parse::<f64>().is_ok() => "number".to_owned(),
        _ if humantime::parse_rfc3339_weak(trimmed).is_ok() => time_form(trimmed),
        _ if trimmed.starts_with('{') || trimmed.starts_with('[') => json_kind(trimmed),
        _ if trimmed.starts_with("http://") || trimmed.starts_with("https://") => "URL".to_owned(),
        _ if trimmed.starts_with("urn:") || trimmed.starts_with("sn:") => urn_form(trimmed),
        _ if trimmed.len() >= 16 && trimmed.bytes().all(|it| it.is_ascii_hexdigit()) => {
            format!("{} hexadecimal digits", trimmed.len())
        }
        _ => match (address_form(trimmed), log_line_form(trimmed)) {
            (Some(address), _) => address.to_owned(),
            (_, Some(line)) => line,
            _ if trimmed.starts_with('/') && trimmed.contains(':') => "list of paths".to_owned(),
            _ if trimmed.starts_with('/') => "absolute path".to_owned(),
            _ => "text".to_owned(),
        },
    };
    if trimmed.len() == text.len() {
        kind
    } else {
        format!("{kind} with white space around it")
    }
}

/// Describes the length of a value, in powers of four.
pub(crate) fn length_class(text: &str) -> &'static str {
    match text.len() {
        0 => "0",
        1..=3 => "1–3",
        4..=15 => "4–15",
        16..=63 => "16–63",
        64..=255 => "64–255",
        _ => "256 or more",
    }
}

fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|it| it == b'-' || it.is_ascii_hexdigit())
}

fn time_form(text: &str) -> String {
    let fraction = text.split_once('.').map_or(0, |(_, rest)| {
        rest.bytes().take_while(u8::is_ascii_digit).count()
    });
    format!("RFC 3339 with {fraction} decimals")
}

fn json_kind(text: &str) -> String {
    match serde_json::from_str(text) {
        Ok(serde_json::Value::Object(fields)) => {
            format!("JSON object with {} fields", fields.len())
        }
        Ok(serde_json::Value::Array(_)) => "JSON array".to_owned(),
        _ => "text that begins like JSON".to_owned(),
    }
}

/// Describes the parts of a URN: only the words that the contract knows are shown.
fn urn_form(text: &str) -> String {
    if text.matches([':', '@']).count() > 12 {
        return "URN of more than 12 parts".to_owned();
    }
    let part = |part: &str| match part {
        "urn" | "fss" | "sn" | "cn" | "yrk" | "function" | "latest" => part.to_owned(),
        "" => "empty".to_owned(),
        _ if part.starts_with('!') => "!alias".to_owned(),
        // Not `*`, which is an emphasis in Markdown.
        _ => vec!["…"; part.split('@').count()].join("@"),
    };
    let parts: Vec<_> = text.split(':').map(part).collect();
    format!("URN {}", parts.join(":"))
}

fn address_form(text: &str) -> Option<&'static str> {
    let text = text.trim_end_matches('/');
    if let Ok(address) = text.parse::<std::net::SocketAddr>() {
        return Some(if address.ip().is_loopback() {
            "host:port, a loopback address"
        } else {
            "host:port, an IP address"
        });
    }
    let (host, port) = text.split_once(':')?;
    let is_name = |it: u8| it.is_ascii_alphanumeric() || b".-".contains(&it);
    (!host.is_empty() && host.bytes().all(is_name) && port.parse::<u16>().is_ok())
        .then_some("host:port, a host name")
}

/// Describes a line of the function's log, if it has one of the forms that are known.
fn log_line_form(text: &str) -> Option<String> {
    let (first, rest) = text.split_once(' ')?;
    let is_time = first.len() > 10 && first.starts_with(|it: char| it.is_ascii_digit());
    if !is_time || humantime::parse_rfc3339_weak(first).is_err() {
        return phrase(text).map(str::to_owned);
    }
    if let Some(phrase) = phrase(rest) {
        return Some(format!("line: time, {phrase}"));
    }
    let mut words = rest.split(' ');
    let id = words.next().is_some_and(is_uuid);
    let level = words.next().and_then(known_word);
    Some(match (id, level) {
        (true, Some(level)) => format!("line: time, UUID, {level}, text"),
        _ => "line: time, text".to_owned(),
    })
}

fn phrase(text: &str) -> Option<&'static str> {
    ["Start invoke request", "Finish invoke request"]
        .into_iter()
        .find(|phrase| text.starts_with(phrase))
}

/// How many parts of a path are shown.
const MAX_PARTS: usize = 12;

/// Describes a path: ordinary words are shown, but no part that may be a value, such as the function's name.
pub(crate) fn path(text: &str) -> String {
    path_without(text, is_value_of_a_variable)
}

/// Describes the path of a request.
pub(crate) fn request_path(text: &str) -> String {
    path_without(text, |part| {
        part.contains('.') || is_value_of_a_variable(part)
    })
}

fn path_without(text: &str, is_value: impl Fn(&str) -> bool) -> String {
    let is_shown = |part: &str| {
        let own = ["platform-probe", "extensionPlatformProbe.sh"].contains(&part);
        let plain = part.len() <= 16
            && part
                .bytes()
                .all(|it| it.is_ascii_lowercase() || b"._-".contains(&it));
        own || (plain || part == "lib64") && !is_value(part)
    };
    let more = text.split('/').count().saturating_sub(MAX_PARTS);
    let parts = text.split('/').take(MAX_PARTS).map(|part| {
        if is_shown(part) {
            part.to_owned()
        } else {
            format!("<{} characters>", part.chars().count())
        }
    });
    let mut parts: Vec<_> = parts.collect();
    if more > 0 {
        parts.push(format!("<{more} parts>"));
    }
    parts.join("/")
}

/// Describes the name of a process, as the kernel knows it.
pub(crate) fn process_name(text: &str) -> String {
    process_name_without(text, any_value)
}

fn process_name_without(text: &str, any: impl Fn(&dyn Fn(&str) -> bool) -> bool) -> String {
    // The kernel cuts the name off after 15 bytes.
    let is_value = |value: &str| {
        value.eq_ignore_ascii_case(text)
            || text.len() == 15
                && value
                    .get(..15)
                    .is_some_and(|it| it.eq_ignore_ascii_case(text))
    };
    if any(&is_value) {
        return format!("(name of {} characters)", text.chars().count());
    }
    Name::of_system(text).to_string()
}

/// Whether this is the value of a variable, and not a short word that may also be the name of a field.
fn is_secret_value(text: &str) -> bool {
    static VALUES: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
        let values = RefCell::new(BTreeSet::new());
        any_value(&|value| {
            values.borrow_mut().insert(value.to_ascii_lowercase());
            false
        });
        values.into_inner()
    });
    text.len() >= 6 && VALUES.contains(&text.to_ascii_lowercase())
}

/// Whether this is the whole value of an environment variable or of a setting, such as the name of the function.
fn is_value_of_a_variable(text: &str) -> bool {
    any_value(&|value| !value.is_empty() && value.eq_ignore_ascii_case(text))
}

/// Whether this is so for any value of an environment variable, or any text in `RUNTIME_USERDATA`.
fn any_value(is: &dyn Fn(&str) -> bool) -> bool {
    let settings = std::env::var("RUNTIME_USERDATA").unwrap_or_default();
    let settings: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(&settings).unwrap_or_default();
    let mut settings = settings.values().filter_map(serde_json::Value::as_str);
    settings.any(is) || std::env::vars_os().any(|(_, value)| value.to_str().is_some_and(is))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_shown_and_ids_are_not() {
        for name in [
            "RUNTIME_FUNC_NAME",
            "X-Cff-Request-Id",
            "durationMs",
            "_",
            "decade",
            "utf8",
        ] {
            assert_eq!(Name::new(name).to_string(), name);
        }
        for id in [
            "3da1f2dc-3222-475e",
            "SECRET_123456",
            "a@b.example",
            "with space",
            "9lives",
            "deadbeef01",
            "kJ3nQx8TzRp",
            "john.smith",
            "AKIAIOSFODNN7EXAMPLE",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "",
        ] {
            assert!(Name::new(id).to_string().starts_with("(name of "), "{id}");
        }
    }

    #[test]
    fn values_are_described() {
        for (value, expected) in [
            ("", "empty"),
            ("127.0.0.1:9001", "host:port, a loopback address"),
            ("10.0.0.1:80/", "host:port, an IP address"),
            ("runtime.internal:80", "host:port, a host name"),
            ("http://a.example/b", "URL"),
            ("/usr/bin:/bin", "list of paths"),
            ("/opt", "absolute path"),
            ("3da1f2dc-3222-475e-9205-e2e6c6318895", "UUID"),
            ("12", "number"),
            (" true ", "boolean with white space around it"),
            (r#"{"a": 1}"#, "JSON object with 1 fields"),
            ("{a", "text that begins like JSON"),
            ("2026-11-27T14:25:20.936Z", "RFC 3339 with 3 decimals"),
            (
                "sn:cn:yrk:1111:function:0@test@hello:latest",
                "URN sn:cn:yrk:…:function:…@…@…:latest",
            ),
            (
                "urn:fss:cn-north-4:0a1b:function:default:hello:!prod",
                "URN urn:fss:…:…:function:…:…:!alias",
            ),
            (
                "2026-11-27T14:25:20.936Z Start invoke request 'x', version: latest",
                "line: time, Start invoke request",
            ),
            (
                "2026-11-27T14:25:20.936Z 3da1f2dc-3222-475e-9205-e2e6c6318895 INFO Smith has paid",
                "line: time, UUID, INFO, text",
            ),
            ("Smith has paid", "text"),
        ] {
            assert_eq!(class(value), expected, "{value}");
        }
        assert_eq!(
            class(&format!("sn:{}", ":".repeat(5_000))),
            "URN of more than 12 parts"
        );
    }

    #[test]
    fn paths_hide_values() {
        let shown = |path| path_without(path, |part| part == "payments");
        assert_eq!(shown("/opt/function/code"), "/opt/function/code");
        assert_eq!(
            shown("/opt/payments/0a1b2c/Smith"),
            "/opt/<8 characters>/<6 characters>/<5 characters>"
        );
        assert_eq!(shown(&"/a".repeat(100)), "/a".repeat(11) + "/<89 parts>");
        let name = |text| process_name_without(text, |is| is("payments-service-eu"));
        assert_eq!(name("payments-servic"), "(name of 15 characters)");
        assert_eq!(name("payments"), "payments");
    }
}
