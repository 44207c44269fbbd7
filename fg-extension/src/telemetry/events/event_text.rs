//! The text of an event: a slice of its batch.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::TelemetryEvent;
use super::layout::{Layout, Layouts, Span};
use crate::json;

/// The JSON of an event, which shares the text of its batch.
#[derive(Clone)]
pub(super) struct EventText {
    events: Arc<Events>,
    index: u32,
}

/// The text of a batch, and the layouts of its events.
///
/// A part of a split batch has no layouts until it is delivered, unless it is a single large event.
pub(crate) struct Events {
    /// The text between the brackets of a JSON array. If there are layouts, unescaped strings follow.
    text: Box<str>,
    layouts: Vec<Layout>,
}

impl Events {
    pub(crate) fn new(text: Box<str>, layouts: Vec<Layout>) -> Self {
        Self { text, layouts }
    }

    /// Returns the memory that the events take, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.text.len() + size_of_val(&*self.layouts)
    }

    /// Returns the size of the JSON text, in bytes.
    pub(crate) fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// Adds the events to `events`.
    pub(crate) fn append_to(self: &Arc<Self>, events: &mut Vec<TelemetryEvent>) {
        if self.layouts.is_empty() {
            if let Ok(read) = Layouts::read(&self.text) {
                Arc::new(read).append_read_to(events);
            }
        } else {
            self.append_read_to(events);
        }
    }

    fn append_read_to(self: &Arc<Self>, events: &mut Vec<TelemetryEvent>) {
        // `Layouts::new` has checked that the length of the text, and so the number of events, fits.
        let texts = (0..self.layouts.len() as u32).map(|index| EventText {
            events: Arc::clone(self),
            index,
        });
        events.extend(texts.map(TelemetryEvent::from));
    }
}

impl EventText {
    pub(super) fn layout(&self) -> &Layout {
        &self.events.layouts[self.index as usize]
    }

    pub(super) fn json(&self) -> &str {
        self.get(self.layout().json).unwrap_or_default()
    }

    /// Returns a part of the event, or `None` if it is missing.
    pub(super) fn get(&self, span: Span) -> Option<&str> {
        span.of(&self.events.text)
    }

    pub(super) fn field<'a, T: Deserialize<'a>>(&'a self, name: &str) -> Option<T> {
        json::parse_field(self.json(), name)
    }

    /// Returns the fields that are not typed.
    pub(super) fn other(&self) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
        let object = if self.layout().has_other {
            self.json()
        } else {
            ""
        };
        json::fields(object).filter(|(name, _)| !self.layout().is_typed(name))
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
