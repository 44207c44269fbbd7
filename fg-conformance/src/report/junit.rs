//! The report as JUnit XML.

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::{Outcome, Report};
use crate::Error;

/// Renders one test suite per group. A warning is a success whose output contains the detail, and a failure contains the
/// remedy. A suite with a failure contains what the extension printed to standard error.
pub(super) fn render(report: &Report) -> Result<String, Error> {
    let mut junit = quick_junit::Report::new("cargo fg check");
    junit.set_time(report.duration);
    let findings: Vec<_> = report.findings().collect();
    for group in findings.chunk_by(|(a, _), (b, _)| a.id.group() == b.id.group()) {
        let mut suite = TestSuite::new(group[0].0.id.group().prefix());
        let has_failure = group.iter().any(|(_, finding)| finding.is_fail());
        if has_failure && !report.stderr().is_empty() {
            suite.set_system_err(report.stderr().join("\n"));
        }
        for (case, finding) in group {
            let mut status = match finding.outcome {
                Outcome::Pass | Outcome::Warn => TestCaseStatus::success(),
                Outcome::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
                Outcome::Skip => TestCaseStatus::skipped(),
            };
            if matches!(finding.outcome, Outcome::Fail | Outcome::Skip) {
                status.set_message(&finding.detail);
            }
            if finding.is_fail() {
                status.set_description(case.remedy);
            }
            let mut test = TestCase::new(format!("{} {}", case.id, case.sentence), status);
            test.set_classname(&report.extension);
            if finding.outcome == Outcome::Warn {
                test.set_system_out(format!("warning: {}", finding.detail));
            }
            suite.add_test_case(test);
        }
        junit.add_test_suite(suite);
    }
    let xml = junit
        .to_string()
        .map_err(Error::because("cannot serialize the report as XML"))?;
    Ok(xml.trim_end().to_owned() + "\n")
}
