//! The severity of a log record: the words of loggers, and the fields of records.

mod levels;
mod object;

use opentelemetry_proto::tonic::logs::v1::SeverityNumber;

pub(super) use self::levels::{Level, Usage};
pub(super) use self::object::is_level_key;

/// The severity of a log record, and its original text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Severity {
    pub(super) number: SeverityNumber,
    /// Empty if the record has no level, as that of an uncaught exception.
    pub(super) text: String,
}

impl Severity {
    /// Maps the value of a field. An unknown word is kept as the text.
    pub(super) fn of_field(text: &str) -> Self {
        let offset = || {
            // `ERROR+4` of Go's `slog`
            let at = text.find(['+', '-'])?;
            Some(Level::of_word(&text[..at])?.plus(text[at..].parse().ok()?))
        };
        let number = Level::of_word(text)
            .map(|level| level.number)
            .or_else(offset);
        Self {
            number: number.unwrap_or(SeverityNumber::Unspecified),
            text: text.to_owned(),
        }
    }

    /// Returns whether the text is a known level.
    pub(super) fn is_known(&self) -> bool {
        self.number != SeverityNumber::Unspecified
    }
}
