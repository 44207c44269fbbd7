//! Reads the header of a log line: its times, names, and level, which precede the message.

mod ansi;
mod formats;
mod mark;
mod pattern;
mod time_span;

use opentelemetry_proto::tonic::logs::v1::SeverityNumber;

pub(super) use self::ansi::without_ansi;
pub(super) use self::formats::SYSLOG;
use self::formats::{
    BRACKETS, EXCEPTIONS, Meaning, NO_ERROR, OPENINGS, SEPARATORS, STACK_FRAMES, SYMBOLS,
};
use self::mark::Mark;
use self::time_span::time_len;
use super::line::is_uuid;
use super::severity::{Level, Severity, Usage, is_level_key};
use super::time::is_time_key;
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
/// How long the text in brackets can be.
const MAX_GROUP_BYTES: usize = 256;
/// How many parts a header can have, and how many of them can be names.
const MAX_PARTS: usize = 32;
const MAX_NAMES: u32 = 6;

impl<'a> Header<'a> {
    /// Reads the start of a text without ANSI escape sequences.
    ///
    /// A word that may be part of a sentence is not a level: only times, IDs, and names may precede a level, and a level
    /// in lower case must be marked, as in `warning:` or `[warning]`.
    pub(super) fn read(text: &'a str) -> Self {
        let text = text.trim_start();
        let head = prefix(text, MAX_HEADER_BYTES);
        let line = head.lines().next().unwrap_or_default();
        let mut scanner = Scanner {
            head,
            line,
            position: 0,
            before: Before::Start,
            time: None,
            found: None,
            names: 0,
        };
        let end = scanner.scan();
        let level_end = scanner.position;
        if scanner.found.is_some() {
            scanner.skip_names();
        } else if end == End::Message && scanner.has_stack() {
            scanner.found = Some(Found::crash(SeverityNumber::Error));
        }
        Self {
            time: scanner.time,
            is_explicit: scanner
                .found
                .as_ref()
                .is_some_and(|found| found.is_explicit),
            severity: scanner.found.map(|found| found.severity),
            message: &text[level_end..],
            rest: &text[scanner.position..],
        }
    }
}

/// What precedes the position of a [`Scanner`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Before {
    Start,
    Time,
    Group,
    Separator,
    Symbol,
    Pair,
    Name,
    /// A word, after a time: the name of a host, or the ID of an invocation.
    Word,
}

/// Why a scan ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Level,
    Message,
}

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

struct Scanner<'a> {
    /// The part of the text that is examined.
    head: &'a str,
    /// Its first line.
    line: &'a str,
    position: usize,
    before: Before,
    time: Option<&'a str>,
    found: Option<Found>,
    names: u32,
}

impl<'a> Scanner<'a> {
    /// Reads up to the level, or up to the message if there is no level.
    fn scan(&mut self) -> End {
        for _ in 0..MAX_PARTS {
            self.skip_spaces();
            if self.rest().is_empty() {
                break;
            }
            if self.rest().starts_with('{') && !self.read_braces() {
                return self.end();
            }
            let is_part = match self.read_opening() {
                Some(End::Level) => return End::Level,
                Some(End::Message) => true,
                None => {
                    self.read_group()
                        || self.read_separator()
                        || self.read_pair()
                        || self.read_time()
                        || self.read_level()
                        || self.read_exception()
                        || self.read_name()
                }
            };
            // The pairs after `level=error` can contain the time.
            if self.found.is_some() && self.before != Before::Pair {
                return End::Level;
            }
            if !is_part {
                break;
            }
        }
        self.read_second_line();
        self.end()
    }

    fn end(&self) -> End {
        match self.found {
            Some(_) => End::Level,
            None => End::Message,
        }
    }

