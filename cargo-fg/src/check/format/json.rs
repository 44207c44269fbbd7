use anyhow::Context;
use serde::Serialize;

use crate::check::report::{Outcome, Report};

#[derive(Serialize)]
struct Cases<'a> {
    cases: Vec<Case<'a>>,
}

#[derive(Serialize)]
struct Case<'a> {
    id: &'a str,
    outcome: Outcome,
    detail: &'a str,
    source: &'a str,
    mark: String,
}

pub(super) fn report(report: &Report) -> anyhow::Result<String> {
    let cases = report.told().map(|(case, finding)| Case {
        id: case.id,
        outcome: finding.outcome,
        detail: &finding.detail,
        source: case.source,
        mark: case.mark.to_string(),
    });
    let cases = Cases {
        cases: cases.collect(),
    };
    let json = serde_json::to_string_pretty(&cases).context("cannot write the report as JSON")?;
    Ok(json + "\n")
}
