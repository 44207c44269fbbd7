//! The formats of a report.

use fg_conformance::Format;
use quick_junit::TestCaseStatus;

use crate::support::check_night_watch;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn human_readable_report_has_a_line_per_case() {
    let report = check_night_watch("handler-fails", &["INV", "REG-08", "TEL-03"]).await;
    let text = report.to_string();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("extensionNightWatch.sh  python3"));
    let last = lines.next_back().unwrap();
    assert!(
        last.starts_with("2 passed, 1 failed, 0 warnings, 7 skipped, in "),
        "{text}"
    );
    let expected = "
Registration
  pass  REG-08  exits with a non-zero status when its registration is rejected

Invocation
  FAIL  INV-01  responds to an invocation with status 200
                expected status 200, got 500: {\"error\": \"the vault\\nis sealed\"}
                help: respond to POST /extension/invoke with status 200, and do not block the thread that serves requests; the output of the extension may say what went wrong
  skip  INV-02  handles 64 invocations at once, and more while one arrives slowly
  skip  INV-03  accepts invocations on one connection and on separate connections
  skip  INV-04  rejects a malformed body with a 4xx status and keeps running
  skip  INV-05  accepts an event with unknown fields
  skip  INV-06  responds with a JSON object for this event
  skip  INV-07  responds within 1 s, and to several events at once
  skip  INV-08  handles 1,000 events in one boot
                blocked by INV-01

Telemetry
  pass  TEL-03  accepts unknown telemetry events
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
        text.contains(", but a stalled connection blocks the others\n"),
        "{text}"
    );
    assert!(
        text.contains("\n0 passed, 0 failed, 1 warning, 0 skipped, in "),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_shows_what_the_extension_printed() {
    let report = check_night_watch("exits-early", &["REG-01"]).await;
    assert_eq!(report.stderr(), ["cannot find the vault"]);
    let shown = "\nStandard error of the extension (last lines)\n  cannot find the vault\n";
    assert!(report.to_string().contains(shown), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn junit_report_has_a_suite_per_group() {
    let report = check_night_watch(
        "accepts-malformed",
        &["INV-04", "INV-05", "PKG-01", "END-01"],
    )
    .await;
    let xml = report.render(Format::Junit).unwrap();
    let junit = quick_junit::Report::deserialize_from_str(&xml).unwrap();
    let counts = (junit.tests, junit.failures, junit.errors);
    assert_eq!(counts, (4, 0, 0), "{xml}");
    let suites = junit.test_suites.iter().map(|suite| suite.name.as_str());
    assert_eq!(suites.collect::<Vec<_>>(), ["PKG", "INV", "END"]);
    let skipped = &junit.test_suites[0].test_cases[0].status;
    assert!(matches!(skipped, TestCaseStatus::Skipped { .. }), "{xml}");
    let malformed = &junit.test_suites[1].test_cases[0];
    assert_eq!(
        malformed.name.as_str(),
        "INV-04 rejects a malformed body with a 4xx status and keeps running"
    );
    let warning = malformed.system_out.as_ref().unwrap().as_str();
    assert!(
        warning.starts_with("warning: expected a 4xx status for an empty body"),
        "{warning}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_is_a_failure_in_a_junit_report() {
    let report = check_night_watch("exits-3", &["END"]).await;
    let xml = report.render(Format::Junit).unwrap();
    let junit = quick_junit::Report::deserialize_from_str(&xml).unwrap();
    assert_eq!((junit.tests, junit.failures), (3, 1), "{xml}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn standard_error_and_the_remedy_are_in_the_reports_of_a_failure() {
    let report = check_night_watch("no-retry", &["REG-07"]).await;
    let line = "extensionNightWatch.sh: cannot register: 503";
    let json = report.render(Format::Json).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let stderr = json["stderr"].as_array().unwrap();
    let has_line = |text: &str| text.starts_with(line);
    assert!(
        stderr
            .iter()
            .any(|text| text.as_str().is_some_and(has_line))
    );

    let xml = report.render(Format::Junit).unwrap();
    let junit = quick_junit::Report::deserialize_from_str(&xml).unwrap();
    let suite = junit.test_suites.last().unwrap();
    let stderr = suite.system_err.as_ref().unwrap().as_str();
    assert!(stderr.lines().any(has_line), "{xml}");
    assert!(xml.contains("retry with a growing pause"), "{xml}");
}
