//! Reads the parts of a header, one after another.

use opentelemetry_proto::tonic::logs::v1::SeverityNumber;

use super::Found;
use super::formats::{
    BRACKETS, EXCEPTIONS, LETTERS, Meaning, OPENINGS, SEPARATORS, STACK_FRAMES, SYSLOG,
};
use super::mark::Mark;
use super::pattern;
use super::time_span::time_len;
use super::words::{
    has_capitals, is_before_separator, is_category, is_no_error, is_upper, is_usual_case,
    level_after_name, level_in_group, level_word, quoted_len, token,
};
use crate::translate::bounded_json::prefix;
use crate::translate::logs::line::is_uuid;
use crate::translate::logs::severity::{Level, Severity, Usage, is_level_key};
use crate::translate::logs::time::is_time_key;

/// How long the text in brackets can be.
const MAX_GROUP_BYTES: usize = 256;
/// How many parts a header can have, and how many of them can be names.
const MAX_PARTS: usize = 32;
const MAX_NAMES: u32 = 6;

/// What precedes the position of a [`Scanner`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Before {
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
pub(super) enum End {
    Level,
    Message,
}

/// The state while a header is read.
pub(super) struct Scanner<'a> {
    /// The part of the text that is examined.
    head: &'a str,
    /// Its first line.
    line: &'a str,
    pub(super) position: usize,
    pub(super) before: Before,
    pub(super) time: Option<&'a str>,
    pub(super) found: Option<Found>,
    names: u32,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(head: &'a str) -> Self {
        Self {
            head,
            line: head.lines().next().unwrap_or_default(),
            position: 0,
            before: Before::Start,
            time: None,
            found: None,
            names: 0,
        }
    }

    /// Reads up to the level or, in a line without a level, up to the message.
    pub(super) fn scan(&mut self) -> End {
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
    pub(super) fn skip_names(&mut self) {
        for _ in 0..MAX_PARTS {
            let rest = self.rest();
            let message = rest.trim_start_matches(|char: char| {
                char.is_whitespace() || matches!(char, ':' | '：' | '|' | '-' | '!')
            });
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
        if let (None, Some(_), [letter]) = (&self.found, self.time, text.as_bytes()) {
            // `[12:00:00] [E] text` of spdlog
            let level = LETTERS
                .iter()
                .find(|(name, _)| *name == char::from(*letter));
            self.found = level.map(|(_, number)| Found::new(*number, text, true));
        }
        let before = if time.is_some() {
            Before::Time
        } else {
            Before::Group
        };
        self.advance(len, before)
    }

    /// Reads a separator, such as `-` or `|`, or a symbol.
    fn read_separator(&mut self) -> bool {
        let rest = self.rest();
        let token = token(rest);
        // `|ERROR|`
        if let Some(after) = rest.strip_prefix(['|', ',', ';']) {
            return self.advance(rest.len() - after.len(), Before::Separator);
        }
        if SEPARATORS.contains(&token) {
            return self.advance(token.len(), Before::Separator);
        }
        // `✖  error  text` of signale, and other pictures
        let is_symbol = !token.is_ascii() && !token.contains(char::is_alphanumeric);
        is_symbol && self.advance(token.len(), Before::Symbol)
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
        let is_explicit = match mark {
            Mark::Space | Mark::End => false,
            Mark::Colon => is_upper || is_category(after),
            _ => is_upper,
        };
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
            Mark::Offset(..) | Mark::Slash | Mark::Punctuation | Mark::Space | Mark::End => false,
        };
        let is_upper = is_upper(word);
        let is_strict = self.before == Before::Word;
        match usage {
            Usage::Word if is_upper => true,
            Usage::Word => is_marked && !is_strict && is_usual_case(word),
            Usage::Marked => is_marked && !is_strict && !has_capitals(word),
            Usage::UpperMarked => is_upper && (is_marked || self.before == Before::Time),
            Usage::Code => is_upper && (matches!(mark, Mark::Counter | Mark::Colon) || after_time),
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
            && name.chars().all(|char| {
                char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | '$' | ':' | '\\')
            });
        let is_last = rest.len() == token.len() && self.has_stack();
        let is_allowed = self.before != Before::Word && self.before != Before::Separator;
        // `Error: text` has a level, but `error: none` has not.
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
        let is_name = inner.contains(|char: char| {
            char.is_ascii_digit() || matches!(char, '.' | '/' | ':' | '_' | '=' | '#' | '$')
        }) || inner.is_empty()
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
    pub(super) fn has_stack(&self) -> bool {
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
