//! The journal of `check`: which cases have a finding, and the report.

use std::sync::Arc;
use std::time::Instant;

use fg_conformance::{Case, Checks, Finding, Outcome, Report};

use crate::invocation::millis;
use crate::journal::{CaseReport, Entry, Journal};

/// Starts the journal of these checks, which add an entry for each finding.
pub(super) fn observe(checks: Checks, journal: &Arc<Journal>) -> Checks {
    journal.start_check(checks.selection().cases().count());
    let journal = Arc::clone(journal);
    checks.on_finding(move |case: &'static Case, finding: &Finding| {
        journal.add_now(Entry::Case {
            case: case.id.as_str(),
            outcome: name(finding.outcome),
        });
    })
}

/// Adds the report, or the reason why the cases could not be run, and the end of the command.
pub(super) fn finish(journal: &Journal, start: Instant, outcome: &anyhow::Result<Report>) {
    let report = match outcome {
        Ok(report) => report,
        Err(error) => {
            let message = format!("{error:#}");
            return journal.add_now(Entry::End {
                ok: false,
                message: Some(&message),
            });
        }
    };
    let cases = report.findings().map(|(case, finding)| CaseReport {
        id: case.id.as_str(),
        outcome: name(finding.outcome),
        detail: &finding.detail,
        sentence: case.sentence,
        source: case.source,
        mark: case.mark.to_string(),
        tried: case.tried,
        remedy: case.remedy,
    });
    let entry = Entry::Report {
        extension: report.extension(),
        d: millis(start.elapsed()),
        cases: cases.collect(),
        stderr: report.stderr(),
    };
    journal.add(start, entry);
    journal.add_now(Entry::End {
        ok: report.count(Outcome::Fail) == 0,
        message: None,
    });
}

/// Returns the name of an outcome, as in the report in JSON.
fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::Warn => "warn",
        _ => "skip",
    }
}