    /// Skips names, separators and times after a level, up to a message that may be JSON.
    fn skip_names(&mut self) {
        for _ in 0..MAX_PARTS {
            let rest = self.rest();
            let message = rest
                .trim_start_matches(|char: char| char.is_whitespace() || ":：|-!".contains(char));
            self.position += rest.len() - message.len();
            let severity = self.found.take();
            let is_part = self.read_group() || self.time.is_none() && self.read_time();
            self.found = severity;
            if !is_part {
                return;
            }
        }
    }

    fn rest(&self) -> &'a str {
        self.line.get(self.position..).unwrap_or_default()
    }

    fn skip_spaces(&mut self) {
        let rest = self.rest();
        self.position += rest.len() - rest.trim_start().len();
    }

    /// Advances past a part of the line.
    fn advance(&mut self, len: usize, before: Before) -> bool {
        self.position += len;
        self.before = before;
        true
    }

    /// Reads the second line of `java.util.logging`: `Jun 25, 2023 9:17:42 AM Main main\nSEVERE: text`.
    fn read_second_line(&mut self) {
        let has_only_names = self.rest().split_whitespace().count() <= 1;
        if self.time.is_none() || self.found.is_some() || !has_only_names {
            return;
        }
        let next = self
            .head
            .get(self.line.len()..)
            .unwrap_or_default()
            .trim_start();
        if let Some((word, level)) = level_word(next)
            && Mark::after(&next[word.len()..]) == Some(Mark::Colon)
        {
            self.found = Some(Found::new(level.number, word, true));
            self.position = self.head.len() - next.len() + word.len();
            self.line = self.head;
        }
    }

    fn read_opening(&mut self) -> Option<End> {
        if !matches!(self.before, Before::Start | Before::Time | Before::Symbol) {
            return None;
        }
        let rest = self.rest();
        for (opening, meaning) in OPENINGS {
            let Some(matched) = pattern::matches(opening, rest) else {
                continue;
            };
            let found = match meaning {
                Meaning::Prefix => {
                    self.position += matched.len;
                    // `E, [time`: the bracket is part of the header.
                    if opening.ends_with('[') {
                        self.position -= 1;
                    }
                    return Some(End::Message);
                }
                Meaning::Letter => {
                    let (letter, number) = matched.letter?;
                    Found::new(number, &rest[letter], true)
                }
                Meaning::Priority if self.before == Before::Start => {
                    let priority = matched.number.filter(|priority| *priority < 192)?;
                    let (number, text) = SYSLOG[priority % 8];
                    Found::new(number, text, true)
                }
                Meaning::Priority => continue,
                Meaning::Level(number, text) => Found::new(*number, text, true),
                Meaning::Crash(number) => Found::crash(*number),
            };
            self.found = Some(found);
            self.position += matched.len;
            if matches!(meaning, Meaning::Priority) {
                // The version of RFC 5424.
                let rest = self.rest();
                self.position += rest.len() - rest.strip_prefix("1 ").unwrap_or(rest).len();
            }
            return Some(End::Level);
        }
        None
    }

    /// Reads a name in braces, which is not JSON: `{taskinstance.py:1157}`.
    fn read_braces(&mut self) -> bool {
        let Some(rest) = self.rest().strip_prefix('{') else {
            return false;
        };
        let Some((inner, after)) = rest.split_once('}') else {
            return false;
        };
        let is_name =
            inner.contains(['.', ':']) && !inner.contains(['"', ' ']) && after.starts_with(' ');
        is_name && self.advance(inner.len() + 2, Before::Group)
    }

    /// Reads text in brackets, which can contain times, names, and a level.
    fn read_group(&mut self) -> bool {
        let rest = self.rest();
        let Some((open, close)) = BRACKETS.iter().find(|(open, _)| rest.starts_with(*open)) else {
            return false;
        };
        let inner = &rest[open.len_utf8()..];
        let Some(end) = prefix(inner, MAX_GROUP_BYTES).find(*close) else {
            return false;
        };
        let inner = &inner[..end];
        let len = open.len_utf8() + end + close.len_utf8();
        let text = inner.trim();
        let time = time_len(text).map(|len| &text[..len]);
        self.time = self.time.or(time);
        let after_time = text[time.map_or(0, str::len)..].trim_start_matches([' ', ':', ',']);
        if self.found.is_none() {
            self.found = level_in_group(after_time, time.is_some(), *open);
        }
        let is_time = time.is_some() && after_time.is_empty();
        self.advance(len, if is_time { Before::Time } else { Before::Group })
    }

    /// Reads a separator, such as `-` or `|`, or a symbol.
    fn read_separator(&mut self) -> bool {
        let rest = self.rest();
        let token = token(rest);
        // `|ERROR|`
        if let Some(after) = rest.strip_prefix(['|', ',']) {
            return self.advance(rest.len() - after.len(), Before::Separator);
        }
        if SEPARATORS.contains(&token) {
            return self.advance(token.len(), Before::Separator);
        }
        SYMBOLS.contains(&token) && self.advance(token.len(), Before::Symbol)
    }

    /// Reads `key=value`, as in logfmt.
    fn read_pair(&mut self) -> bool {
        let rest = self.rest();
        let is_key =
            |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '.' | '@' | '-');
        let key_len = rest.find(|char| !is_key(char)).unwrap_or(rest.len());
        let Some(value) = rest[key_len..].strip_prefix('=').filter(|_| key_len > 0) else {
            return false;
        };
        let key = &rest[..key_len];
        let (value, len) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let end = quoted_len(&value[1..], quote);
                (&value[1..1 + end], (end + 2).min(value.len()))
            }
            _ => {
                let token = token(value).trim_end_matches([',', ';']);
                (token, token.len())
            }
        };
        if self.found.is_none() && is_level_key(key) {
            let severity = Severity::of_field(value);
            self.found = severity.is_known().then_some(Found {
                severity,
                is_explicit: true,
            });
        }
        if self.time.is_none() && is_time_key(key) {
            self.time = Some(value);
        }
        self.advance(key_len + 1 + len, Before::Pair)
    }

    fn read_time(&mut self) -> bool {
        let rest = self.rest();
        let Some(len) = time_len(rest) else {
            return false;
        };
        self.time = self.time.or(Some(&rest[..len]));
        let after = rest[len..].trim_start_matches([':', ',', '.']);
        self.advance(rest.len() - after.len(), Before::Time)
    }

    /// Reads a level, unless it may be part of a sentence.
    fn read_level(&mut self) -> bool {
        let rest = self.rest();
        let Some((word, level)) = level_word(rest) else {
            return false;
        };
        let after = &rest[word.len()..];
        let Some(mark) = Mark::after(after) else {
            return false;
        };
        if !self.is_level(word, level.usage, mark)
            || mark == Mark::Colon && is_no_error(word, after)
        {
            return false;
        }
        let is_upper = is_upper(word);
        let (text_len, number) = match mark {
            Mark::Offset(len, offset) => (word.len() + len, level.plus(offset)),
            // `crit: Category[14]`, as `Microsoft.Extensions.Logging` writes it.
            Mark::Colon if level.is("crit") && !is_upper && is_category(after) => {
                (word.len(), SeverityNumber::Fatal)
            }
            _ => (word.len(), level.number),
        };
        let is_explicit = is_upper && !matches!(mark, Mark::Space | Mark::End);
        self.found = Some(Found::new(number, &rest[..text_len], is_explicit));
        let before = self.before;
        self.advance(
            text_len,
            if before == Before::Pair {
                Before::Name
            } else {
                before
            },
        )
    }

    fn is_level(&self, word: &str, usage: Usage, mark: Mark) -> bool {
        let after_time = matches!(self.before, Before::Time | Before::Group);
        let is_marked = match mark {
            Mark::Colon | Mark::Counter => true,
            Mark::Pipe => matches!(self.before, Before::Separator | Before::Time),
            Mark::Separator => self.before != Before::Word,
            Mark::Tab => self.before == Before::Time,
            Mark::Padding => self.before == Before::Symbol,
            Mark::Offset(..) | Mark::Slash | Mark::Comma | Mark::Space | Mark::End => false,
        };
        let is_upper = is_upper(word);
        let is_strict = self.before == Before::Word;
        match usage {
            Usage::Word if is_upper => true,
            Usage::Word => is_marked && !is_strict && is_usual_case(word),
            Usage::Marked => is_marked && !is_strict && !has_capitals(word),
            Usage::UpperMarked => is_upper && (is_marked || self.before == Before::Time),
            Usage::Code => is_upper && (mark == Mark::Counter || after_time),
            Usage::Field => false,
        }
    }

    /// Reads the name of an exception or a warning: `ValueError: text`.
    fn read_exception(&mut self) -> bool {
        let rest = self.rest();
        let token = token(rest);
        let name = token.trim_end_matches(':');
        let last = name.rsplit(['.', ':', '\\']).next().unwrap_or_default();
        let is_identifier = last.starts_with(|char: char| char.is_ascii_uppercase())
            && name
                .chars()
                .all(|char| char.is_ascii_alphanumeric() || "._$:\\".contains(char));
        let is_last = rest.len() == token.len() && self.has_stack();
        let is_allowed = self.before != Before::Word && self.before != Before::Separator;
        // `Error: text` has a level, unless it says that there is no error.
        let is_level = Level::of_word(name).is_some();
        if !is_allowed || is_level || !is_identifier || !(token.len() == name.len() + 1 || is_last)
        {
            return false;
        }
        let Some((_, number)) = EXCEPTIONS.iter().find(|(end, _)| last.ends_with(end)) else {
            return false;
        };
        self.found = Some(Found::crash(*number));
        self.advance(token.len(), Before::Name)
    }

    /// Reads the name of a logger, a file, a thread, or a request, because it does not look like a word.
    fn read_name(&mut self) -> bool {
        let rest = self.rest();
        let token = token(rest);
        self.names += 1;
        if self.names > MAX_NAMES {
            return false;
        }
        let after = &rest[token.len()..];
        if let Some((start, text, level)) = level_after_name(token) {
            self.found = Some(Found::new(level.number, text, true));
            return self.advance(start + text.len(), Before::Name);
        }
        // `` a.rb:5:in `f': text (ArgumentError) ``
        let after_in = after.trim_start();
        if token.ends_with(":in")
            && after_in.starts_with(['`', '\''])
            && self.line.trim_end().ends_with(')')
        {
            self.found = Some(Found::crash(SeverityNumber::Error));
            return self.advance(token.len(), Before::Name);
        }
        let inner = token.trim_matches(|char: char| char.is_ascii_punctuation());
        let is_name = inner
            .contains(|char: char| char.is_ascii_digit() || "./:_=#$".contains(char))
            || inner.is_empty()
            || is_uuid(inner)
            || token.ends_with(':') && self.before == Before::Start;
        if is_name || is_before_separator(after) {
            return self.advance(token.len(), Before::Name);
        }
        match self.before {
            // `<time> <host> ERROR text`
            Before::Time => self.advance(token.len(), Before::Word),
            // `<time> - <any words> - ERROR - text`
            Before::Separator if self.time.is_some() => {
                let head = prefix(rest, MAX_GROUP_BYTES);
                match head.find(" - ") {
                    Some(end) => self.advance(end, Before::Name),
                    None => false,
                }
            }
            _ => false,
        }
    }

    /// Returns whether the following lines are those of a stack trace.
    fn has_stack(&self) -> bool {
        let lines = self.head.get(self.line.len()..).unwrap_or_default().lines();
        lines.skip(1).any(|line| {
            let frame = line.trim_start();
            let is_frame = STACK_FRAMES.iter().any(|start| frame.starts_with(start));
            is_frame
                && (frame.len() < line.len() || frame.starts_with('T'))
                && frame.contains(['(', ':', '.'])
        })
    }
}

