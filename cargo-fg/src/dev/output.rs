//! The output on stdout: human-readable lines, timelines on a terminal, or JSON.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use fg_util::terminal::neutralize_json;
use serde::Serialize;
use tokio::sync::Notify;

use super::event::DevEvent;
use super::timeline::{self, Row};
use crate::journal::{Entry, Journal};
use crate::terminal::printable;

/// The form in which events are printed.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum OutputStyle {
    /// Human-readable lines.
    Plain,
    /// Human-readable lines, and a timeline of each invocation.
    Terminal,
    /// One JSON object per line.
    Json,
}

/// A printer of events, shared by all tasks of a command.
pub(crate) struct Output {
    pub(crate) style: OutputStyle,
    /// Whether several extensions run, so that their output lines need the script name.
    pub(crate) several: bool,
    quiet_telemetry: AtomicBool,
    closed: Notify,
    journal: Option<Arc<Journal>>,
}

#[derive(Serialize)]
struct JsonLine<'a> {
    time: String,
    #[serde(flatten)]
    event: DevEvent<'a>,
}

impl Output {
    pub(crate) fn new(style: OutputStyle, several: bool) -> Self {
        Self {
            style,
            several,
            quiet_telemetry: AtomicBool::new(false),
            closed: Notify::new(),
            journal: None,
        }
    }

    /// Sets the journal, to which warnings, failures and saved files are added.
    pub(crate) fn with_journal(mut self, journal: Option<Arc<Journal>>) -> Self {
        self.journal = journal;
        self
    }

    /// Returns the journal, if this run has one.
    pub(crate) fn journal(&self) -> Option<&Arc<Journal>> {
        self.journal.as_ref()
    }

    /// Adds an event to the journal, and prints it.
    pub(crate) fn emit(&self, event: DevEvent<'_>) {
        if let Some(journal) = &self.journal {
            match &event {
                DevEvent::Failed { message } => journal.add_now(Entry::Failed { message }),
                DevEvent::Changed { paths } => journal.add_now(Entry::Changed { paths }),
                // The other events are added where they happen.
                _ => {}
            }
        }
        self.print(event);
    }

    /// Prints an event, unless it is a telemetry delivery and telemetry is hidden.
    pub(crate) fn print(&self, event: DevEvent<'_>) {
        let is_delivery = matches!(event, DevEvent::Telemetry { .. });
        if is_delivery && !self.shows_telemetry() {
            return;
        }
        if self.style == OutputStyle::Json {
            let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
            // Strings and numbers can always be serialized.
            let line = serde_json::to_string(&JsonLine { time, event }).unwrap_or_default();
            return self.write(&format!("{}\n", neutralize_json(&line)));
        }
        let lines = event.lines(self.several);
        self.write(&lines.iter().map(line).collect::<String>());
    }

    /// Prints a human-readable line that is not an event; JSON output leaves it out.
    pub(crate) fn note(&self, label: &'static str, text: &str) {
        if self.style != OutputStyle::Json {
            self.write(&line(&(label, text.to_owned())));
        }
    }

    /// Prints a warning to stderr, in any style. A closed stderr is ignored.
    pub(crate) fn warn(&self, text: &str) {
        if let Some(journal) = &self.journal {
            journal.add_now(Entry::Warning { message: text });
        }
        let stderr = io::stderr();
        let text = printable(text, &stderr);
        let _ = writeln!(&stderr, "warning: {text}");
    }

    /// Prints the timeline of an invocation below its heading.
    pub(crate) fn print_timeline(&self, heading: &str, rows: &[Row]) {
        let columns = terminal_size::terminal_size().map_or(80, |(width, _)| width.0);
        let mut text = line(&("invoked", heading.to_owned()));
        for line in timeline::lines(rows, columns.into()) {
            text += &printable(&line, &io::stdout());
            text.push('\n');
        }
        self.write(&text);
    }

    /// Shows or hides telemetry. Returns whether it is shown from now on.
    pub(crate) fn toggle_telemetry(&self) -> bool {
        self.quiet_telemetry.fetch_xor(true, Ordering::Relaxed)
    }

    pub(crate) fn shows_telemetry(&self) -> bool {
        !self.quiet_telemetry.load(Ordering::Relaxed)
    }

    /// Waits until stdout is closed, for instance by `| head`.
    ///
    /// # Cancel safety
    ///
    /// This method is cancel safe.
    pub(crate) async fn closed(&self) {
        self.closed.notified().await;
    }

    /// Writes the text without interleaving the output of other threads.
    fn write(&self, text: &str) {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(text.as_bytes());
        if written.and_then(|()| stdout.flush()).is_err() {
            self.closed.notify_one();
        }
    }
}

fn line((label, text): &(&'static str, String)) -> String {
    let text = printable(text, &io::stdout());
    if label.is_empty() {
        return format!("{text}\n");
    }
    format!("{label:>12} {text}\n")
}
