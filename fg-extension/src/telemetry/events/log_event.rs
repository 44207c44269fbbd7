//! Log events of the function and of extensions.

use std::borrow::Cow;
use std::time::SystemTime;

use serde::Serialize;

use super::event_text::EventText;
use super::timestamp;
use crate::json;

/// A log line of the function or of an extension.
///
/// The format is not documented (?). The fields `type`, `time` and `record` are inferred (I).
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct LogEvent(pub(super) EventText);

impl LogEvent {
    /// Returns the field `time`: when the line was logged.
    ///
    /// `None` if the field is missing or is not a [`Timestamp`](crate::Timestamp).
    #[must_use]
    pub fn time(&self) -> Option<SystemTime> {
        timestamp::parse(self.0.get(self.0.layout().time)?)
    }

    /// Returns the field `record` as text: a string without its quotes and escapes, any other value as JSON. If there
    /// is no record, the text is empty.
    ///
    /// An unpaired surrogate in a string is replaced.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        let record = self.record_json().unwrap_or_default();
        json::text(record).unwrap_or(Cow::Borrowed(record))
    }

    /// Returns the JSON of the field `record`: a string that contains the line, or any other value.
    #[must_use]
    pub fn record_json(&self) -> Option<&str> {
        self.0.get(self.0.layout().content)
    }

    /// Returns the request ID of the invocation that logged the line (I).
    ///
    /// It is the `traceId` or `requestId` of the event or of its record, or `None` if there is neither.
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        self.0.get(self.0.layout().trace_id)
    }
}
