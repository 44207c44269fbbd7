//! Finds events and their typed fields in JSON text, in one scan that also validates the JSON.

use std::borrow::Cow;
use std::ops::Range;

use super::fields::{Fields, Key, KeySet};
use super::{Events, PlatformEventKind};
use crate::json::{self, Invalid, Scanner, blank_trailing_commas};

/// Where an event and its typed fields are in the buffer of its batch.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    pub(super) kind: EventKind,
    /// The JSON of the event.
    pub(super) json: Span,
    /// The text of the field that determines the kind, trimmed.
    pub(super) name: Span,
    /// The text of the trace ID, trimmed.
    pub(super) trace_id: Span,
    /// The text of `status`, trimmed.
    pub(super) status: Span,
    /// The JSON of `startTime`, or of `time` in log events.
    pub(super) time: Span,
    /// The JSON of `endTime`.
    pub(super) end_time: Span,
    /// The JSON of `metrics`, or of `record` in log events.
    pub(super) content: Span,
    /// The typed fields.
    typed: KeySet,
    /// Whether the event has any other fields.
    pub(super) has_other: bool,
}

/// A range of a buffer, or [`NONE`](Self::NONE).
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

/// The kind of an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum EventKind {
    Platform(PlatformEventKind),
    Function,
    Extension,
    Unknown,
}

/// The maximum length of a typed string that contains escapes, which is decoded into memory. The field of a longer one
/// counts as untyped.
const MAX_ESCAPED: usize = 64 * 1024;

/// Finds the layouts of the events in the text between the brackets of a JSON array, one after the other.
///
/// Trailing commas are accepted at any depth, since the examples of the documentation contain them (D 2713).
///
/// The spans refer to a buffer that contains this text, followed by the unescaped text of strings with escapes.
pub(crate) struct Layouts<'a> {
    text: &'a str,
    scanner: Scanner<'a>,
    position: usize,
    has_escapes: bool,
    unescaped: String,
}

impl<'a> Layouts<'a> {
    /// # Errors
    ///
    /// Returns an error if the text is too long for spans.
    pub(crate) fn new(text: &'a str) -> Result<Self, Invalid> {
        // Unescaped text adds at most 1.5 times the length: an unpaired surrogate takes 9 bytes instead of 6.
        if text.len() > (u32::MAX / 4) as usize {
            return Err(Invalid);
        }
        Ok(Self {
            text,
            scanner: Scanner::accepting_trailing_commas(text),
            position: 0,
            // Unlike a search that stops at the first match, this is vectorized.
            has_escapes: text.bytes().fold(false, |any, byte| any | (byte == b'\\')),
            unescaped: String::new(),
        })
    }

    /// Reads the events in the text between the brackets of an array.
    pub(crate) fn read(text: &'a str) -> Result<Events, Invalid> {
        let mut all = Self::new(text)?;
        let mut layouts = Vec::new();
        while all.next(&mut layouts)? {}
        Ok(all.into_events(layouts))
    }

    /// Adds the layout of the next event to `layouts`. Returns `false` after the last one.
    pub(crate) fn next(&mut self, layouts: &mut Vec<Layout>) -> Result<bool, Invalid> {
        let is_first = self.position == 0;
        let mut at = self.scanner.token(self.position);
        if at == self.text.len() {
            return Ok(false);
        }
        if !is_first {
            at = self.scanner.token(self.scanner.expect(b',', at)?);
            if at == self.text.len() {
                return Ok(false);
            }
        }
        let start = at;
        let mut layout = if self.scanner.byte(at) == Some(b'{') {
            let mut fields = Fields::EMPTY;
            let insert = |field| fields.insert(self.text, field);
            at = self.scanner.object(at, insert)?;
            self.event(&fields)
        } else {
            at = self.scanner.value(at)?;
            Layout::UNKNOWN
        };
        layout.json = Span::new(start..at);
        self.position = at;
        layouts.push(layout);
        Ok(true)
    }

