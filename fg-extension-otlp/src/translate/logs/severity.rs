//! Finds the severity of a log record in its body.

use opentelemetry_proto::tonic::logs::v1::SeverityNumber;
use serde_json::{Map, Value};

use super::line::is_uuid;

/// The severity of a log record, and its original text.
#[derive(Debug, PartialEq)]
pub(super) struct Severity {
    pub(super) number: SeverityNumber,
    pub(super) text: String,
}

impl Severity {
    /// Finds the level near the start of a line, or after `level=`. `id` is the ID of the line's invocation.
    ///
    /// A word that may be part of a sentence does not count: only times, IDs, and names may precede a level, and a
    /// level in lower case must be marked, as in `warning:` or `[warning]`.
    pub(super) fn of_line(line: &str, id: Option<&str>) -> Option<Self> {
        let line = line.trim_start().lines().next()?;
        let mut tokens = line.split_whitespace().take(MAX_TOKENS).peekable();
        while let Some(token) = tokens.next() {
            let is_before_separator = tokens.peek().is_some_and(|next| is_separator(next));
            if let Some(severity) = of_token(token, is_before_separator) {
                return Some(severity);
            }
            if is_prefix(token) || Some(token) == id {
                continue;
            }
            // Accepts `main.go:12 ERROR text` and `root - ERROR - text`, but not `an ERROR occurred`.
            if !is_name(token) && !is_before_separator {
                return None;
            }
        }
        None
    }

    /// Finds the level of a structured record: a word, or a number as in pino and bunyan.
    pub(super) fn of_object(fields: &Map<String, Value>) -> Option<Self> {
        KEYS.iter().find_map(|key| {
            let (_, value) = fields
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(key))?;
            match value {
                Value::String(text) if !text.trim().is_empty() => Some(of_text(text.trim())),
                Value::Number(number) => of_number(number.as_i64()?),
                _ => None,
            }
        })
    }
}

/// How many tokens of a line are examined.
const MAX_TOKENS: usize = 8;

/// The names of the field in most libraries, OpenTelemetry, Python's `logging`, and the Elastic Common Schema.
const KEYS: [&str; 6] = [
    "level",
    "severity",
    "severityText",
    "severity_text",
    "levelname",
    "log.level",
];

/// Maps a word to a severity. As in syslog, `critical` is more severe than `error` and less severe than `alert`.
fn of_word(word: &str) -> Option<SeverityNumber> {
    const LEVELS: [(&str, SeverityNumber); 19] = [
        ("trace", SeverityNumber::Trace),
        ("verbose", SeverityNumber::Trace),
        ("debug", SeverityNumber::Debug),
        ("info", SeverityNumber::Info),
        ("information", SeverityNumber::Info),
        ("notice", SeverityNumber::Info2),
        ("warn", SeverityNumber::Warn),
        ("warning", SeverityNumber::Warn),
        ("err", SeverityNumber::Error),
        ("error", SeverityNumber::Error),
        ("severe", SeverityNumber::Error),
        ("alert", SeverityNumber::Error3),
        ("crit", SeverityNumber::Error2),
        ("critical", SeverityNumber::Error2),
        ("dpanic", SeverityNumber::Fatal),
        ("panic", SeverityNumber::Fatal),
        ("emerg", SeverityNumber::Fatal),
        ("emergency", SeverityNumber::Fatal),
        ("fatal", SeverityNumber::Fatal),
    ];
    LEVELS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(word))
        .map(|(_, number)| *number)
}

/// Maps a word to a severity. An unknown word is kept as the text.
fn of_text(text: &str) -> Severity {
    Severity {
        number: of_word(text).unwrap_or(SeverityNumber::Unspecified),
        text: text.to_owned(),
    }
}

