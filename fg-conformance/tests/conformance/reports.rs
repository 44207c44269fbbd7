//! How a report is written.

use fg_conformance::Format;
use quick_junit::TestCaseStatus;

use crate::support::check_night_watch;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn for_people() {
    let report = check_night_watch("handler-fails", &["INV", "REG-08", "TEL-03"]).await;
    let text = report.to_string();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("extensionNightWatch.sh  python3"));
    let last = lines.next_back().unwrap();
    assert!(
        last.starts_with("2 passed, 1 failed, 0 warnings, 4 skipped, in "),
        "{text}"
    );
    let expected = "
Registration
  pass  REG-08  ends with a non-zero status when refused

Invocation
  FAIL  INV-01  answers an invocation with 200
                answered with 500: {\"error\": \"the vault\\nis sealed\"}
                answer POST /extension/invoke with 200; what the extension printed may say what went wrong
  skip  INV-02  answers 64 at once, while another comes in
  skip  INV-03  takes one connection for all, or one each
  skip  INV-04  answers what is malformed with 4xx, and lives
  skip  INV-05  takes an event with unknown fields
                prevented by INV-01

Telemetry
  pass  TEL-03  takes events that it does not know
";
    assert_eq!(lines.collect::<Vec<_>>().join("\n"), expected);

    let styled = report.render(Format::Human).unwrap();
    assert!(
        styled.contains("\u{1b}[1m\u{1b}[31mFAIL\u{1b}[0m  INV-01"),
        "{styled:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_warning_is_counted_in_the_singular() {
    let report = check_night_watch("serial", &["INV-02"]).await;
    let text = report.to_string();
    assert!(
        text.contains(", but one stalled connection holds up the others\n"),
        "{text}"
    );
    assert!(
        text.contains("\n0 passed, 0 failed, 1 warning, 0 skipped, in "),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_shows_what_the_extension_printed() {
    let report = check_night_watch("no-registration", &["REG-01"]).await;
    assert_eq!(report.stderr(), ["there is no one to call"]);
    let shown = "\nIts standard error, the last lines\n  there is no one to call\n";
    assert!(report.to_string().contains(shown), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn for_ci_systems() {
    let report = check_night_watch("strict-json", &["TEL", "PKG-01", "END-01"]).await;
    let xml = report.render(Format::Junit).unwrap();
    let junit = quick_junit::Report::deserialize_from_str(&xml).unwrap();
    let counts = (junit.tests, junit.failures, junit.errors);
    assert_eq!(counts, (5, 0, 0), "{xml}");
    let suites = junit.test_suites.iter().map(|suite| suite.name.as_str());
    assert_eq!(suites.collect::<Vec<_>>(), ["PKG", "TEL", "END"]);
    let skipped = &junit.test_suites[0].test_cases[0].status;
    assert!(matches!(skipped, TestCaseStatus::Skipped { .. }), "{xml}");
    let quirks = &junit.test_suites[1].test_cases[1];
    assert_eq!(
        quirks.name.as_str(),
        "TEL-02 takes events as the pages show them"
    );
    let warning = quirks.system_out.as_ref().unwrap().as_str();
    assert!(
        warning.starts_with("warning: trailing commas: "),
        "{warning}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_is_a_failure_for_ci_systems() {
    let report = check_night_watch("exits-3", &["END"]).await;
    let xml = report.render(Format::Junit).unwrap();
    let junit = quick_junit::Report::deserialize_from_str(&xml).unwrap();
    assert_eq!((junit.tests, junit.failures), (2, 1), "{xml}");
}
