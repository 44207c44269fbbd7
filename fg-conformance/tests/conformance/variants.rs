//! The Python extension with each of its faults. For each fault, exactly one case fails or warns.

use fg_conformance::Outcome::{self, Fail, Pass, Skip, Warn};
use tokio::task::JoinSet;

use crate::support::{check_night_watch, ids};

/// A fault, the case that finds it, the start of the detail, and the cases that this blocks.
struct Variant {
    fault: &'static str,
    outcome: Outcome,
    id: &'static str,
    detail: &'static str,
    blocked: String,
}

/// The cases after the registration, without telemetry.
const ALL_AFTER: &str = "INV-01 INV-02 INV-03 INV-04 INV-05 FRZ-01 END-01 END-02";

impl Variant {
    async fn check(self) {
        let Self {
            fault,
            outcome,
            id,
            detail,
            blocked,
        } = self;
        let report = check_night_watch(fault, &[]).await;
        assert_eq!(ids(&report, outcome, ""), [id], "{fault}: {report}");
        assert_eq!(ids(&report, outcome, detail), [id], "{fault}: {report}");
        let failed = usize::from(outcome == Fail);
        assert_eq!(report.count(Fail), failed, "{fault}: {report}");
        let mut skipped = ids(&report, Skip, &format!("blocked by {id}"));
        skipped.sort_unstable();
        let mut expected: Vec<_> = blocked.split_whitespace().collect();
        expected.sort_unstable();
        assert_eq!(skipped, expected, "{fault}: {report}");
        // All other cases pass, except those that need a ZIP.
        let without_zip = ids(&report, Skip, "no ZIP given; use --zip").len();
        assert_eq!(
            report.count(Pass) + without_zip + skipped.len() + 1,
            report.findings().count(),
            "{fault}: {report}"
        );
    }
}