/// Maps a number to a severity, from 10 (`trace`) to 60 (`fatal`). Custom levels lie between those numbers.
fn of_number(level: i64) -> Option<Severity> {
    let (number, text) = match level {
        10..20 => (SeverityNumber::Trace, "trace"),
        20..30 => (SeverityNumber::Debug, "debug"),
        30..40 => (SeverityNumber::Info, "info"),
        40..50 => (SeverityNumber::Warn, "warn"),
        50..60 => (SeverityNumber::Error, "error"),
        60..70 => (SeverityNumber::Fatal, "fatal"),
        _ => return None,
    };
    Some(Severity {
        number,
        text: text.to_owned(),
    })
}

/// Returns the severity that a token of a line stands for.
fn of_token(token: &str, is_before_separator: bool) -> Option<Severity> {
    // `level=info`
    if let Some((key, value)) = token.split_once('=') {
        let is_level = KEYS.iter().any(|name| name.eq_ignore_ascii_case(key));
        return is_level.then(|| of_text(value.trim_matches('"')));
    }
    let bare = token.trim_end_matches([':', ',', '|']);
    let is_enclosed = |(open, close)| bare.starts_with(open) && bare.ends_with(close);
    let is_marked = is_before_separator
        || bare.len() < token.len()
        || [('[', ']'), ('(', ')'), ('<', '>')]
            .into_iter()
            .any(is_enclosed);
    // `ERROR:root:text`
    let (word, is_marked) = match bare.split_once(':') {
        Some((head, _)) => (head, true),
        None => (bare.trim_matches(['[', ']', '(', ')', '<', '>']), is_marked),
    };
    let number = of_word(word)?;
    let is_upper = word.chars().all(|char| char.is_ascii_uppercase());
    (is_upper || is_marked).then(|| Severity {
        number,
        text: word.to_owned(),
    })
}

/// Returns whether a token is a time, a UUID, enclosed as in `[main]`, or only punctuation.
fn is_prefix(token: &str) -> bool {
    let inner = token.trim_matches(|char: char| char.is_ascii_punctuation());
    let is_enclosed = token.starts_with(['[', '(', '<']) && token.ends_with([']', ')', '>']);
    let is_time = inner.starts_with(|char: char| char.is_ascii_digit())
        && (inner.len() >= "1687651200".len() || inner.contains([':', '-']))
        && inner
            .chars()
            .all(|char| char.is_ascii_digit() || "-:.,+TZ".contains(char));
    is_enclosed || inner.is_empty() || is_uuid(inner) || is_time
}

/// Returns whether a token is the name of a logger, a file, a thread, or a request, because it does not look like a
/// word.
fn is_name(token: &str) -> bool {
    let inner = token.trim_matches(|char: char| char.is_ascii_punctuation());
    inner.contains(|char: char| char.is_ascii_digit() || "./:_=#$".contains(char))
}