    /// Forgets the unescaped text of the layouts so far. Call it if these layouts are not used.
    pub(crate) fn forget_unescaped(&mut self) {
        self.unescaped.clear();
    }

    /// Returns whether there are trailing commas in the events that have been read.
    pub(crate) fn has_trailing_commas(&self) -> bool {
        self.scanner.has_trailing_commas()
    }

    /// Returns the events with these layouts.
    pub(crate) fn into_events(self, mut layouts: Vec<Layout>) -> Events {
        layouts.shrink_to_fit();
        let mut text = String::with_capacity(self.text.len() + self.unescaped.len());
        text.push_str(self.text);
        if self.has_trailing_commas() {
            text = blank_trailing_commas(text);
        }
        text.push_str(&self.unescaped);
        Events::new(text.into(), layouts)
    }

    /// Returns the layout of an event, except for the span of its JSON.
    fn event(&mut self, fields: &Fields) -> Layout {
        let Some((kind, key, name)) = self.kind(fields) else {
            return Layout::UNKNOWN;
        };
        let mut layout = Layout {
            kind,
            name,
            ..Layout::UNKNOWN
        };
        let mut typed = KeySet::EMPTY;
        typed.insert(key);
        let text = self.text;
        let mut take = |key, is_expected: fn(u8) -> bool| {
            let value = fields.get(key);
            let first = text.as_bytes().get(value.range().start);
            if value == Span::NONE || !first.is_some_and(|first| is_expected(*first)) {
                return Span::NONE;
            }
            typed.insert(key);
            value
        };
        if let EventKind::Platform(_) = kind {
            layout.time = take(Key::StartTime, is_time);
            layout.end_time = take(Key::EndTime, is_time);
            layout.content = take(Key::Metrics, is_object);
            let trace_id = take(Key::TraceId, is_string);
            let status = take(Key::Status, is_string);
            layout.trace_id = self.text(trace_id);
            layout.status = self.text(status);
        } else {
            layout.time = take(Key::Time, is_time);
            layout.content = take(Key::Record, |_| true);
            layout.trace_id = self.log_trace_id(fields);
        }
        layout.typed = typed;
        layout.has_other = fields.has_other || fields.keys != typed;
        layout
    }

