//! Parses the body of a log record.

use std::borrow::Cow;
use std::time::SystemTime;

use serde_json::{Map, Value};

use super::header::{Header, without_ansi};
use super::line::ParsedLine;
use super::severity::Severity;
use super::time::{time_of_object, time_of_text};
use super::trace_context::TraceContext;
use crate::translate::bounded_json::{
    MAX_JSON_BYTES, decode, is_within_limits, prefix, short_fields,
};
use crate::translate::timestamps::zoned_time;

/// The parsed body of a log record.
pub(super) struct LogContent<'a> {
    /// The text without colors, if the body is a text.
    pub(super) text: Option<&'a str>,
    pub(super) line: Option<ParsedLine<'a>>,
    /// The fields, if the body is an object or a line that contains one after its header. Of an object that is too long to
    /// be decoded, these are only its short fields.
    pub(super) fields: Option<Cow<'a, Map<String, Value>>>,
    has_all_fields: bool,
    header: Header<'a>,
}

/// Returns the text of a body without colors. A long text is not searched completely, which would take long.
pub(super) fn plain_text(body: Option<&Value>) -> Option<Cow<'_, str>> {
    let text = body?.as_str()?;
    Some(without_ansi(prefix(text, MAX_JSON_BYTES)))
}

impl<'a> LogContent<'a> {
    /// Parses a body and its [plain text](plain_text).
    pub(super) fn read(body: Option<&'a Value>, text: Option<&'a str>) -> Self {
        let line = text.map(ParsedLine::parse);
        let header = line.as_ref().map(read_header).unwrap_or_default();
        let (fields, has_all_fields) = match body {
            Some(Value::Object(fields)) => (Some(Cow::Borrowed(fields)), true),
            _ => {
                let text = text.unwrap_or_default().trim_start();
                let json = if text.starts_with('{') {
                    text
                } else {
                    header.rest
                };
                let is_long = body
                    .and_then(Value::as_str)
                    .is_some_and(|text| text.len() > MAX_JSON_BYTES);
                let has_all_fields = !is_long && is_within_limits(json);
                (object(json, has_all_fields).map(Cow::Owned), has_all_fields)
            }
        };
        Self {
            text,
            line,
            fields,
            has_all_fields,
            header,
        }
    }

    /// Returns the time that the logger wrote.
    pub(super) fn time(&self) -> Option<SystemTime> {
        let in_fields = || time_of_object(self.fields.as_deref()?);
        let in_line = || self.line.as_ref()?.time;
        let in_header = || {
            let time = self.header.time?;
            // A number at the start of a line can be anything.
            match self.header.severity {
                Some(_) => time_of_text(time),
                None => zoned_time(time),
            }
        };
        in_fields().or_else(in_line).or_else(in_header)
    }

    /// Returns the level that the logger wrote.
    pub(super) fn severity(&self) -> Option<Severity> {
        let in_fields = self.fields.as_deref().and_then(Severity::of_object);
        in_fields.or_else(|| self.header.severity.clone())
    }

    /// Returns the W3C trace context that the logger wrote.
    pub(super) fn trace_context(&self) -> Option<TraceContext> {
        let in_fields = self.fields.as_deref().and_then(TraceContext::of_object);
        // The text of an object has nothing that its fields do not have.
        let text = self
            .text
            .filter(|text| self.fields.is_none() || !self.has_all_fields || !text.starts_with('{'));
        in_fields.or_else(|| TraceContext::of_text(text?))
    }
}

/// Reads the header of a line, after the platform's prefix `<time>Z <id> INFO `.
///
/// A function can print the line of a logger, with its own level, to an output to which the platform gives a level.
fn read_header<'a>(line: &ParsedLine<'a>) -> Header<'a> {
    let header = Header::read(line.message);
    if !line.is_after_prefix() || header.severity.is_none() || header.is_explicit {
        return header;
    }
    let inner = Header::read(header.message);
    match inner.is_explicit {
        true => Header {
            time: header.time.or(inner.time),
            ..inner
        },
        false => header,
    }
}

/// Decodes a text that is a JSON object, or the short fields of one that is too long.
fn object(text: &str, is_complete: bool) -> Option<Map<String, Value>> {
    let text = text.trim();
    if !is_complete {
        return Some(short_fields(text)).filter(|fields| !fields.is_empty());
    }
    let is_object = text.starts_with('{') && text.ends_with('}');
    match is_object.then(|| decode(text))? {
        Some(Value::Object(fields)) => Some(fields),
        _ => None,
    }
}
