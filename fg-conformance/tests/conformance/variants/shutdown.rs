//! Faults of the shutdown.

use fg_conformance::ExtensionUnderTest;
use fg_conformance::Outcome::{Fail, Pass, Warn};

use super::{LIGHT, check_all};
use crate::support::{PYTHON, SCRIPT, check, check_night_watch, ids};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_the_shutdown_are_found() {
    check_all(
        LIGHT,
        [
            // The platform kills it after five seconds, or slightly later on a busy machine.
            (
                "ignores-sigterm",
                Fail,
                "END-01",
                "still running 5.",
                "END-02 END-03",
            ),
            (
                "exits-3",
                Fail,
                "END-01",
                "expected exit status 0, but it exited with status 3 ",
                "END-02 END-03",
            ),
            (
                "exits-143",
                Warn,
                "END-01",
                "expected exit status 0, got 143 (128 + SIGTERM), ",
                "",
            ),
        ],
    )
    .await;
    // Their handlers take a while, so the other cases would take long.
    check_all(
        "PKG REG-01 INV-01 END",
        [
            ("drops-partial", Warn, "END-02", "responded to the ", ""),
            ("exits-on-sigterm", Fail, "END-02", "no response to ", ""),
            ("exits-later", Fail, "END-02", "no response to ", ""),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_script_that_does_not_forward_sigterm_is_found() {
    let script = format!("trap : TERM; python3 '{PYTHON}'; exit $?");
    let extension = ExtensionUnderTest::command(SCRIPT, "sh", ["-c", &script]);
    let report = check(extension, &["END"]).await;
    let detail =
        "still running 5s after SIGTERM to the process of the start script alone: sh (pid ";
    assert_eq!(ids(&report, Warn, detail), ["END-03"], "{report}");
    assert_eq!(ids(&report, Pass, ""), ["END-01", "END-02"], "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_ignores_the_body_blocks_no_other_request() {
    let report = check_night_watch("ignores-body", &["INV-02", "END-02"]).await;
    assert_eq!(
        ids(&report, Pass, "all 64 succeeded in "),
        ["INV-02"],
        "{report}"
    );
    assert_eq!(report.count(Fail) + report.count(Warn), 0, "{report}");
}
