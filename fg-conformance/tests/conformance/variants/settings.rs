//! Settings that an extension does not find in RUNTIME_USERDATA.

use fg_conformance::Outcome::{Fail, Pass, Skip, Warn};

use crate::support::{check, detail, ids, night_watch};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_that_must_be_in_the_environment_are_found() {
    for (fault, outcome, expected) in [
        (
            "",
            Pass,
            "registers and responds with its settings in RUNTIME_USERDATA alone",
        ),
        (
            "ignores-user-data",
            Warn,
            "with its settings in RUNTIME_USERDATA alone: exited with status 1 before it registered",
        ),
        (
            "moves-without-city",
            Warn,
            "with its settings in RUNTIME_USERDATA alone: registered 127.0.0.1:",
        ),
    ] {
        // A variable of the same name is removed in the boot of SET-01.
        let extension = night_watch(fault).user_data("CITY", "Par\"is");
        let extension = extension.env("CITY", "Rome");
        let report = check(extension, &["REG", "INV-01", "SET", "END"]).await;
        assert_eq!(
            ids(&report, outcome, expected),
            ["SET-01"],
            "{fault}: {report}"
        );
        let warnings = usize::from(outcome == Warn);
        assert_eq!(
            (report.count(Fail), report.count(Warn)),
            (0, warnings),
            "{report}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_settings_the_case_is_skipped() {
    let report = check(night_watch(""), &["SET-01"]).await;
    assert_eq!(ids(&report, Skip, ""), ["SET-01"], "{report}");
    assert_eq!(
        detail(&report, "SET-01"),
        "no settings of the function's console given; use --user-data"
    );
}
