//! Finds the severity in the fields of a structured record.

use opentelemetry_proto::tonic::logs::v1::SeverityNumber;
use serde_json::{Map, Number, Value};

use super::{Level, Severity};
use crate::translate::logs::header::{SYSLOG, without_ansi};

/// Who writes a field, if its values differ from those of other loggers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Dialect {
    Usual,
    /// Serilog: `Verbose` is its lowest level.
    Serilog,
    /// `Microsoft.Extensions.Logging`: `Critical` is its highest level.
    DotNet,
    OpenTelemetry,
    /// Python's `levelno`
    Python,
    /// journald
    Syslog,
    /// A letter, and only if the record is that of zap's development mode or of MongoDB.
    Abbreviated,
}

/// The fields, in order of precedence.
const KEYS: &[(&str, Dialect)] = &[
    ("severityNumber", Dialect::OpenTelemetry),
    ("severity_number", Dialect::OpenTelemetry),
    ("severityText", Dialect::Usual),
    ("severity_text", Dialect::Usual),
    ("level_name", Dialect::Usual),
    ("levelname", Dialect::Usual),
    ("LogLevel", Dialect::DotNet),
    ("level", Dialect::Usual),
    ("severity", Dialect::Usual),
    ("log.level", Dialect::Usual),
    ("log_level", Dialect::Usual),
    ("@level", Dialect::Usual),
    ("@l", Dialect::Serilog),
    ("lvl", Dialect::Usual),
    ("levelno", Dialect::Python),
    ("PRIORITY", Dialect::Syslog),
    ("L", Dialect::Abbreviated),
    ("s", Dialect::Abbreviated),
];

/// The text beside a number of OpenTelemetry.
const TEXTS: [&str; 2] = ["severityText", "severity_text"];

/// The objects in which a level is looked for if the record itself has none: ECS, loguru, logstash, Serilog.
const CONTAINERS: &[&str] = &[
    "log", "record", "@fields", "fields", "level", "data", "event",
];
/// The names of a level in an object that describes it, as in loguru and log4j2: `"level": {"name": "ERROR"}`.
const NAMES_OF_LEVEL: &[&str] = &["name", "standardLevel", "text"];

