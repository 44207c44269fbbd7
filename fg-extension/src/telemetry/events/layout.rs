//! Finds events and their typed fields in JSON text, in one scan that also validates the JSON.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::value::{Error as ValueError, StrDeserializer};
use serde::de::{DeserializeSeed, IgnoredAny, IntoDeserializer};
use serde_json::Deserializer;

use super::fields::{Fields, Key, KeySet};
use super::{PlatformEventKind, json};

/// Where an event and its typed fields are in the buffer of its batch.
#[derive(Clone)]
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

/// Finds the layouts of the events in the text between the brackets of a JSON array, one after the other.
///
/// The spans refer to a buffer that contains this text, followed by the unescaped text of strings with escapes.
pub(crate) struct Layouts<'a> {
    text: &'a str,
    position: usize,
    has_escapes: bool,
    unescaped: String,
}

/// The text is not a list of JSON values.
#[derive(Debug)]
pub(crate) struct Invalid;

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
            position: 0,
            // Unlike a search that stops at the first match, this is vectorized.
            has_escapes: text.bytes().fold(false, |any, byte| any | (byte == b'\\')),
            unescaped: String::new(),
        })
    }

    /// Returns the layout of the next event, or `None` after the last one.
    pub(crate) fn next(&mut self) -> Result<Option<Layout>, Invalid> {
        let is_first = self.position == 0;
        self.skip_white_space();
        match (self.byte(), is_first) {
            (None, _) => return Ok(None),
            (Some(b','), false) => self.position += 1,
            (Some(_), true) => {}
            (Some(_), false) => return Err(Invalid),
        }
        self.skip_white_space();
        let start = self.position;
        let mut fields = Fields::default();
        let mut layout = if self.byte() == Some(b'{') && self.value(&mut fields).is_ok() {
            self.event(&fields)
        } else {
            // Not an object, or a field name contains an unpaired surrogate.
            self.value(PhantomData::<IgnoredAny>)?;
            Layout::UNKNOWN
        };
        layout.json = Span::new(start, self.position - start);
        Ok(Some(layout))
    }

    /// Returns the buffer that the spans of all layouts so far refer to.
    pub(crate) fn into_buffer(self) -> Arc<str> {
        match self.unescaped.as_str() {
            "" => self.text.into(),
            unescaped => [self.text, unescaped].concat().into(),
        }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    fn skip_white_space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.byte() {
            self.position += 1;
        }
    }

    /// Reads a JSON value.
    fn value<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<T::Value, Invalid> {
        let mut rest = Deserializer::from_str(&self.text[self.position..]);
        let value = seed.deserialize(&mut rest).map_err(|_| Invalid)?;
        self.position += rest.into_iter::<IgnoredAny>().byte_offset();
        Ok(value)
    }

    /// Returns the layout of an event, except for the span of its JSON.
    fn event(&mut self, fields: &Fields<'a>) -> Layout {
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
        let mut take = |key, is_expected: fn(u8) -> bool| {
            let json = fields.get(key)?;
            is_expected(json.as_bytes()[0]).then(|| {
                typed.insert(key);
                json
            })
        };
        if let EventKind::Platform(_) = kind {
            layout.time = self.json(take(Key::StartTime, is_time));
            layout.end_time = self.json(take(Key::EndTime, is_time));
            layout.trace_id = self.text(take(Key::TraceId, is_string));
            layout.status = self.text(take(Key::Status, is_string));
            layout.content = self.json(take(Key::Metrics, is_object));
        } else {
            layout.time = self.json(take(Key::Time, is_time));
            layout.content = self.json(take(Key::Record, |_| true));
            layout.trace_id = self.log_trace_id(fields);
        }
        layout.typed = typed;
        layout.has_other = fields.has_other || fields.keys != typed;
        layout
    }

    /// Returns the kind of an event, and the field that determines it.
    ///
    /// Platform events have a `name` (D 2711), and log events have a `type` (I). Both fields are accepted for both
    /// kinds.
    fn kind(&mut self, fields: &Fields<'a>) -> Option<(EventKind, Key, Span)> {
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
    fn log_trace_id(&mut self, fields: &Fields<'a>) -> Span {
        let mut id = |fields: &Fields<'a>| {
            let ids = [Key::TraceId, Key::RequestId];
            let spans = ids.map(|key| self.text(fields.get(key)));
            spans.into_iter().find(|span| !span.is_empty())
        };
        id(fields)
            .or_else(|| {
                let mut record = Fields::default();
                let json = fields.get(Key::Record)?;
                record.deserialize(&mut Deserializer::from_str(json)).ok()?;
                id(&record)
            })
            .unwrap_or(Span::NONE)
    }

    /// Returns the position of JSON in the buffer.
    fn json(&self, json: Option<&'a str>) -> Span {
        match json {
            Some(json) => Span::new(self.offset(json), json.len()),
            None => Span::NONE,
        }
    }

    /// Returns the position of the trimmed text of a JSON string. If it contains escapes, its text is added to the
    /// buffer.
    fn text(&mut self, json: Option<&'a str>) -> Span {
        let Some(json) = json else {
            return Span::NONE;
        };
        if self.has_escapes
            && let Some(Cow::Owned(text)) = json::text(json)
        {
            let start = self.text.len() + self.unescaped.len();
            let text = text.trim();
            self.unescaped.push_str(text);
            return Span::new(start, text.len());
        }
        match json::unescaped_text(json).map(trim) {
            Some(text) => Span::new(self.offset(text), text.len()),
            None => Span::NONE,
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

    /// Returns the offset of a slice of `self.text`.
    fn offset(&self, slice: &str) -> usize {
        slice.as_ptr().addr() - self.text.as_ptr().addr()
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
        let name: StrDeserializer<'_, ValueError> = name.into_deserializer();
        Key::deserialize(name).is_ok_and(|key| self.typed.contains(key))
    }
}

impl Span {
    /// The span of what is missing. No other span is `0..0`, since the JSON of an event starts with a brace.
    pub(super) const NONE: Self = Self { start: 0, end: 0 };

    fn new(start: usize, length: usize) -> Self {
        // `Layouts::new` has checked that both fit.
        let start = start as u32;
        Self {
            start,
            end: start + length as u32,
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

/// Trims a text. Most texts need no trimming, which this finds out faster than [`str::trim`].
fn trim(text: &str) -> &str {
    match text.as_bytes() {
        [first, .., last] if first.is_ascii_graphic() && last.is_ascii_graphic() => text,
        _ => text.trim(),
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