/// Checks the variants in parallel.
async fn check_all<const N: usize>(
    variants: [(&'static str, Outcome, &'static str, &'static str, &str); N],
) {
    let mut checks = JoinSet::new();
    for (fault, outcome, id, detail, blocked) in variants {
        let variant = Variant {
            fault,
            outcome,
            id,
            detail,
            blocked: blocked.replace("ALL_AFTER", ALL_AFTER),
        };
        checks.spawn(variant.check());
    }
    while let Some(checked) = checks.join_next().await {
        checked.expect("the expected findings");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_extension_without_a_fault_passes() {
    let report = check_night_watch("", &[]).await;
    assert_eq!(report.count(Fail) + report.count(Warn), 0, "{report}");
    let skipped = ids(&report, Skip, "");
    assert!(skipped.iter().all(|id| id.starts_with("PKG-")), "{report}");
    // PKG-02 passes, because the name of the script is known without a ZIP.
    let all = report.findings().count();
    assert_eq!((skipped.len(), all), (12, 32), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_the_registration_are_found() {
    let rest = "REG-06 REG-07 REG-08 TEL-01 TEL-02 TEL-03 ALL_AFTER";
    let from_3 = "REG-03 REG-04 REG-05 REG-06 REG-07 REG-08 TEL-01 TEL-02 TEL-03 ALL_AFTER";
    let from_2 = "REG-02 REG-03 REG-04 REG-05 REG-06 REG-07 REG-08 TEL-01 TEL-02 TEL-03 ALL_AFTER";
    let from_5 = "REG-05 REG-06 REG-07 REG-08 TEL-01 TEL-02 TEL-03 ALL_AFTER";
    check_all([
        (
            "exits-early",
            Fail,
            "REG-01",
            "exited before it registered (exit status: 1)",
            from_2,
        ),
        (
            "registers-with-get",
            Fail,
            "REG-02",
            "registered with the method GET; expected POST",
            rest,
        ),
        (
            "no-address",
            Fail,
            "REG-02",
            "missing header: FunctionGraph-Extension-Address",
            from_3,
        ),
        (
            "wrong-name",
            Fail,
            "REG-03",
            "registered as `night_watch.py`; expected the name of the start script, `extensionNightWatch.sh`",
            rest,
        ),
        (
            "wrong-port",
            Fail,
            "REG-04",
            "registered 127.0.0.1:8091; expected 127.0.0.1:8081 to 127.0.0.1:8090",
            from_5,
        ),
        (
            "registers-first",
            Fail,
            "REG-05",
            "could not connect to 127.0.0.1:",
            "",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_after_the_registration_are_found() {
    check_all([
        (
            "registers-twice",
            Fail,
            "REG-06",
            "registered 2 times, although the first registration was accepted",
            "",
        ),
        (
            "no-retry",
            Fail,
            "REG-07",
            "exited after status 503 (exit status: 1); exited after a connection reset (exit status: 1)",
            "",
        ),
        (
            "exits-0",
            Fail,
            "REG-08",
            "exited after status 400 (exit status: 0); expected a non-zero exit status",
            "",
        ),
        (
            "keeps-running",
            Fail,
            "REG-08",
            "still running 8s after status 400; expected it to exit with a non-zero status",
            "",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_invocations_are_found() {
    check_all([
        (
            "handler-fails",
            Fail,
            "INV-01",
            r#"expected status 200, got 500: {"error": "the vault\nis sealed"}"#,
            "INV-02 INV-03 INV-04 INV-05 FRZ-01 END-02",
        ),
        (
            "blocks",
            Fail,
            "INV-01",
            "the handler blocks its thread: did not respond within 3s, nor to an invalid event on a \
             second connection; run what blocks on another thread, in Rust: use spawn_blocking",
            "INV-02 INV-03 INV-04 INV-05 FRZ-01 TEL-01 TEL-02 TEL-03 END-01 END-02",
        ),
        ("serial", Warn, "INV-02", "all 64 succeeded in ", ""),
        (
            "silent-close",
            Warn,
            "INV-03",
            "closed the connection without `Connection: close`",
            "",
        ),
        (
            "accepts-malformed",
            Warn,
            "INV-04",
            "expected a 4xx status for an empty body, got 200",
            "",
        ),
        (
            "crashes-on-malformed",
            Fail,
            "INV-04",
            "no response to an empty body: ",
            "END-01",
        ),
        (
            "rejects-unknown-fields",
            Fail,
            "INV-05",
            "expected status 200, got 400",
            "",
        ),
        (
            "fails-after-thaw",
            Fail,
            "FRZ-01",
            "the event posted during the freeze: expected status 200, got 500",
            "",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_telemetry_are_found() {
    check_all([
        (
            "subscribes-first",
            Fail,
            "TEL-01",
            "the subscription was rejected: ",
            "TEL-02 TEL-03",
        ),
        (
            "rejects-spaces",
            Fail,
            "TEL-02",
            "stray spaces inside strings: expected a 2xx status, got 400",
            "",
        ),
        (
            "rejects-unknown-events",
            Fail,
            "TEL-03",
            "an unknown subtype: expected a 2xx status, got 400",
            "",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_the_shutdown_are_found() {
    check_all([
        // The platform kills it after five seconds, or slightly later on a busy machine.
        (
            "ignores-sigterm",
            Fail,
            "END-01",
            "still running 5.",
            "END-02",
        ),
        (
            "exits-3",
            Fail,
            "END-01",
            "expected exit status 0, got exit status: 3 (",
            "END-02",
        ),
        (
            "exits-on-sigterm",
            Fail,
            "END-02",
            "no response to the invocation in flight at SIGTERM: ",
            "",
        ),
        // The check tries it several times.
        (
            "exits-later",
            Fail,
            "END-02",
            "no response to the invocation in flight at SIGTERM: ",
            "",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_extension_may_reject_trailing_commas() {
    let report = check_night_watch("strict-json", &["TEL-02"]).await;
    let detail =
        "acknowledged the batches that are JSON; trailing commas: rejected with status 400";
    assert_eq!(ids(&report, Pass, detail), ["TEL-02"], "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_handler_that_blocks_no_other_request_passes() {
    let report = check_night_watch("slow", &["INV-01"]).await;
    assert_eq!(ids(&report, Pass, ""), ["INV-01"], "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_ignores_the_body_blocks_no_other_request() {
    let report = check_night_watch("ignores-body", &["INV-02", "END-02"]).await;
    assert_eq!(
        ids(&report, Pass, "all 64 succeeded in "),
        ["INV-02"],
        "{report}"
    );
    let why = "the extension responds before it has received the complete request";
    assert_eq!(ids(&report, Skip, why), ["END-02"], "{report}");
}
