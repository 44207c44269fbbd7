//! What the exporter says about itself.

use std::time::Duration;

use super::time::Time;
use super::{Counts, Signal};

/// Lets one line a second through: an extension that subscribes to its own logs exports them too, and must not feed
/// itself.
#[derive(Debug, Default)]
pub(super) struct Reporter {
    last: Option<Time>,
}

/// A line for the log.
#[derive(Debug, Eq, PartialEq)]
#[must_use]
pub(super) enum Line {
    Warning(String),
    Notice(String),
}

impl Reporter {
    /// The line, if it may be written now.
    pub(super) fn admit(&mut self, line: Option<Line>, now: Time) -> Option<Line> {
        let line = line?;
        if self
            .last
            .is_some_and(|last| last.elapsed(now) < Duration::from_secs(1))
        {
            return None;
        }
        self.last = Some(now);
        Some(line)
    }
}

impl Line {
    /// The line with the counts so far, which also tell of what was not let through.
    pub(super) fn with(self, counts: &Counts) -> Self {
        match self {
            Self::Warning(line) => Self::Warning(format!("{line} ({counts})")),
            Self::Notice(line) => Self::Notice(format!("{line} ({counts})")),
        }
    }

    pub(super) fn write(self) {
        match self {
            Self::Warning(line) => tracing::warn!("{line}"),
            Self::Notice(line) => tracing::info!("{line}"),
        }
    }
}

/// A number of items, in words.
pub(super) fn items(signal: Signal, count: u64) -> String {
    match (signal, count) {
        (Signal::Traces, 1) => "1 span".to_owned(),
        (Signal::Logs, 1) => "1 log record".to_owned(),
        (Signal::Metrics, 0) => "metrics".to_owned(),
        (Signal::Metrics, 1) => "1 data point".to_owned(),
        (Signal::Metrics, _) => format!("{count} data points"),
        (signal, _) => format!("{count} {signal}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_second_is_let_through() {
        let mut reporter = Reporter::default();
        let line = || Some(Line::Warning("down".to_owned()));
        let now = Time::now();
        assert_eq!(reporter.admit(None, now), None);
        assert_eq!(reporter.admit(line(), now), line());
        let soon = now + Duration::from_millis(999);
        assert_eq!(reporter.admit(line(), soon), None);
        let later = now + Duration::from_secs(1);
        assert_eq!(reporter.admit(line(), later), line());
    }
}
