//! The default `tracing` subscriber, which writes each event as one line to stderr and ignores spans.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::decimal::Decimal;
use super::writer;
use crate::ExtensionName;
use fg_util::error::one_line;

/// Installs the subscriber globally, unless the process already has a global one.
pub(crate) fn install(name: ExtensionName, level: LevelFilter) {
    let _ = tracing::subscriber::set_global_default(Stderr { name, level });
}

/// Writes lines such as `WARN extensionHello.sh: cannot accept connections: …`.
///
/// They contain no time, since the platform adds one to the output that it collects.
struct Stderr {
    name: ExtensionName,
    level: LevelFilter,
}

impl Subscriber for Stderr {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= self.level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn event(&self, event: &Event<'_>) {
        let line = line(self.name, event.metadata(), |visit| event.record(visit));
        writer::write(self.name, &line);
    }

    // `enabled` disables spans, so the following methods are not called.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn line(
    name: ExtensionName,
    metadata: &Metadata<'_>,
    record: impl FnOnce(&mut dyn Visit),
) -> String {
    let mut fields = RecordedFields::default();
    record(&mut fields);
    let mut line = format!("{} {name}: ", Level::as_str(metadata.level()));
    // The runtime's own lines do not need a target. Lines of the author's code start with their module path.
    if !metadata.target().starts_with("fg_extension") {
        line.push_str(metadata.target());
        line.push_str(": ");
    }
    line.push_str(&one_line(&(fields.message + &fields.others)));
    line.push('\n');
    line
}

#[derive(Default)]
struct RecordedFields {
    message: String,
    others: String,
}

impl Visit for RecordedFields {
    /// Formats the number with integer arithmetic: the default implementation adds 20 KB to every extension.
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.record_debug(field, &Decimal(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string cannot fail. If the value's `Debug` implementation fails, its partial output is kept.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.others, " {name}={value:?}"),
        };
    }
}
