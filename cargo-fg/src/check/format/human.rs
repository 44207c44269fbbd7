use std::fmt::Write;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use crate::check::Checked;
use crate::check::cases::Case;
use crate::check::report::{Finding, Outcome};
use crate::check::table::CASES;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const SO_SO: Style = AnsiColor::Yellow.on_default();
const DIM: Style = Style::new().dimmed();
const TITLE: Style = Style::new().bold();

/// A line a case; beneath it what there is to say, and at the end what the extension printed if there is need.
pub(super) fn report(checked: &Checked, took: Duration) -> String {
    let mut text = format!("{TITLE}{}{TITLE:#}", checked.script);
    if let Some(what) = &checked.what {
        push(&mut text, format_args!("  {what}"));
    }
    text.push('\n');
    let told: Vec<_> = checked.report.told().collect();
    for group in told.chunk_by(|(a, _), (b, _)| a.group() == b.group()) {
        push(
            &mut text,
            format_args!("\n{TITLE}{}{TITLE:#}\n", group[0].0.group_title()),
        );
        for (i, (case, finding)) in group.iter().enumerate() {
            let next = group.get(i + 1).map(|(_, finding)| *finding);
            push_case(&mut text, case, finding, next);
        }
    }
    let stderr = checked.report.stderr();
    if checked.report.count(Outcome::Fail) > 0 && !stderr.is_empty() {
        push(
            &mut text,
            format_args!("\n{TITLE}Its standard error, the last lines{TITLE:#}\n"),
        );
        for line in stderr {
            let line: String = line.chars().take(300).collect();
            let line = line.replace(char::is_control, " ");
            push(&mut text, format_args!("  {DIM}{line}{DIM:#}\n"));
        }
    }
    let counts = [
        (Outcome::Pass, "passed"),
        (Outcome::Fail, "failed"),
        (Outcome::Warn, "warnings"),
        (Outcome::Skip, "skipped"),
    ];
    let counts = counts.map(|(outcome, word)| {
        let (count, style) = (checked.report.count(outcome), style(outcome));
        let word = if (outcome, count) == (Outcome::Warn, 1) {
            "warning"
        } else {
            word
        };
        let style = if count > 0 { style } else { DIM };
        format!("{style}{count} {word}{style:#}")
    });
    let seconds = took.as_secs_f64();
    push(
        &mut text,
        format_args!("\n{}, in {seconds:.1} s\n", counts.join(", ")),
    );
    text
}

fn push_case(text: &mut String, case: &Case, finding: &Finding, next: Option<&Finding>) {
    let style = style(finding.outcome);
    let word = match finding.outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "FAIL",
        Outcome::Warn => "warn",
        Outcome::Skip => "skip",
    };
    push(
        text,
        format_args!("  {style}{word}{style:#}  {}  {}\n", case.id, case.sentence),
    );
    let detail = &finding.detail;
    match finding.outcome {
        // What a measurement gave is of interest in any case.
        Outcome::Pass if case.group() != "BUD" => {}
        // One reason for several is told beneath the last.
        Outcome::Skip if next.is_some_and(|next| next.detail == *detail) => {}
        Outcome::Pass | Outcome::Skip => {
            push(text, format_args!("                {DIM}{detail}{DIM:#}\n"));
        }
        Outcome::Fail | Outcome::Warn => {
            push(
                text,
                format_args!("                {style}{detail}{style:#}\n"),
            );
            push(text, format_args!("                {}\n", case.remedy));
        }
    }
}

/// Every case, a line each.
pub(crate) fn list() -> String {
    let source_width = CASES
        .iter()
        .map(|case| case.source.len())
        .max()
        .unwrap_or_default();
    let mut text = String::new();
    for case in CASES {
        let Case {
            id,
            mark,
            source,
            sentence,
            ..
        } = case;
        push(
            &mut text,
            format_args!("{id}  {mark}  {source:source_width$}  {sentence}\n"),
        );
    }
    text
}

/// One at length.
pub(crate) fn explain(case: &Case) -> String {
    let page = if case.source.starts_with("27") {
        format!("functiongraph_06_{}, of the API reference", case.source)
    } else if case.source.starts_with("05_") {
        format!("functiongraph_{}, of the best practices", case.source)
    } else {
        case.source.to_owned()
    };
    format!(
        "{TITLE}{}{TITLE:#}  {}\n\n  mark    {}, {}\n  source  {page}\n\n  {}\n\n  If it fails: {}.\n",
        case.id,
        case.sentence,
        case.mark,
        case.mark.meaning(),
        case.tried,
        case.remedy,
    )
}

fn style(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Pass => GOOD,
        Outcome::Fail => BAD,
        Outcome::Warn => SO_SO,
        Outcome::Skip => DIM,
    }
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Into a string it cannot fail.
    let _ = text.write_fmt(line);
}
