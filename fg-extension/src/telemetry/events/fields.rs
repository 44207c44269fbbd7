//! The fields of an event that are typed in some kind of event.

use super::layout::Span;
use crate::json::{Field, name_of};

/// The name of a field that is typed in some kind of event.
#[derive(Clone, Copy)]
pub(super) enum Key {
    Name,
    Type,
    StartTime,
    EndTime,
    TraceId,
    RequestId,
    Status,
    Metrics,
    Time,
    Record,
}

/// The length of the longest name of a key, with all of its characters escaped.
const MAX_ESCAPED_NAME: usize = "startTime".len() * r"\u0000".len();

const KEYS: usize = Key::Record as usize + 1;

impl Key {
    #[inline]
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"name" => Self::Name,
            b"type" => Self::Type,
            b"startTime" => Self::StartTime,
            b"endTime" => Self::EndTime,
            b"traceId" => Self::TraceId,
            b"requestId" => Self::RequestId,
            b"status" => Self::Status,
            b"metrics" => Self::Metrics,
            b"time" => Self::Time,
            b"record" => Self::Record,
            _ => return None,
        })
    }

    #[cold]
    fn of_escaped(text: &str, field: &Field) -> Option<Self> {
        if field.name.len() > MAX_ESCAPED_NAME {
            return None;
        }
        Self::of(name_of(text, field).as_bytes())
    }
}

/// A set of keys.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub(super) struct KeySet(u16);

impl KeySet {
    pub(super) const EMPTY: Self = Self(0);

    pub(super) fn insert(&mut self, key: Key) {
        self.0 |= 1 << key as u16;
    }

    pub(super) fn contains(self, key: Key) -> bool {
        self.0 & 1 << key as u16 != 0
    }
}

/// Where the values of the fields of an object are. Of several fields with the same name, the last one wins.
pub(super) struct Fields {
    /// By key.
    values: [Span; KEYS],
    pub(super) keys: KeySet,
    /// Whether there are fields with other names.
    pub(super) has_other: bool,
}

impl Fields {
    pub(super) const EMPTY: Self = Self {
        values: [Span::NONE; KEYS],
        keys: KeySet::EMPTY,
        has_other: false,
    };

    #[inline]
    pub(super) fn insert(&mut self, text: &str, field: Field) {
        // Only a name that is not a key may have escapes.
        let raw = &text.as_bytes()[field.name.clone()];
        let key = Key::of(raw).or_else(|| Key::of_escaped(text, &field));
        match key {
            Some(key) => {
                self.values[key as usize] = Span::new(field.value);
                self.keys.insert(key);
            }
            None => self.has_other = true,
        }
    }

    /// Returns the JSON of a field, or [`Span::NONE`].
    pub(super) fn get(&self, key: Key) -> Span {
        self.values[key as usize]
    }
}