    /// Returns the kind of an event, and the field that determines it.
    ///
    /// Platform events have a `name` (D 2713), and log events have a `type` (I). Both fields are accepted for both
    /// kinds.
    fn kind(&mut self, fields: &Fields) -> Option<(EventKind, Key, Span)> {
        let name = self.text(fields.get(Key::Name));
        let by_name = EventKind::of(self.get(name).unwrap_or_default());
        if let Some(kind @ EventKind::Platform(_)) = by_name {
            return Some((kind, Key::Name, name));
        }
        let r#type = self.text(fields.get(Key::Type));
        let by_type = EventKind::of(self.get(r#type).unwrap_or_default());
        match (by_name, by_type) {
            // For example `{"type": "platform", "name": "start"}`.
            (None, Some(EventKind::Platform(_))) if name != Span::NONE => {
                let kind = PlatformEventKind::of(self.get(name).unwrap_or_default());
                Some((EventKind::Platform(kind), Key::Name, name))
            }
            (_, Some(kind)) => Some((kind, Key::Type, r#type)),
            (Some(kind), None) => Some((kind, Key::Name, name)),
            (None, None) => None,
        }
    }

    /// Finds the ID in the fields of a log event or of its record.
    fn log_trace_id(&mut self, fields: &Fields) -> Span {
        if let Some(id) = self.id(fields) {
            return id;
        }
        let record = fields.get(Key::Record);
        if record == Span::NONE {
            return Span::NONE;
        }
        let mut in_record = Fields::EMPTY;
        let insert = |field| in_record.insert(self.text, field);
        match self.scanner.object(record.range().start, insert) {
            Ok(_) => self.id(&in_record).unwrap_or(Span::NONE),
            Err(Invalid) => Span::NONE,
        }
    }

    /// Finds the ID of an invocation in the fields of an object.
    fn id(&mut self, fields: &Fields) -> Option<Span> {
        let ids = [Key::TraceId, Key::RequestId];
        let spans = ids.map(|key| self.text(fields.get(key)));
        spans.into_iter().find(|span| !span.is_empty())
    }

    /// Returns the position of the trimmed text of a JSON string, or [`Span::NONE`] for any other value. If the string
    /// contains escapes, its text is added to the buffer.
    fn text(&mut self, value: Span) -> Span {
        if self.has_escapes
            && value.range().len() <= MAX_ESCAPED
            && let Some(Cow::Owned(text)) = value.of(self.text).and_then(json::text)
        {
            let start = self.text.len() + self.unescaped.len();
            let text = text.trim();
            self.unescaped.push_str(text);
            return Span::new(start..start + text.len());
        }
        let range = value.range();
        if self.has_escapes && range.len() > MAX_ESCAPED {
            return Span::NONE;
        }
        let [b'"', inner @ .., b'"'] = &self.text.as_bytes()[range.clone()] else {
            return Span::NONE;
        };
        let range = range.start + 1..range.end - 1;
        match inner {
            // Most texts need no trimming, which this finds out faster than `str::trim`.
            [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => {
                Span::new(range)
            }
            _ => {
                let text = self.text[range.clone()].trim_start();
                let start = range.end - text.len();
                Span::new(start..start + text.trim_end().len())
            }
        }
    }

    /// Returns a part of the buffer.
    fn get(&self, span: Span) -> Option<&str> {
        let Range { start, end } = span.range();
        match start.checked_sub(self.text.len()) {
            None => span.of(self.text),
            Some(start) => self.unescaped.get(start..end - self.text.len()),
        }
    }
}

impl Layout {
    const UNKNOWN: Self = Self {
        kind: EventKind::Unknown,
        json: Span::NONE,
        name: Span::NONE,
        trace_id: Span::NONE,
        status: Span::NONE,
        time: Span::NONE,
        end_time: Span::NONE,
        content: Span::NONE,
        typed: KeySet::EMPTY,
        has_other: true,
    };

    /// Returns the range of the JSON in the buffer.
    pub(crate) fn range(&self) -> Range<usize> {
        self.json.range()
    }

    /// Returns whether a field is one of the typed ones.
    pub(super) fn is_typed(&self, name: &str) -> bool {
        Key::of(name.as_bytes()).is_some_and(|key| self.typed.contains(key))
    }
}

impl Span {
    /// The span of what is missing. No other span is `0..0`: every value has at least one byte.
    pub(super) const NONE: Self = Self { start: 0, end: 0 };

    pub(super) fn new(range: Range<usize>) -> Self {
        // `Layouts::new` has checked that both fit.
        Self {
            start: range.start as u32,
            end: range.end as u32,
        }
    }

    fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// Returns this part of the buffer, or `None` if it is missing.
    pub(super) fn of(self, buffer: &str) -> Option<&str> {
        if self == Self::NONE {
            return None;
        }
        buffer.get(self.range())
    }
}

impl EventKind {
    /// Returns the kind for the value of `name` or `type`.
    fn of(text: &str) -> Option<Self> {
        let is = |word: &str| text.eq_ignore_ascii_case(word);
        if let Some((prefix, subtype)) = text.split_at_checked("platform.".len())
            && (prefix == "platform." || prefix.eq_ignore_ascii_case("platform."))
        {
            Some(Self::Platform(PlatformEventKind::of(subtype.trim_start())))
        } else if is("function") {
            Some(Self::Function)
        } else if is("extension") {
            Some(Self::Extension)
        } else if is("platform") {
            Some(Self::Platform(PlatformEventKind::Unknown))
        } else {
            None
        }
    }
}

fn is_string(first: u8) -> bool {
    first == b'"'
}

fn is_object(first: u8) -> bool {
    first == b'{'
}

fn is_time(first: u8) -> bool {
    matches!(first, b'"' | b'-' | b'0'..=b'9')
}
