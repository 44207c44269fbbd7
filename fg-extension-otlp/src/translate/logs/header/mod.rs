//! Reads the header of a log line: its times, names, and level, which precede the message.

mod ansi;
mod formats;
mod mark;
mod pattern;
mod scanner;
mod time_span;
mod words;

use opentelemetry_proto::tonic::logs::v1::SeverityNumber;

pub(super) use self::ansi::without_ansi;
pub(super) use self::formats::SYSLOG;
use self::scanner::{Before, End, Scanner};
use super::severity::Severity;
use crate::translate::bounded_json::prefix;

/// What precedes the message of a log line.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Header<'a> {
    /// The first time, in any format.
    pub(super) time: Option<&'a str>,
    pub(super) severity: Option<Severity>,
    /// Whether the level is marked so clearly that it counts more than a level before it.
    pub(super) is_explicit: bool,
    /// What follows the level.
    pub(super) message: &'a str,
    /// What follows the names after the level.
    pub(super) rest: &'a str,
}

/// How much of a line is examined.
const MAX_HEADER_BYTES: usize = 1024;

impl<'a> Header<'a> {
    /// Reads the start of a text without ANSI escape sequences.
    ///
    /// A word that may be part of a sentence is not a level: only times, IDs, and names may precede a level, and a level
    /// in lower case must be marked, as in `warning:` or `[warning]`.
    pub(super) fn read(text: &'a str) -> Self {
        let text = text.trim_start();
        let head = prefix(text, MAX_HEADER_BYTES);
        let mut scanner = Scanner::new(head);
        let end = scanner.scan();
        let level_end = scanner.position;
        if scanner.found.is_some() {
            scanner.skip_names();
        } else if end == End::Message && scanner.has_stack() {
            scanner.found = Some(Found::crash(SeverityNumber::Error));
        }
        // `Response: {…}` is not the record of a logger.
        let is_after_name =
            scanner.before == Before::Name && scanner.time.is_none() && scanner.found.is_none();
        let rest = if is_after_name {
            ""
        } else {
            &text[scanner.position..]
        };
        Self {
            time: scanner.time,
            is_explicit: scanner
                .found
                .as_ref()
                .is_some_and(|found| found.is_explicit),
            severity: scanner.found.map(|found| found.severity),
            message: &text[level_end..],
            rest,
        }
    }
}

/// A level that was found in a header.
#[derive(Debug)]
struct Found {
    severity: Severity,
    is_explicit: bool,
}

impl Found {
    fn new(number: SeverityNumber, text: &str, is_explicit: bool) -> Self {
        Self {
            severity: Severity {
                number,
                text: text.to_owned(),
            },
            is_explicit,
        }
    }

    /// An error without a level.
    fn crash(number: SeverityNumber) -> Self {
        Self::new(number, "", false)
    }
}
