//! Standard output: lines for people, bars on a terminal, or JSON.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use serde::Serialize;
use tokio::sync::Notify;

use super::timeline::{self, Row};
use super::told::Told;

#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Style {
    Plain,
    /// With bars.
    Terminal,
    Json,
}

pub(crate) struct Output {
    pub(crate) style: Style,
    /// Whether what is printed needs the name of its script.
    pub(crate) several: bool,
    quiet_telemetry: AtomicBool,
    closed: Notify,
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    #[serde(flatten)]
    told: Told<'a>,
}

impl Output {
    pub(crate) fn new(style: Style, several: bool) -> Self {
        Self {
            style,
            several,
            quiet_telemetry: AtomicBool::new(false),
            closed: Notify::new(),
        }
    }

    pub(crate) fn tell(&self, told: Told<'_>) {
        let is_delivery = matches!(told, Told::Telemetry { .. });
        if is_delivery && !self.shows_telemetry() {
            return;
        }
        if self.style == Style::Json {
            let time = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
            // Strings and numbers only: it cannot fail.
            let line = serde_json::to_string(&Line { time, told }).unwrap_or_default();
            return self.write(&format!("{line}\n"));
        }
        let lines = told.lines(self.several);
        self.write(&lines.iter().map(line).collect::<String>());
    }

    /// For people only: in JSON it is no event.
    pub(crate) fn note(&self, label: &'static str, text: &str) {
        if self.style != Style::Json {
            self.write(&line(&(label, text.to_owned())));
        }
    }

    /// On standard error, whether or not anybody reads that.
    pub(crate) fn warn(&self, text: &str) {
        let _ = writeln!(io::stderr(), "warning: {text}");
    }

    /// An invocation, below its heading.
    pub(crate) fn bars(&self, heading: &str, rows: &[Row]) {
        let columns = terminal_size::terminal_size().map_or(80, |(width, _)| width.0);
        let mut text = line(&("invoked", heading.to_owned()));
        for line in timeline::lines(rows, columns.into()) {
            text += &line;
            text.push('\n');
        }
        self.write(&text);
    }

    /// Whether it is shown from now on.
    pub(crate) fn toggle_telemetry(&self) -> bool {
        self.quiet_telemetry.fetch_xor(true, Ordering::Relaxed)
    }

    pub(crate) fn shows_telemetry(&self) -> bool {
        !self.quiet_telemetry.load(Ordering::Relaxed)
    }

    /// Waits until nobody reads our output any more, as behind a `| head`.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when this is dropped unfinished.
    pub(crate) async fn closed(&self) {
        self.closed.notified().await;
    }

    /// In one piece, whoever else writes.
    fn write(&self, text: &str) {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(text.as_bytes());
        if written.and_then(|()| stdout.flush()).is_err() {
            self.closed.notify_one();
        }
    }
}

fn line((label, text): &(&'static str, String)) -> String {
    if label.is_empty() {
        return format!("{text}\n");
    }
    format!("{label:>12} {text}\n")
}