fn is_separator(token: &str) -> bool {
    matches!(token, "-" | "|" | "--" | "---" | "::" | "–" | "—")
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::logs::v1::SeverityNumber;
    use serde_json::{Value, json};

    use super::Severity;

    fn of_line(line: &str) -> Option<(SeverityNumber, String)> {
        Severity::of_line(line, Some("request")).map(|severity| (severity.number, severity.text))
    }

    #[test]
    fn level_near_the_start_is_found() {
        for (line, number, text) in [
            (
                "2023-06-25T00:00:00.250Z 3da1f2dc-3222-475e-9205-e2e6c6318895 INFO hello",
                SeverityNumber::Info,
                "INFO",
            ),
            (
                "2023-06-25T00:00:00.250Z 3da1f2dc-3222-475e-9205-e2e6c6318895 warning: hot",
                SeverityNumber::Warn,
                "warning",
            ),
            ("INFO hello", SeverityNumber::Info, "INFO"),
            ("[ERROR] no disk", SeverityNumber::Error, "ERROR"),
            ("[error] no disk", SeverityNumber::Error, "error"),
            ("WARN: hot", SeverityNumber::Warn, "WARN"),
            ("Warning: hot", SeverityNumber::Warn, "Warning"),
            ("warning: hot", SeverityNumber::Warn, "warning"),
            ("panic: runtime error", SeverityNumber::Fatal, "panic"),
            ("FATAL", SeverityNumber::Fatal, "FATAL"),
            ("EMERGENCY x", SeverityNumber::Fatal, "EMERGENCY"),
            ("ALERT x", SeverityNumber::Error3, "ALERT"),
            ("TRACE x", SeverityNumber::Trace, "TRACE"),
            ("  DEBUG x", SeverityNumber::Debug, "DEBUG"),
            (
                "2023-06-25 00:00:00,250 - root - CRITICAL - no disk",
                SeverityNumber::Error2,
                "CRITICAL",
            ),
            (
                "2023-06-25 00:00:00.250 ERROR no disk",
                SeverityNumber::Error,
                "ERROR",
            ),
            ("ERROR:root:no disk", SeverityNumber::Error, "ERROR"),
            (
                "[main] com.example.Handler ERROR no disk",
                SeverityNumber::Error,
                "ERROR",
            ),
            (
                "ts=1687651200 caller=main.go:7 level=warn msg=\"hot\"",
                SeverityNumber::Warn,
                "warn",
            ),
            ("00:00:00 | Error | no disk", SeverityNumber::Error, "Error"),
            ("<NOTICE> x\nERROR y", SeverityNumber::Info2, "NOTICE"),
        ] {
            assert_eq!(of_line(line), Some((number, text.into())), "{line}");
        }
    }

    #[test]
    fn prose_has_no_level() {
        for line in [
            "",
            "   ",
            "hello",
            "there was an error in the middle",
            "an ERROR occurred",
            "no errors, no warnings",
            "the error: none",
            "Error handling was improved",
            "Warning signs were ignored",
            "Info about the user",
            "2023-06-25T00:00:00.250Z user saw an error",
            "information-wise all is well",
            "errors: 5",
            "error handling was improved",
            "2023-06-25T00:00:00.250Z warning signs were ignored",
            "erroneous",
            "x\nERROR y",
            "1 error found",
            "step2 error handling",
            "10:00:00 user error",
            "héllo ERROR",
            "1 2 3 4 5 6 7 8 9 ERROR",
            "Finish invoke request '3da1f2dc-3222-475e-9205-e2e6c6318895', error: none",
        ] {
            assert_eq!(of_line(line), None, "{line}");
        }
    }

    fn of_object(object: Value) -> Option<(SeverityNumber, String)> {
        let severity = Severity::of_object(object.as_object().unwrap())?;
        Some((severity.number, severity.text))
    }

    #[test]
    fn level_of_an_object_is_found() {
        for (object, number, text) in [
            (json!({"level": "warn"}), SeverityNumber::Warn, "warn"),
            (
                json!({"severity": " ERROR "}),
                SeverityNumber::Error,
                "ERROR",
            ),
            (
                json!({"level": "dbg", "a": 1}),
                SeverityNumber::Unspecified,
                "dbg",
            ),
            (
                json!({"severityText": "Critical"}),
                SeverityNumber::Error2,
                "Critical",
            ),
            (
                json!({"Level": "Information"}),
                SeverityNumber::Info,
                "Information",
            ),
            (json!({"level": 30}), SeverityNumber::Info, "info"),
            (json!({"level": 55}), SeverityNumber::Error, "error"),
            (json!({"level": "60"}), SeverityNumber::Unspecified, "60"),
            (
                json!({"level": 3, "severity": "info"}),
                SeverityNumber::Info,
                "info",
            ),
        ] {
            assert_eq!(
                of_object(object.clone()),
                Some((number, text.into())),
                "{object}"
            );
        }
        for object in [
            json!({}),
            json!({"level": ""}),
            json!({"level": null}),
            json!({"level": 7}),
            json!({"level": 1e300}),
            json!({"message": "error"}),
            json!({"lvl": "error", "loglevel": "error"}),
        ] {
            assert_eq!(of_object(object.clone()), None, "{object}");
        }
    }
}
