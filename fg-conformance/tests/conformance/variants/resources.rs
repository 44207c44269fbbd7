//! Resources that grow with the number of events, are exposed, or do not exist on the platform.

use fg_conformance::Outcome::{Fail, Pass, Skip, Warn};

use super::{LIGHT, MANY_EVENTS, check_all};
use crate::support::{check_night_watch, detail, ids};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn busy_processes_and_exposed_ports_are_found() {
    check_all(
        LIGHT,
        [
            ("busy", Warn, "RES-01", "used at least ", ""),
            ("all-interfaces", Warn, "RES-04", "listens on 0.0.0.0:", ""),
            ("another-port", Warn, "RES-04", "listens on 127.0.0.1:", ""),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn growth_with_the_number_of_events_is_found() {
    check_all(
        MANY_EVENTS,
        [
            ("leaks-memory", Warn, "RES-02", "memory: about 3", ""),
            (
                "leaks-threads",
                Warn,
                "RES-02",
                "threads: about 1.00 more per event",
                "",
            ),
            (
                "leaks-descriptors",
                Warn,
                "RES-02",
                "file descriptors: about 0.25 more per event",
                "",
            ),
            (
                "leaks-sockets",
                Warn,
                "RES-02",
                "sockets: about 0.25 more per event",
                "",
            ),
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_outside_tmp_are_found() {
    for (fault, outcome, expected) in [
        ("", Pass, "works although only /tmp is writable"),
        (
            "writes",
            Fail,
            "if only /tmp is writable: the invocation failed: ",
        ),
        (
            "tries-to-write",
            Warn,
            "works, but stderr says: [Errno 30] Read-only file system: '/var/tmp/night_watch'",
        ),
    ] {
        let report = check_night_watch(fault, &["RES-03"]).await;
        let why = "cannot make the file systems read-only: ";
        if ids(&report, Skip, why) == ["RES-03"] {
            let line = format!(
                "SKIPPED files_outside_tmp_are_found: {}\n",
                detail(&report, "RES-03")
            );
            // Standard error is not captured in this way.
            let _ = std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes());
            return;
        }
        assert_eq!(ids(&report, outcome, expected), ["RES-03"], "{report}");
    }
}
