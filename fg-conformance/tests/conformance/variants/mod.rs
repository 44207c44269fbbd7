//! The Python extension with each of its faults. For each fault, exactly one case fails or warns.

mod invocations;
mod registration;
mod resources;
mod settings;
mod shutdown;
mod telemetry;

use fg_conformance::Outcome::{self, Fail, Pass, Skip, Warn};
use tokio::task::JoinSet;

use crate::support::{check, check_night_watch, ids, night_watch};

/// A fault, the case that finds it, the start of the detail, and the cases that this blocks.
struct Variant {
    fault: &'static str,
    outcome: Outcome,
    id: &'static str,
    detail: &'static str,
    blocked: String,
}

type VariantRow = (
    &'static str,
    Outcome,
    &'static str,
    &'static str,
    &'static str,
);

/// The cases after the registration, without telemetry.
const ALL_AFTER: &str = "INV-01 INV-02 INV-03 INV-04 INV-05 INV-06 INV-07 FRZ-01 RES-01 RES-03 RES-04 END-01 END-02 END-03";
/// All cases but FRZ-02, which takes six seconds, and those with a thousand events.
const LIGHT: &str =
    "PKG REG INV-01 INV-02 INV-03 INV-04 INV-05 INV-06 INV-07 FRZ-01 TEL RES-01 RES-03 RES-04 END";
/// The cases with a thousand events, and those on the same process.
const MANY_EVENTS: &str = "PKG REG-01 INV FRZ-01 TEL RES-01 RES-02 RES-04 END-01";

impl Variant {
    async fn check(self, names: &'static str) {
        let names: Vec<_> = names.split_whitespace().collect();
        let Self {
            fault,
            outcome,
            id,
            detail,
            blocked,
        } = self;
        let report = check_night_watch(fault, &names).await;
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

/// Checks the variants in parallel, in these cases.
async fn check_all<const N: usize>(names: &'static str, variants: [VariantRow; N]) {
    let mut checks = JoinSet::new();
    for (fault, outcome, id, detail, blocked) in variants {
        let variant = Variant {
            fault,
            outcome,
            id,
            detail,
            blocked: blocked.replace("ALL_AFTER", ALL_AFTER),
        };
        checks.spawn(variant.check(names));
    }
    let mut failed = 0;
    while let Some(checked) = checks.join_next().await {
        // The panic of the task has been printed.
        failed += usize::from(checked.is_err());
    }
    assert_eq!(failed, 0, "variants without the expected findings");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_extension_without_a_fault_passes() {
    let report = check(night_watch("").user_data("CITY", "Paris"), &[]).await;
    assert_eq!(report.count(Fail) + report.count(Warn), 0, "{report}");
    let skipped = ids(&report, Skip, "");
    assert!(skipped.iter().all(|id| id.starts_with("PKG-")), "{report}");
    // PKG-02 passes, because the name of the script is known without a ZIP.
    let all = report.findings().count();
    assert_eq!((skipped.len(), all), (14, 46), "{report}");
}
