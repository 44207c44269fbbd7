//! The report as JSON.

use serde::Serialize;

use super::{Outcome, Report};
use crate::Error;

#[derive(Serialize)]
struct JsonReport<'a> {
    cases: Vec<JsonCase<'a>>,
    /// The last lines of standard error in boots with a failure.
    stderr: &'a [String],
}

#[derive(Serialize)]
struct JsonCase<'a> {
    id: &'a str,
    outcome: Outcome,
    detail: &'a str,
    source: &'a str,
    mark: String,
}

pub(super) fn render(report: &Report) -> Result<String, Error> {
    let cases = report.findings().map(|(case, finding)| JsonCase {
        id: case.id.as_str(),
        outcome: finding.outcome,
        detail: &finding.detail,
        source: case.source,
        mark: case.mark.to_string(),
    });
    let report = JsonReport {
        cases: cases.collect(),
        stderr: report.stderr(),
    };
    let json = serde_json::to_string_pretty(&report)
        .map_err(Error::because("cannot serialize the report as JSON"))?;
    Ok(json + "\n")
}
