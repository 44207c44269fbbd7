//! An extension that is not ours, and everything that can be wrong with one: for each fault one case, and no other,
//! fails.

use fg_conformance::Outcome::{self, Fail, Pass, Skip, Warn};
use tokio::task::JoinSet;

use crate::support::{check_night_watch, ids};

/// A fault, the one case that finds it and with which detail, and the cases that it prevents.
struct Variant {
    fault: &'static str,
    outcome: Outcome,
    id: &'static str,
    detail: &'static str,
    prevented: String,
}

/// What comes after a registration.
const ALL_AFTER: &str = "INV-01 INV-02 INV-03 INV-04 INV-05 FRZ-01 END-01 END-02";

impl Variant {
    async fn check(self) {
        let Self {
            fault,
            outcome,
            id,
            detail,
            prevented,
        } = self;
        let report = check_night_watch(fault, &[]).await;
        assert_eq!(ids(&report, outcome, ""), [id], "{fault}: {report}");
        assert_eq!(ids(&report, outcome, detail), [id], "{fault}: {report}");
        let failed = usize::from(outcome == Fail);
        assert_eq!(report.count(Fail), failed, "{fault}: {report}");
        let mut skipped = ids(&report, Skip, &format!("prevented by {id}"));
        skipped.sort_unstable();
        let mut expected: Vec<_> = prevented.split_whitespace().collect();
        expected.sort_unstable();
        assert_eq!(skipped, expected, "{fault}: {report}");
        // All others pass, but for those of a ZIP.
        let without_zip = ids(&report, Skip, "no ZIP: use --zip").len();
        assert_eq!(
            report.count(Pass) + without_zip + skipped.len() + 1,
            report.findings().count(),
            "{fault}: {report}"
        );
    }
}

/// Checks them side by side.
async fn check_all<const N: usize>(
    variants: [(&'static str, Outcome, &'static str, &'static str, &str); N],
) {
    let mut checks = JoinSet::new();
    for (fault, outcome, id, detail, prevented) in variants {
        let variant = Variant {
            fault,
            outcome,
            id,
            detail,
            prevented: prevented.replace("ALL_AFTER", ALL_AFTER),
        };
        checks.spawn(variant.check());
    }
    while let Some(checked) = checks.join_next().await {
        checked.expect("a variant that is judged rightly");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_fault_it_passes() {
    let report = check_night_watch("", &[]).await;
    assert_eq!(report.count(Fail) + report.count(Warn), 0, "{report}");
    let skipped = ids(&report, Skip, "");
    assert!(skipped.iter().all(|id| id.starts_with("PKG-")), "{report}");
    // The script's name is known without a ZIP.
    let all = report.findings().count();
    assert_eq!((skipped.len(), all), (12, 32), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_the_registration() {
    let rest = "REG-06 REG-07 REG-08 TEL-01 TEL-02 TEL-03 ALL_AFTER";
    let from_3 = "REG-03 REG-04 REG-05 REG-06 REG-07 REG-08 TEL-01 TEL-02 TEL-03 ALL_AFTER";
    let from_2 = "REG-02 REG-03 REG-04 REG-05 REG-06 REG-07 REG-08 TEL-01 TEL-02 TEL-03 ALL_AFTER";
    let from_5 = "REG-05 REG-06 REG-07 REG-08 TEL-01 TEL-02 TEL-03 ALL_AFTER";
    check_all([
        (
            "no-registration",
            Fail,
            "REG-01",
            "it ended with exit status: 1 before it registered",
            from_2,
        ),
        ("get", Fail, "REG-02", "it called by GET", rest),
        (
            "no-address",
            Fail,
            "REG-02",
            "without FunctionGraph-Extension-Address",
            from_3,
        ),
        (
            "wrong-name",
            Fail,
            "REG-03",
            "it registers as `night_watch.py`, and was booted as `extensionNightWatch.sh`",
            rest,
        ),
        (
            "wrong-port",
            Fail,
            "REG-04",
            "it registers 127.0.0.1:8091",
            from_5,
        ),
        (
            "registers-first",
            Fail,
            "REG-05",
            "when its call came, nobody listened at 127.0.0.1:",
            "",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_after_the_registration() {
    check_all([
        (
            "registers-twice",
            Fail,
            "REG-06",
            "2 calls, of which the first was answered with 200",
            "",
        ),
        (
            "no-retry",
            Fail,
            "REG-07",
            "after a 503 it ended with exit status: 1; after a reset it ended with exit status: 1",
            "",
        ),
        (
            "exits-0",
            Fail,
            "REG-08",
            "refused with 400, it ended with exit status: 0",
            "",
        ),
        (
            "goes-on",
            Fail,
            "REG-08",
            "refused with 400, it went on for 8s and longer",
            "",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_invocations() {
    check_all([
        (
            "handler-fails",
            Fail,
            "INV-01",
            r#"answered with 500: {"error": "the vault\nis sealed"}"#,
            "INV-02 INV-03 INV-04 INV-05 FRZ-01 END-02",
        ),
        ("serial", Warn, "INV-02", "all in ", ""),
        (
            "silent-close",
            Warn,
            "INV-03",
            "it closes the connection without `Connection: close`",
            "",
        ),
        (
            "lenient",
            Fail,
            "INV-04",
            "an empty body was answered with 200",
            "",
        ),
        (
            "crash",
            Fail,
            "INV-04",
            "an empty body was not answered",
            "END-01",
        ),
        ("closed-world", Fail, "INV-05", "answered with 400", ""),
        (
            "stale",
            Fail,
            "FRZ-01",
            "the event that came while it was stopped: answered with 500",
            "",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_telemetry() {
    check_all([
        (
            "subscribes-first",
            Fail,
            "TEL-01",
            "the subscription was refused: no extension is registered",
            "TEL-02 TEL-03",
        ),
        (
            "strict-json",
            Warn,
            "TEL-02",
            "trailing commas: answered with 400",
            "",
        ),
        (
            "untrimmed",
            Fail,
            "TEL-02",
            "stray spaces inside strings: answered with 400",
            "",
        ),
        (
            "known-only",
            Fail,
            "TEL-03",
            "an unknown subtype: answered with 400",
            "",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_the_shutdown() {
    check_all([
        // The platform kills it after five seconds, and a little more on a machine that is busy.
        ("deaf", Fail, "END-01", "it did not end in 5.", "END-02"),
        ("exits-3", Fail, "END-01", "exit status: 3, ", "END-02"),
        (
            "hangs-up",
            Fail,
            "END-02",
            "after SIGTERM it was not answered: ",
            "",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_ignores_the_body_blocks_no_other_request() {
    let report = check_night_watch("blind", &["INV-02", "END-02"]).await;
    assert_eq!(ids(&report, Pass, "all in "), ["INV-02"], "{report}");
    let why = "it answers before a request is whole";
    assert_eq!(ids(&report, Skip, why), ["END-02"], "{report}");
}
