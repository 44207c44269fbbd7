//! What the exporter says about itself.
//!
//! An extension that subscribes to its own logs exports them too, and must not feed itself: a line of its log is one
//! more log record to send, with which the same may be wrong.

use std::time::Duration;

use super::time::Time;
use super::{Counts, Signal};

/// Lets one line a second through.
#[derive(Debug, Default)]
pub(super) struct Reporter {
    last: Option<Time>,
}

/// What is wrong with one lane, or with the buffer; the kind, since the words may differ each time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Trouble {
    Warned,
    Rejected,
    Refused,
    Failed,
    Full,
}

/// Lets the same trouble be told again after growing pauses only; the counts in the line go on meanwhile.
#[derive(Debug, Default)]
pub(super) struct Complaint {
    told: Option<(Trouble, Time, Duration)>,
}

/// A line for the log.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use]
pub(super) enum Line {
    Error(String),
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

impl Complaint {
    const FIRST_PAUSE: Duration = Duration::from_secs(1);
    const LONGEST_PAUSE: Duration = Duration::from_secs(300);

    pub(super) fn is_due(&self, trouble: Trouble, now: Time) -> bool {
        self.told
            .is_none_or(|(told, at, pause)| told != trouble || at.elapsed(now) >= pause)
    }

    pub(super) fn was_told(&mut self, trouble: Trouble, now: Time) {
        let pause = match self.told {
            Some((told, _, pause)) if told == trouble => (pause * 2).min(Self::LONGEST_PAUSE),
            _ => Self::FIRST_PAUSE,
        };
        self.told = Some((trouble, now, pause));
    }

    /// The trouble is over, which is believed once it could have been told again: it may come and go.
    pub(super) fn ended(&mut self, now: Time) {
        self.told
            .take_if(|(_, at, pause)| at.elapsed(now) >= *pause);
    }
}

impl Line {
    /// The line with the counts so far, which also tell of what was not let through.
    pub(super) fn with(self, counts: &Counts) -> Self {
        let with = |line: String| format!("{line} ({counts})");
        match self {
            Self::Error(line) => Self::Error(with(line)),
            Self::Warning(line) => Self::Warning(with(line)),
            Self::Notice(line) => Self::Notice(with(line)),
        }
    }

    /// Adds the line, unless it is there: what is wrong with a setting for all signals is said once.
    pub(super) fn add_to(self, lines: &mut Vec<Self>) {
        if !lines.contains(&self) {
            lines.push(self);
        }
    }

    pub(super) fn write(self) {
        match self {
            Self::Error(line) => tracing::error!("{line}"),
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

    #[test]
    fn same_trouble_is_told_after_growing_pauses() {
        let (mut complaint, start) = (Complaint::default(), Time::now());
        let mut told = Vec::new();
        for second in 0..1500 {
            let now = start + Duration::from_secs(second);
            if complaint.is_due(Trouble::Refused, now) {
                complaint.was_told(Trouble::Refused, now);
                told.push(second);
            }
        }
        assert_eq!(
            told,
            [0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 811, 1111, 1411]
        );

        // Another one is told at once.
        let now = start + Duration::from_secs(1500);
        assert!(complaint.is_due(Trouble::Failed, now));
    }

    #[test]
    fn trouble_that_comes_and_goes_is_the_same() {
        let (mut complaint, now) = (Complaint::default(), Time::now());
        complaint.was_told(Trouble::Failed, now);
        complaint.ended(now);
        assert!(!complaint.is_due(Trouble::Failed, now));
        complaint.ended(now + Duration::from_secs(1));
        assert!(complaint.is_due(Trouble::Failed, now));
    }
}
