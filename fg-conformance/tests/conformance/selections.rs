//! Selections of cases, and budgets.

use fg_conformance::Outcome::{Fail, Pass, Skip};
use fg_conformance::{Checks, ExtensionUnderTest, Report, Selection};

use crate::support::{check_night_watch, detail, ids, night_watch, run};

fn all_ids(report: &Report) -> Vec<&'static str> {
    report
        .findings()
        .map(|(case, _)| case.id.as_str())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_selected_cases_are_reported() {
    let report = check_night_watch("", &["reg-03", "END"]).await;
    assert_eq!(all_ids(&report), ["REG-03", "END-01", "END-02", "END-03"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_case_that_blocks_a_selected_one_is_reported() {
    let report = check_night_watch("wrong-name", &["INV-01"]).await;
    assert_eq!(all_ids(&report), ["REG-03", "INV-01"]);
    assert_eq!(report.count(Fail), 1, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn findings_are_reported_once_while_the_cases_run() {
    for (fault, names) in [
        ("", ["REG", "END-01"]),
        // REG-03 is not selected, but blocks a selected case.
        ("wrong-name", ["INV-01", "TEL"]),
    ] {
        let (sender, receiver) = std::sync::mpsc::channel();
        let report = run(night_watch(fault), |checks| {
            let checks = checks.select(Selection::parse(names).unwrap());
            assert!(checks.selection().cases().count() > 3);
            checks.on_finding(move |case, finding| {
                sender
                    .send((case.id.as_str(), finding.outcome))
                    .expect("a receiver");
            })
        });
        let report = report.await;
        let mut found: Vec<_> = receiver.iter().collect();
        found.sort_by_key(|(id, _)| *id);
        let mut expected: Vec<_> = report
            .findings()
            .map(|(case, finding)| (case.id.as_str(), finding.outcome))
            .collect();
        expected.sort_by_key(|(id, _)| *id);
        assert_eq!(found, expected, "{report}");
        assert_eq!(report.extension(), "extensionNightWatch.sh");
    }
}

#[tokio::test]
async fn an_invalid_script_name_is_not_booted() {
    let extension = ExtensionUnderTest::command("night_watch.sh", "no-such-program", [""; 0]);
    let select = |checks: Checks| checks.select(Selection::parse(["REG"]).unwrap());
    let report = run(extension, select).await;
    assert_eq!(
        ids(&report, Fail, "`night_watch.sh` is not a valid script name"),
        ["PKG-02"]
    );
    assert_eq!(ids(&report, Skip, "blocked by PKG-02").len(), 9, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_generous_budget_is_met() {
    let report = run(night_watch(""), |checks| {
        let checks = checks.select(Selection::parse(["BUD"]).unwrap());
        checks.budget("start=1m,rss=1GB".parse().unwrap())
    });
    let report = report.await;
    assert_eq!(ids(&report, Pass, ""), ["BUD-01", "BUD-02"], "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tight_budget_is_exceeded() {
    let report = run(night_watch(""), |checks| {
        let checks = checks.select(Selection::parse(["BUD"]).unwrap());
        checks.budget("start=0.001ms,rss=4KB".parse().unwrap())
    });
    let report = report.await;
    assert_eq!(ids(&report, Fail, ""), ["BUD-01", "BUD-02"]);
    let start = detail(&report, "BUD-01");
    assert!(
        start.ends_with("s, the median of 5 boots; the budget is 1µs"),
        "{start}"
    );
    let rss = detail(&report, "BUD-02");
    assert!(
        rss.starts_with("peak resident memory ") && rss.ends_with(" MB; the budget is 4.0 KB"),
        "{rss}"
    );
}
