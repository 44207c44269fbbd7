//! Faults of telemetry.

use fg_conformance::Outcome::{Fail, Pass, Warn};

use super::{LIGHT, check_all};
use crate::support::{check_night_watch, ids};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_telemetry_are_found() {
    check_all(
        LIGHT,
        [
            (
                "subscribes-first",
                Fail,
                "TEL-01",
                "the subscription was rejected: ",
                "TEL-02 TEL-03 TEL-04",
            ),
            (
                "rejects-spaces",
                Fail,
                "TEL-02",
                "stray spaces inside strings: expected a 2xx status, got 400",
                "",
            ),
            ("subscribes-late", Warn, "TEL-01", "subscribed 3.", ""),
            ("feeds-itself", Warn, "TEL-04", "", "RES-01"),
            (
                "rejects-unknown-events",
                Fail,
                "TEL-03",
                "an unknown subtype: expected a 2xx status, got 400",
                "",
            ),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_extension_may_reject_trailing_commas() {
    let report = check_night_watch("strict-json", &["TEL-02"]).await;
    let detail =
        "acknowledged the batches that are JSON; trailing commas: rejected with status 400";
    assert_eq!(ids(&report, Pass, detail), ["TEL-02"], "{report}");
}
