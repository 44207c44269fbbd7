//! Faults of invocations, and of those after a freeze.

use fg_conformance::Outcome::{Fail, Pass, Warn};

use super::{LIGHT, MANY_EVENTS, check_all};
use crate::support::{check_night_watch, detail, ids};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_invocations_are_found() {
    check_all(LIGHT, [
        (
            "handler-fails",
            Fail,
            "INV-01",
            r#"expected status 200, got 500: {"error": "the vault\nis sealed"}"#,
            "INV-02 INV-03 INV-04 INV-05 INV-06 INV-07 FRZ-01 RES-01 RES-03 END-02",
        ),
        (
            "blocks",
            Fail,
            "INV-01",
            "no response within 10s, nor to an invalid event on a second connection: the handler hangs, or blocks ",
            "INV-02 INV-03 INV-04 INV-05 INV-06 INV-07 FRZ-01 TEL-01 TEL-02 TEL-03 TEL-04 RES-01 RES-03 RES-04 END-01 END-02",
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
        ("empty", Warn, "INV-06", "the response is empty", ""),
        (
            "html",
            Warn,
            "INV-06",
            "the response is not a JSON object: <html>",
            "",
        ),
        (
            "foreign-trace-id",
            Warn,
            "INV-06",
            "the response contains the traceId \"3da1f2dc-",
            "",
        ),
        (
            "doubled-headers",
            Warn,
            "INV-06",
            "the response repeats the header content-type",
            "",
        ),
        (
            "wrong-length",
            Fail,
            "INV-03",
            "the first response is longer than its Content-Length",
            "INV-06",
        ),
        (
            "ignores-second",
            Fail,
            "INV-03",
            "no response to the second invocation on one connection within 10s",
            "INV-06",
        ),
        (
            "hangs-later",
            Fail,
            "INV-03",
            "on separate connections: no response within 10s",
            "INV-04 INV-05 INV-06 FRZ-01 TEL-01 TEL-02 TEL-03 TEL-04 RES-01 RES-04 END-01 END-02",
        ),
        (
            "one-at-a-time",
            Warn,
            "INV-07",
            "4",
            "",
        ),
        (
            "fails-after-thaw",
            Fail,
            "FRZ-01",
            "the event posted during the freeze: expected status 200, got 500",
            "END-02",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_freeze_is_survived() {
    // The extension may notice the freeze only after the first event.
    let detail = "the event posted ";
    let report = check_night_watch("fails-after-long-freeze", &["FRZ"]).await;
    assert_eq!(ids(&report, Pass, ""), ["FRZ-01"], "{report}");
    assert_eq!(ids(&report, Fail, detail), ["FRZ-02"], "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_handler_that_blocks_no_other_request_passes() {
    let report = check_night_watch("slow", &["INV-01"]).await;
    assert_eq!(ids(&report, Pass, ""), ["INV-01"], "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_that_takes_more_than_a_second_is_found() {
    let report = check_night_watch("slower-than-a-second", &["INV-02", "INV-07"]).await;
    assert_eq!(ids(&report, Warn, ""), ["INV-07"], "{report}");
    // It takes longer on a busy machine.
    let detail = detail(&report, "INV-07");
    assert!(detail.contains("s for one event, "), "{detail}");
    assert_eq!(ids(&report, Pass, ""), ["INV-02"], "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_after_many_events_are_found() {
    check_all(
        MANY_EVENTS,
        [
            (
                "dies-later",
                Fail,
                "INV-08",
                "one event failed after ",
                "INV-04 FRZ-01 TEL-01 TEL-02 TEL-03 TEL-04 RES-01 RES-02 RES-04 END-01",
            ),
            (
                "fails-later",
                Fail,
                "INV-08",
                "one event failed after ",
                "INV-04 FRZ-01 TEL-01 TEL-02 TEL-03 TEL-04 RES-01 RES-02 RES-04 END-01",
            ),
        ],
    )
    .await;
}
