//! The text of an event: a slice of its batch.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::layout::{Layout, Span};
use crate::json;

/// The JSON of an event, which shares the buffer of its batch.
#[derive(Clone)]
pub(super) struct EventText {
    buffer: Arc<str>,
    pub(super) layout: Layout,
}

impl EventText {
    pub(super) fn new(buffer: Arc<str>, layout: Layout) -> Self {
        Self { buffer, layout }
    }

    pub(super) fn json(&self) -> &str {
        self.get(self.layout.json).unwrap_or_default()
    }

    /// Returns a part of the event, or `None` if it is missing.
    pub(super) fn get(&self, span: Span) -> Option<&str> {
        span.of(&self.buffer)
    }

    pub(super) fn field<'a, T: Deserialize<'a>>(&'a self, name: &str) -> Option<T> {
        json::parse_field(self.json(), name)
    }

    /// Returns the fields that are not typed.
    pub(super) fn other(&self) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
        let object = if self.layout.has_other {
            self.json()
        } else {
            ""
        };
        json::fields(object)
            .into_iter()
            .filter(|(name, _)| !self.layout.is_typed(name))
    }
}

/// Events are equal if their JSON is equal, byte by byte.
impl PartialEq for EventText {
    fn eq(&self, other: &Self) -> bool {
        self.json() == other.json()
    }
}

impl Eq for EventText {}

impl fmt::Debug for EventText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.json())
    }
}

impl Serialize for EventText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json: &RawValue = serde_json::from_str(self.json()).map_err(S::Error::custom)?;
        json.serialize(serializer)
    }
}
