//! Telemetry events: platform events, and log lines of the function and of extensions.

mod event_text;
mod fields;
mod layout;
mod log_event;
mod platform_event;
#[cfg(test)]
mod tests;
mod timestamp;

use std::borrow::Cow;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use event_text::EventText;
pub(super) use event_text::Events;
use layout::EventKind;
pub(super) use layout::{Layout, Layouts};
pub use log_event::LogEvent;
pub use platform_event::{Metrics, PlatformEvent, PlatformEventKind};
pub use timestamp::Timestamp;

use crate::json::Invalid;

/// A telemetry event, which is one element of a batch (D 2713).
///
/// An event is the JSON text that the platform posted, unchanged: [`json`](Self::json) returns it, and serializing the
/// event writes it. All other methods look into that text. Strings are trimmed, since the examples of the documentation
/// contain stray spaces. Of several fields with the same name, the last one wins.
///
/// The events of a batch share one buffer, so a clone costs as much as that of an [`Arc`]. An event keeps the
/// whole buffer in memory: to keep single events for a long time, copy their text.
///
/// ```
/// use fg_extension::{PlatformEventKind, TelemetryEvent};
///
/// let events: Vec<TelemetryEvent> = serde_json::from_str(
///     r#"[
///         {
///             "name": "platform.report ",
///             "startTime": "2023-06-25T00:00:00.250Z",
///             "endTime": "2023-06-25T00:00:00.263Z",
///             "traceId": "3da1f2dc-3222-475e-9205-e2e6c6318895",
///             "metrics": {"durationMs": 12.5}
///         },
///         {"type": "function", "time": "2023-06-25T00:00:00.255Z", "record": "no stock left"},
///         null
///     ]"#,
/// )?;
/// let mut lines = Vec::new();
/// for event in &events {
///     lines.push(match event {
///         TelemetryEvent::Platform(report) if report.kind() == PlatformEventKind::Report => {
///             let took = report.metrics().and_then(|metrics| metrics.duration_ms());
///             format!("took {took:?} ms")
///         }
///         TelemetryEvent::Function(log) => log.text().into_owned(),
///         other => other.json().to_owned(),
///     });
/// }
/// assert_eq!(lines, ["took Some(12.5) ms", "no stock left", "null"]);
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// Events can be deserialized from any JSON value, but only by the deserializers of `serde_json`. An event can always be
/// serialized to text, but [`serde_json::to_value`] fails if a `Value` cannot represent it: a number such as `1e999`, an
/// unpaired surrogate, or very deep nesting.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum TelemetryEvent {
    /// An event of the platform about the lifecycle of the instance or about an invocation.
    Platform(PlatformEvent),
    /// A log line of the function.
    Function(LogEvent),
    /// A log line of an extension.
    Extension(LogEvent),
    /// Any other JSON value.
    Unknown(UnknownEvent),
}

/// Any JSON value that is neither a platform event nor a log event.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct UnknownEvent(EventText);

/// Implements the methods that look into the text of an event.
macro_rules! impl_text {
    ($type:ident, $event:ident => $text:expr) => {
        impl $type {
            /// Returns the JSON of the event, as it was posted.
            ///
            /// Bytes that are not UTF-8 have been replaced, and trailing commas have been replaced by spaces.
            #[must_use]
            pub fn json(&self) -> &str {
                let $event = self;
                $text.json()
            }

            /// Deserializes a field of the event. Returns `None` if there is no such field, or if it is not a `T`.
            ///
            /// A `T` may borrow from the event. A `&str`, however, cannot be deserialized from a string with escapes.
            ///
            /// ```
            /// use fg_extension::TelemetryEvent;
            ///
            /// let event: TelemetryEvent = serde_json::from_str(
            ///     r#"{"name": "platform.start", "attempt": 2, "tags": ["a", "b"]}"#,
            /// )?;
            /// assert_eq!(event.field("attempt"), Some(2));
            /// assert_eq!(event.field("tags"), Some(vec!["a", "b"]));
            /// assert_eq!(event.field::<String>("attempt"), None);
            /// # Ok::<(), serde_json::Error>(())
            /// ```
            #[must_use]
            pub fn field<'a, T: Deserialize<'a>>(&'a self, name: &str) -> Option<T> {
                let $event = self;
                $text.field(name)
            }

            /// Returns the names and the JSON of all fields that no other method returns, in order.
            ///
            /// This includes known fields whose values have an unexpected JSON type, such as a trace ID that is a number.
            pub fn other(&self) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
                let $event = self;
                $text.other()
            }
        }
    };
}

impl_text!(TelemetryEvent, event => event.text());
impl_text!(PlatformEvent, event => event.0);
impl_text!(LogEvent, event => event.0);
impl_text!(UnknownEvent, event => event.0);

impl TelemetryEvent {
    /// Returns the ID of the invocation that the event belongs to, if it is known.
    ///
    /// See [`PlatformEvent::trace_id`] and [`LogEvent::trace_id`].
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        match self {
            Self::Platform(event) => event.trace_id(),
            Self::Function(log) | Self::Extension(log) => log.trace_id(),
            Self::Unknown(_) => None,
        }
    }

    fn text(&self) -> &EventText {
        match self {
            Self::Platform(event) => &event.0,
            Self::Function(log) | Self::Extension(log) => &log.0,
            Self::Unknown(event) => &event.0,
        }
    }
}

impl From<EventText> for TelemetryEvent {
    fn from(text: EventText) -> Self {
        match text.layout().kind {
            EventKind::Platform(_) => Self::Platform(PlatformEvent(text)),
            EventKind::Function => Self::Function(LogEvent(text)),
            EventKind::Extension => Self::Extension(LogEvent(text)),
            EventKind::Unknown => Self::Unknown(UnknownEvent(text)),
        }
    }
}

impl<'de> Deserialize<'de> for TelemetryEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Box::<RawValue>::deserialize(deserializer)?;
        let read = Layouts::read(json.get());
        let too_long = |Invalid| D::Error::custom("the event is too long");
        let mut events = Vec::new();
        Arc::new(read.map_err(too_long)?).append_to(&mut events);
        events.pop().ok_or_else(|| too_long(Invalid))
    }
}
