//! The human-readable report: one line per case, with details below it, and totals.

use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use fg_util::error::excerpt;
use fg_util::terminal::neutralize;

use super::{Finding, Outcome, Report};
use crate::cases::{Case, Group};

/// The styles of the parts of a report.
pub(super) struct Styles {
    pass: Style,
    fail: Style,
    warn: Style,
    dim: Style,
    title: Style,
}

impl Styles {
    pub(super) fn ansi() -> Self {
        Self {
            pass: AnsiColor::Green.on_default(),
            fail: AnsiColor::Red.on_default().bold(),
            warn: AnsiColor::Yellow.on_default(),
            dim: Style::new().dimmed(),
            title: Style::new().bold(),
        }
    }

    pub(super) fn plain() -> Self {
        let plain = Style::new();
        Self {
            pass: plain,
            fail: plain,
            warn: plain,
            dim: plain,
            title: plain,
        }
    }

    fn of(&self, outcome: Outcome) -> Style {
        match outcome {
            Outcome::Pass => self.pass,
            Outcome::Fail => self.fail,
            Outcome::Warn => self.warn,
            Outcome::Skip => self.dim,
        }
    }
}

pub(super) fn render(report: &Report, styles: Styles) -> String {
    let writer = Writer {
        text: String::new(),
        styles,
    };
    writer.write(report)
}

struct Writer {
    text: String,
    styles: Styles,
}

impl Writer {
    fn write(mut self, report: &Report) -> String {
        let title = self.styles.title;
        self.push(format_args!("{title}{}{title:#}", report.extension));
        if let Some(description) = &report.description {
            self.push(format_args!("  {description}"));
        }
        self.push(format_args!("\n"));
        let findings: Vec<_> = report.findings().collect();
        for group in findings.chunk_by(|(a, _), (b, _)| a.id.group() == b.id.group()) {
            let heading = group[0].0.id.group().title();
            self.push(format_args!("\n{title}{heading}{title:#}\n"));
            for (i, (case, finding)) in group.iter().enumerate() {
                let next = group.get(i + 1).map(|(_, finding)| *finding);
                self.push_case(case, finding, next);
            }
        }
        if report.count(Outcome::Fail) > 0 {
            self.push_stderr(report.stderr());
        }
        self.push_counts(report);
        self.text
    }

    fn push_case(&mut self, case: &Case, finding: &Finding, next: Option<&Finding>) {
        let style = self.styles.of(finding.outcome);
        let dim = self.styles.dim;
        let label = match finding.outcome {
            Outcome::Pass => "pass",
            Outcome::Fail => "FAIL",
            Outcome::Warn => "warn",
            Outcome::Skip => "skip",
        };
        let Case { id, sentence, .. } = case;
        self.push(format_args!(
            "  {style}{label}{style:#}  {id}  {sentence}\n"
        ));
        let detail = &finding.detail;
        match finding.outcome {
            // Of the passed cases, only a measurement has an interesting detail.
            Outcome::Pass if id.group() != Group::Budget => {}
            // A reason that several adjacent cases share is printed once, below the last of them.
            Outcome::Skip if next.is_some_and(|next| next.detail == *detail) => {}
            Outcome::Pass | Outcome::Skip => {
                self.push(format_args!("                {dim}{detail}{dim:#}\n"));
            }
            Outcome::Fail | Outcome::Warn => {
                self.push(format_args!("                {style}{detail}{style:#}\n"));
                self.push(format_args!("                help: {}\n", case.remedy));
            }
        }
    }

    fn push_stderr(&mut self, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        let (title, dim) = (self.styles.title, self.styles.dim);
        self.push(format_args!(
            "\n{title}Standard error of the extension (last lines){title:#}\n"
        ));
        for line in lines {
            let line = excerpt(line);
            let line = neutralize(&line);
            self.push(format_args!("  {dim}{line}{dim:#}\n"));
        }
    }

    fn push_counts(&mut self, report: &Report) {
        let counts = [
            (Outcome::Pass, "passed"),
            (Outcome::Fail, "failed"),
            (Outcome::Warn, "warnings"),
            (Outcome::Skip, "skipped"),
        ];
        let counts = counts.map(|(outcome, noun)| {
            let count = report.count(outcome);
            let noun = if (outcome, count) == (Outcome::Warn, 1) {
                "warning"
            } else {
                noun
            };
            let style = if count > 0 {
                self.styles.of(outcome)
            } else {
                self.styles.dim
            };
            format!("{style}{count} {noun}{style:#}")
        });
        let seconds = report.duration.as_secs_f64();
        self.push(format_args!("\n{}, in {seconds:.1} s\n", counts.join(", ")));
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(text);
    }
}