/// Returns the level in the text in brackets, after a time.
fn level_in_group(text: &str, is_after_time: bool, open: char) -> Option<Found> {
    let (word, level) = match level_word(text) {
        Some(found) => found,
        // `core:error`
        None => {
            let at = text.find([':', '#'])?;
            let (name, text) = (&text[..at], &text[at + 1..]);
            let (word, level) = level_word(text)?;
            let is_name = name
                .chars()
                .all(|char| char.is_ascii_alphanumeric() || char == '_');
            if !is_name || word.len() < text.len() || level.usage != Usage::Word {
                return None;
            }
            (word, level)
        }
    };
    let after = &text[text.find(word)? + word.len()..];
    let is_upper = is_upper(word);
    let found = Found::new(level.number, word, true);
    if after.is_empty() {
        let is_level = match level.usage {
            Usage::Word | Usage::Marked => is_upper || open != '<',
            Usage::UpperMarked => is_upper || level.is("success") || level.is("note"),
            Usage::Code => is_upper,
            Usage::Field => false,
        };
        return is_level.then_some(found);
    }
    // `ERROR/MainProcess`, `ERROR pay::disk`
    let is_name = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
    let is_level = is_upper
        && match after.strip_prefix('/') {
            Some(name) => is_name(name),
            None => {
                let name = after.trim_start();
                name.len() < after.len()
                    && is_name(name)
                    && (is_after_time || level.usage == Usage::Word)
            }
        };
    is_level.then_some(found)
}

