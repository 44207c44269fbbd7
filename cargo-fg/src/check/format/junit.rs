use std::time::Duration;

use anyhow::Context;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::check::Checked;
use crate::check::report::Outcome;

/// A suite a group. What is warned of has succeeded, with the detail as its output.
pub(super) fn report(checked: &Checked, took: Duration) -> anyhow::Result<String> {
    let mut junit = Report::new("cargo fg check");
    junit.set_time(took);
    let told: Vec<_> = checked.report.told().collect();
    for group in told.chunk_by(|(a, _), (b, _)| a.group() == b.group()) {
        let mut suite = TestSuite::new(group[0].0.group());
        for (case, finding) in group {
            let mut status = match finding.outcome {
                Outcome::Pass | Outcome::Warn => TestCaseStatus::success(),
                Outcome::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
                Outcome::Skip => TestCaseStatus::skipped(),
            };
            let is_told = matches!(finding.outcome, Outcome::Fail | Outcome::Skip);
            if is_told {
                status.set_message(&finding.detail);
            }
            let mut test = TestCase::new(format!("{} {}", case.id, case.sentence), status);
            test.set_classname(&checked.script);
            if finding.outcome == Outcome::Warn {
                test.set_system_out(format!("warning: {}", finding.detail));
            }
            suite.add_test_case(test);
        }
        junit.add_test_suite(suite);
    }
    let xml = junit
        .to_string()
        .context("cannot write the report as XML")?;
    Ok(xml.trim_end().to_owned() + "\n")
}