/// The numbers of a logger, from the first number to the last one, and their names.
type Numbers = (i64, i64, SeverityNumber, &'static str);

/// pino and bunyan. Custom levels lie between their numbers.
const PINO: &[Numbers] = &[
    (10, 19, SeverityNumber::Trace, "trace"),
    (20, 29, SeverityNumber::Debug, "debug"),
    (30, 39, SeverityNumber::Info, "info"),
    (40, 49, SeverityNumber::Warn, "warn"),
    (50, 59, SeverityNumber::Error, "error"),
    (60, 69, SeverityNumber::Fatal, "fatal"),
];
/// Python, loguru
const PYTHON: &[Numbers] = &[
    (1, 9, SeverityNumber::Trace, "TRACE"),
    (10, 19, SeverityNumber::Debug, "DEBUG"),
    (20, 29, SeverityNumber::Info, "INFO"),
    (30, 39, SeverityNumber::Warn, "WARNING"),
    (40, 49, SeverityNumber::Error, "ERROR"),
    (50, 59, SeverityNumber::Error2, "CRITICAL"),
];
const MONOLOG: &[Numbers] = &[
    (100, 100, SeverityNumber::Debug, "DEBUG"),
    (200, 200, SeverityNumber::Info, "INFO"),
    (250, 250, SeverityNumber::Info2, "NOTICE"),
    (300, 300, SeverityNumber::Warn, "WARNING"),
    (400, 400, SeverityNumber::Error, "ERROR"),
    (500, 500, SeverityNumber::Error2, "CRITICAL"),
    (550, 550, SeverityNumber::Error3, "ALERT"),
    (600, 600, SeverityNumber::Fatal, "EMERGENCY"),
];
const SERILOG: &[Numbers] = &[
    (0, 0, SeverityNumber::Trace, "Verbose"),
    (1, 1, SeverityNumber::Debug, "Debug"),
    (2, 2, SeverityNumber::Info, "Information"),
    (3, 3, SeverityNumber::Warn, "Warning"),
    (4, 4, SeverityNumber::Error, "Error"),
    (5, 5, SeverityNumber::Fatal, "Fatal"),
];
const DOT_NET: &[Numbers] = &[
    (0, 0, SeverityNumber::Trace, "Trace"),
    (1, 1, SeverityNumber::Debug, "Debug"),
    (2, 2, SeverityNumber::Info, "Information"),
    (3, 3, SeverityNumber::Warn, "Warning"),
    (4, 4, SeverityNumber::Error, "Error"),
    (5, 5, SeverityNumber::Fatal, "Critical"),
];
/// logback
const LOGBACK: &[Numbers] = &[
    (5_000, 5_000, SeverityNumber::Trace, "TRACE"),
    (10_000, 10_000, SeverityNumber::Debug, "DEBUG"),
    (20_000, 20_000, SeverityNumber::Info, "INFO"),
    (30_000, 30_000, SeverityNumber::Warn, "WARN"),
    (40_000, 40_000, SeverityNumber::Error, "ERROR"),
];

/// The fields that only records of a system have, for numbers that are ambiguous otherwise.
const SYSLOG_FIELDS: &[&str] = &[
    "short_message",
    "SYSLOG_IDENTIFIER",
    "SYSLOG_FACILITY",
    "_MACHINE_ID",
    "facility",
    "syslog",
];
const SERILOG_FIELDS: &[&str] = &["MessageTemplate", "@mt", "@m", "@t", "RenderedMessage"];
const ABBREVIATED_FIELDS: &[&str] = &["M", "T", "ctx"];
/// The fields of a compact record of Serilog, of which the level is `Information` if it has none.
const SERILOG_COMPACT: [&str; 2] = ["@mt", "@m"];

/// Returns whether a field contains the level, as in logfmt.
pub(in crate::translate::logs) fn is_level_key(name: &str) -> bool {
    // An environment variable: the level from which a program logs.
    if matches!(name, "LOG_LEVEL" | "LOGLEVEL") {
        return false;
    }
    let mut keys = KEYS
        .iter()
        .filter(|(_, dialect)| *dialect == Dialect::Usual);
    keys.any(|(key, _)| key.eq_ignore_ascii_case(name)) || name.eq_ignore_ascii_case("loglevel")
}

impl Severity {
    /// Finds the level of a structured record: a word, or a number in the dialect of the record.
    pub(in crate::translate::logs) fn of_object(fields: &Map<String, Value>) -> Option<Self> {
        let own = of_fields(fields);
        if let Some(severity) = own.as_ref().filter(|severity| severity.is_known()) {
            return Some(severity.clone());
        }
        let nested = CONTAINERS.iter().find_map(|name| {
            let container = fields.get(*name)?.as_object()?;
            let described = of_description(container).filter(|_| *name == "level");
            described
                .or_else(|| of_fields(container))
                .filter(Self::is_known)
        });
        nested.or(own).or_else(|| {
            let is_compact = fields.contains_key("@t")
                && SERILOG_COMPACT
                    .iter()
                    .any(|name| fields.contains_key(*name));
            is_compact.then_some(Self {
                number: SeverityNumber::Info,
                text: String::new(),
            })
        })
    }
}

/// Returns the first level that is known, or else the first text in the place of one.
fn of_fields(fields: &Map<String, Value>) -> Option<Severity> {
    let mut best: Option<(usize, Severity)> = None;
    for (name, value) in fields {
        let Some(rank) = KEYS
            .iter()
            .position(|(key, _)| key.eq_ignore_ascii_case(name))
        else {
            continue;
        };
        let (key, dialect) = KEYS[rank];
        // `L` and `s` are ordinary names in other spellings.
        if dialect == Dialect::Abbreviated && (name != key || !has_any(fields, ABBREVIATED_FIELDS))
        {
            continue;
        }
        let Some(severity) = of_value(value, dialect, fields) else {
            continue;
        };
        let order = |rank: usize, severity: &Severity| (!severity.is_known(), rank);
        if best
            .as_ref()
            .is_none_or(|(best_rank, best)| order(rank, &severity) < order(*best_rank, best))
        {
            best = Some((rank, severity));
        }
    }
    // The text of OpenTelemetry is beside its number.
    let (rank, mut severity) = best?;
    if KEYS[rank].1 == Dialect::OpenTelemetry {
        let is_text = |name: &str| TEXTS.iter().any(|text| text.eq_ignore_ascii_case(name));
        let text = fields.iter().find(|(name, _)| is_text(name));
        let text = text.and_then(|(_, value)| value.as_str());
        severity.text = text.unwrap_or_default().to_owned();
    }
    Some(severity)
}

/// Returns the level that an object describes: `{"name": "ERROR", "no": 40}`.
fn of_description(level: &Map<String, Value>) -> Option<Severity> {
    let mut names = NAMES_OF_LEVEL.iter();
    names.find_map(|name| Some(Severity::of_field(level.get(*name)?.as_str()?.trim())))
}

fn of_value(value: &Value, dialect: Dialect, fields: &Map<String, Value>) -> Option<Severity> {
    match value {
        Value::String(text) => {
            let text = without_ansi(text);
            let text = text.trim();
            let number = || of_number(&text.parse::<Number>().ok()?, dialect, fields);
            match number() {
                Some(severity) => Some(severity),
                None if text.is_empty() => None,
                // The value of a field for numbers is not a level.
                None if matches!(
                    dialect,
                    Dialect::Syslog | Dialect::Python | Dialect::OpenTelemetry
                ) =>
                {
                    None
                }
                None => Some(of_text(text, dialect, fields)),
            }
        }
        Value::Number(number) => of_number(number, dialect, fields),
        Value::Object(level) => of_description(level),
        _ => None,
    }
}

fn of_text(text: &str, dialect: Dialect, fields: &Map<String, Value>) -> Severity {
    let mut severity = Severity::of_field(text);
    let level = Level::of_word(text);
    let is = |word| level.as_ref().is_some_and(|level| level.is(word));
    let is_serilog = dialect == Dialect::Serilog || has_any(fields, SERILOG_FIELDS);
    if is_serilog && is("verbose") {
        severity.number = SeverityNumber::Trace;
    } else if dialect == Dialect::DotNet && is("critical") {
        severity.number = SeverityNumber::Fatal;
    } else if let (Dialect::Abbreviated, [letter]) = (dialect, text.as_bytes()) {
        severity.number = match letter {
            b'D' => SeverityNumber::Debug,
            b'I' => SeverityNumber::Info,
            b'W' => SeverityNumber::Warn,
            b'E' => SeverityNumber::Error,
            b'F' => SeverityNumber::Fatal,
            _ => SeverityNumber::Unspecified,
        };
    }
    severity
}

fn of_number(number: &Number, dialect: Dialect, fields: &Map<String, Value>) -> Option<Severity> {
    let number = number.as_i64()?;
    let tables: &[&[Numbers]] = match dialect {
        Dialect::OpenTelemetry => {
            let number = SeverityNumber::try_from(i32::try_from(number).ok()?).ok()?;
            let severity = Severity {
                number,
                text: String::new(),
            };
            return severity.is_known().then_some(severity);
        }
        Dialect::Python => &[PYTHON],
        Dialect::DotNet => &[DOT_NET],
        Dialect::Usual | Dialect::Syslog if has_any(fields, SYSLOG_FIELDS) => {
            let (number, text) = SYSLOG.get(usize::try_from(number).ok()?)?;
            return Some(Severity {
                number: *number,
                text: (*text).to_owned(),
            });
        }
        Dialect::Usual | Dialect::Serilog if has_any(fields, SERILOG_FIELDS) => &[SERILOG],
        Dialect::Usual => &[PINO, MONOLOG, LOGBACK],
        Dialect::Serilog | Dialect::Syslog | Dialect::Abbreviated => &[],
    };
    let mut numbers = tables.iter().flat_map(|table| table.iter());
    let (_, _, number, text) =
        numbers.find(|(first, last, ..)| (*first..=*last).contains(&number))?;
    Some(Severity {
        number: *number,
        text: (*text).to_owned(),
    })
}

fn has_any(fields: &Map<String, Value>, names: &[&str]) -> bool {
    names.iter().any(|name| fields.contains_key(*name))
}