/// Returns the level after the name of a logger, and where it starts: `app.ERROR:`, `log4j:WARN`.
fn level_after_name(token: &str) -> Option<(usize, &str, Level)> {
    let name = token.trim_end_matches(':');
    let start = name.rfind(['.', ':'])? + 1;
    let text = &name[start..];
    let is_marked = token.len() > name.len() || name[..start].ends_with(':');
    let level = Level::of_word(text).filter(|level| level.usage == Usage::Word)?;
    (is_marked && is_upper(text)).then_some((start, text, level))
}

/// Returns the first word of a text if it is a level.
fn level_word(text: &str) -> Option<(&str, Level)> {
    let is_ascii = text.starts_with(|char: char| char.is_ascii_alphabetic());
    let end = match is_ascii {
        true => text.find(|char: char| !char.is_ascii_alphabetic()),
        false => text.find(|char: char| !char.is_alphabetic()),
    };
    let word = &text[..end.unwrap_or(text.len())];
    Some((word, Level::of_word(word)?))
}

/// Returns whether the message says that there is no error: `error: none`.
fn is_no_error(word: &str, after: &str) -> bool {
    let message = after.trim_start_matches([':', '：']).trim();
    !is_upper(word)
        && NO_ERROR
            .iter()
            .any(|none| message.eq_ignore_ascii_case(none))
}

/// Returns whether a category of `Microsoft.Extensions.Logging` follows: `: Name.Space[14]`.
fn is_category(after: &str) -> bool {
    let token = token(after.trim_start_matches(':').trim_start());
    token.ends_with(']') && token.contains('[')
}

fn is_before_separator(after: &str) -> bool {
    let next = after.trim_start();
    next.len() < after.len() && SEPARATORS.contains(&token(next))
}

/// Returns the length of a quoted text, before its closing quote.
fn quoted_len(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    let end = text.find(|char| {
        let is_end = char == quote && !is_escaped;
        is_escaped = char == '\\' && !is_escaped;
        is_end
    });
    end.unwrap_or(text.len())
}

fn token(text: &str) -> &str {
    let end = text.find(char::is_whitespace);
    &text[..end.unwrap_or(text.len())]
}

fn is_upper(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_uppercase())
}

fn has_capitals(word: &str) -> bool {
    word.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// Returns whether a word is in lower case, possibly with a capital.
fn is_usual_case(word: &str) -> bool {
    !has_capitals(word.get(1..).unwrap_or_default())
}
