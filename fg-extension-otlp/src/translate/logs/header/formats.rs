//! The formats of loggers, as tables.

use opentelemetry_proto::tonic::logs::v1::SeverityNumber;

/// A format that a line starts with, and what it means.
///
/// In a pattern, `%L` is one of [`LETTERS`], `%d` a digit, `%n` a number, and `%*` any text. All else stands for itself.
pub(super) type Opening = (&'static str, Meaning);

/// What an [`Opening`] says about the severity.
#[derive(Clone, Copy, Debug)]
pub(super) enum Meaning {
    /// The letter is the level.
    Letter,
    /// The number is a priority of syslog.
    Priority,
    /// The level, and its text.
    Level(SeverityNumber, &'static str),
    /// An error that no logger has classified, so it has no text.
    Crash(SeverityNumber),
    /// Nothing: the level follows.
    Prefix,
}

/// The formats of which the start differs from the usual order of times, names, and levels.
pub(super) const OPENINGS: &[Opening] = &[
    // klog, glog, absl: `E0501 12:00:00.000000 1 main.go:10] text`
    ("%L%d%d%d%d %d", Meaning::Letter),
    ("%L%d%d%d%d%d%d%d%d %d", Meaning::Letter),
    // tornado, Jupyter: `[E 230625 12:00:00 web:10] text`
    ("[%L %d%d%d%d", Meaning::Letter),
    // semantic_logger: `2023-06-25 12:00:00 E [312:main] Name -- text`
    ("%L [%n:", Meaning::Letter),
    // Ruby: `E, [2023-06-25T12:00:00 #312] ERROR -- name: text`
    ("%L, [", Meaning::Prefix),
    // logback, about its configuration: `12:00:00,000 |-ERROR in Class@1 - text`
    ("|-", Meaning::Prefix),
    // syslog, systemd
    ("<%n>", Meaning::Priority),
    // PHP: `PHP Fatal error:  text`
    ("PHP ", Meaning::Prefix),
    (
        "Fatal error:",
        Meaning::Level(SeverityNumber::Fatal, "Fatal error"),
    ),
    (
        "Parse error:",
        Meaning::Level(SeverityNumber::Error, "Parse error"),
    ),
    (
        "Recoverable fatal error:",
        Meaning::Level(SeverityNumber::Error, "Recoverable fatal error"),
    ),
    (
        "Deprecated:",
        Meaning::Level(SeverityNumber::Warn, "Deprecated"),
    ),
    ("npm ERR!", Meaning::Level(SeverityNumber::Error, "ERR!")),
    ("npm error ", Meaning::Level(SeverityNumber::Error, "error")),
    ("npm WARN ", Meaning::Level(SeverityNumber::Warn, "WARN")),
    ("npm warn ", Meaning::Level(SeverityNumber::Warn, "warn")),
    // Erlang
    (
        "=ERROR REPORT",
        Meaning::Level(SeverityNumber::Error, "ERROR"),
    ),
    (
        "=WARNING REPORT",
        Meaning::Level(SeverityNumber::Warn, "WARNING"),
    ),
    ("=INFO REPORT", Meaning::Level(SeverityNumber::Info, "INFO")),
    ("=CRASH REPORT", Meaning::Crash(SeverityNumber::Error)),
    // Go, when the process ends
    ("panic: ", Meaning::Level(SeverityNumber::Fatal, "panic")),
    (
        "fatal error: ",
        Meaning::Level(SeverityNumber::Fatal, "fatal error"),
    ),
    // Rust
    (
        "thread '%*' panicked at",
        Meaning::Crash(SeverityNumber::Fatal),
    ),
    (
        "thread '%*' (%n) panicked at",
        Meaning::Crash(SeverityNumber::Fatal),
    ),
    // Python
    (
        "Traceback (most recent call last)",
        Meaning::Crash(SeverityNumber::Error),
    ),
    // Java
    (
        "Exception in thread \"",
        Meaning::Crash(SeverityNumber::Error),
    ),
    ("Caused by: ", Meaning::Crash(SeverityNumber::Error)),
    // .NET
    (
        "Unhandled exception.",
        Meaning::Crash(SeverityNumber::Error),
    ),
    (
        "Unhandled Exception:",
        Meaning::Crash(SeverityNumber::Error),
    ),
    // Node.js: `Uncaught TypeError: text`
    ("Uncaught ", Meaning::Prefix),
    (
        "UnhandledPromiseRejection",
        Meaning::Crash(SeverityNumber::Error),
    ),
    (
        "Unhandled promise rejection",
        Meaning::Crash(SeverityNumber::Error),
    ),
    ("Segmentation fault", Meaning::Crash(SeverityNumber::Fatal)),
];

/// The letters that stand for levels.
pub(super) const LETTERS: &[(char, SeverityNumber)] = &[
    ('D', SeverityNumber::Debug),
    ('I', SeverityNumber::Info),
    ('W', SeverityNumber::Warn),
    ('E', SeverityNumber::Error),
    ('C', SeverityNumber::Error2),
    ('F', SeverityNumber::Fatal),
];

/// The levels of syslog, from 0 to 7.
pub(in crate::translate::logs) const SYSLOG: [(SeverityNumber, &str); 8] = [
    (SeverityNumber::Fatal, "emerg"),
    (SeverityNumber::Error3, "alert"),
    (SeverityNumber::Error2, "crit"),
    (SeverityNumber::Error, "err"),
    (SeverityNumber::Warn, "warning"),
    (SeverityNumber::Info2, "notice"),
    (SeverityNumber::Info, "info"),
    (SeverityNumber::Debug, "debug"),
];

/// The brackets that enclose times, names, and levels.
pub(super) const BRACKETS: &[(char, char)] = &[
    ('[', ']'),
    ('(', ')'),
    ('<', '>'),
    ('【', '】'),
    ('［', '］'),
    ('（', '）'),
    ('〔', '〕'),
    ('〖', '〗'),
    ('《', '》'),
];

/// The tokens that separate the parts of a header.
pub(super) const SEPARATORS: &[&str] = &["-", "|", "--", "---", "::", ":", "–", "—", ">", "»", "·"];

/// What makes `error: none` a statement about errors, instead of an error, before a comma or at the end, or only at the end.
pub(super) const NO_ERROR: &[&str] = &["0", "none", "null", "nil", "false", "n/a", "无", "没有"];
pub(super) const NO_ERROR_ALONE: &[&str] = &["no", "-", "ok"];

/// The Chinese words after a number of errors.
pub(super) const COUNTERS: &[char] = &[
    '个', '個', '条', '條', '次', '项', '項', '处', '處', '例', '件', '笔', '筆',
];

/// The last parts of the names of exceptions and of warnings.
pub(super) const EXCEPTIONS: &[(&str, SeverityNumber)] = &[
    ("Error", SeverityNumber::Error),
    ("Exception", SeverityNumber::Error),
    ("Warning", SeverityNumber::Warn),
];

/// What the second and later lines of a stack trace start with, after white space.
pub(super) const STACK_FRAMES: &[&str] = &["at ", "from ", "Traceback (most recent call last)"];
