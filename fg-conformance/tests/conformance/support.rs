//! Runs checks of the Python extension on leased ports, and queries reports.

use fg_conformance::{Checks, ExtensionUnderTest, Outcome, Report, Selection};
use fg_emulator::PortLease;
use tokio::sync::Semaphore;

pub(crate) const SCRIPT: &str = "extensionNightWatch.sh";
pub(crate) const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/night_watch.py");

/// Limits how many checks run at a time, because each needs two of the ten ports.
static CHECKS: Semaphore = Semaphore::const_new(4);

/// Runs checks against an extension that reads its ports from the environment, because tests run in parallel.
pub(crate) async fn run(
    extension: ExtensionUnderTest,
    configure: impl FnOnce(Checks) -> Checks,
) -> Report {
    let _permit = CHECKS
        .acquire()
        .await
        .expect("the semaphore is never closed");
    let leases = tokio::task::spawn_blocking(PortLease::acquire_pair).await;
    let (events, telemetry) = leases
        .expect("a task that does not panic")
        .expect("two ports of the platform's range");
    let extension = extension
        .env("FG_EXTENSION_PORT", events.port().to_string())
        .env("FG_TELEMETRY_PORT", telemetry.port().to_string());
    configure(Checks::new(extension))
        .run()
        .await
        .expect("an extension that can be checked")
}

/// Returns the Python extension with this fault.
pub(crate) fn night_watch(fault: &str) -> ExtensionUnderTest {
    ExtensionUnderTest::command(SCRIPT, "python3", [PYTHON]).env("FAULT", fault)
}

/// Checks the Python extension with this fault.
pub(crate) async fn check_night_watch(fault: &str, names: &[&str]) -> Report {
    check(night_watch(fault), names).await
}

/// Checks an extension in these cases, or in all cases if there are no names.
pub(crate) async fn check(extension: ExtensionUnderTest, names: &[&str]) -> Report {
    let select = |checks: Checks| match names {
        [] => checks,
        names => checks.select(Selection::parse(names).expect("names of cases")),
    };
    run(extension, select).await
}

/// Returns the IDs of the cases with this outcome, and with a detail that starts with this text.
pub(crate) fn ids(report: &Report, outcome: Outcome, detail: &str) -> Vec<&'static str> {
    let findings = report.findings();
    let matching = findings
        .filter(|(_, finding)| finding.outcome == outcome && finding.detail.starts_with(detail));
    matching.map(|(case, _)| case.id.as_str()).collect()
}

/// Returns the detail of a case in the report.
#[track_caller]
pub(crate) fn detail<'a>(report: &'a Report, id: &str) -> &'a str {
    let mut findings = report.findings();
    let found = findings.find(|(case, _)| case.id.as_str() == id);
    let (_, finding) = found.unwrap_or_else(|| panic!("{id} is not in the report:\n{report}"));
    &finding.detail
}
