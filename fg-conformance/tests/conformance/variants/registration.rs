//! Faults of the registration.

use fg_conformance::Outcome::{Fail, Skip};

use super::{LIGHT, check_all};
use crate::support::{check, ids, night_watch};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_the_registration_are_found() {
    let rest = "REG-06 REG-07 REG-08 REG-09 TEL-01 TEL-02 TEL-03 TEL-04 ALL_AFTER";
    let from_3 =
        "REG-03 REG-04 REG-05 REG-06 REG-07 REG-08 REG-09 TEL-01 TEL-02 TEL-03 TEL-04 ALL_AFTER";
    let from_2 = "REG-02 REG-03 REG-04 REG-05 REG-06 REG-07 REG-08 REG-09 TEL-01 TEL-02 TEL-03 TEL-04 ALL_AFTER";
    let from_5 = "REG-05 REG-06 REG-07 REG-08 REG-09 TEL-01 TEL-02 TEL-03 TEL-04 ALL_AFTER";
    check_all(LIGHT, [
        (
            "exits-early",
            Fail,
            "REG-01",
            "exited with status 1 before it registered",
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
            "repeated-header",
            Fail,
            "REG-02",
            "repeated header: FunctionGraph-Extension-Name",
            rest,
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
    check_all(LIGHT, [
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
            "exited with status 1 after status 503; exited with status 1 after a connection reset",
            "",
        ),
        (
            "exits-0",
            Fail,
            "REG-08",
            "exited with status 0 after status 400; expected a non-zero exit status",
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
async fn a_second_boot_that_fails_is_the_cause_of_all_failures_in_further_boots() {
    let directory = tempfile::tempdir().unwrap();
    let extension = night_watch("").env("LOCK", directory.path().join("lock"));
    let report = check(extension, &["REG", "RES-03", "END"]).await;
    let detail = "in its second boot: exited with status 1 before it registered";
    assert_eq!(ids(&report, Fail, ""), ["REG-09"], "{report}");
    assert_eq!(ids(&report, Fail, detail), ["REG-09"], "{report}");
    assert_eq!(
        ids(&report, Skip, "blocked by REG-09"),
        ["REG-07", "REG-08", "RES-03", "END-02", "END-03"],
        "{report}"
    );
}
