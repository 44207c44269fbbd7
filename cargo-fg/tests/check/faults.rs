//! An extension that is not ours, and all that can be wrong with one.

use super::checked::{cases, ids, night_watch};

/// A fault, the one case that tells of it and with what words, and those that it prevents.
struct Variant {
    fault: &'static str,
    outcome: &'static str,
    id: &'static str,
    detail: &'static str,
    prevented: &'static str,
}

/// What comes after a registration.
const ALL_AFTER: &str = "END-01 END-02 FRZ-01 INV-01 INV-02 INV-03 INV-04 INV-05";

impl Variant {
    fn try_it(&self) {
        let Self {
            fault, outcome, id, ..
        } = self;
        let output = night_watch(fault, &["--format", "json"]);
        let cases = cases(&output);
        let code = if *outcome == "fail" { 1 } else { 0 };
        assert_eq!(output.status.code(), Some(code), "{fault}: {output:?}");
        assert_eq!(ids(&cases, outcome, ""), [*id], "{fault}: {cases:?}");
        assert_eq!(
            ids(&cases, outcome, self.detail),
            [*id],
            "{fault}: {cases:?}"
        );
        let prevented = ids(&cases, "skip", &format!("prevented by {id}"));
        let expected = self.prevented.replace("ALL_AFTER", ALL_AFTER);
        let mut expected: Vec<_> = expected.split_whitespace().collect();
        expected.sort_unstable();
        assert_eq!(prevented, expected, "{fault}: {cases:?}");
        // All others pass, but for those of a ZIP.
        let rest = cases.len() - prevented.len() - 1;
        let without_zip = ids(&cases, "skip", "no ZIP: use --zip").len();
        assert_eq!(
            ids(&cases, "pass", "").len() + without_zip,
            rest,
            "{fault}: {cases:?}"
        );
    }
}

fn variants(
    variants: &[(
        &'static str,
        &'static str,
        &'static str,
        &'static str,
        &'static str,
    )],
) {
    for &(fault, outcome, id, detail, prevented) in variants {
        let variant = Variant {
            fault,
            outcome,
            id,
            detail,
            prevented,
        };
        variant.try_it();
    }
}

#[test]
fn one_that_is_not_ours_passes() {
    let output = night_watch("", &["--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let cases = cases(&output);
    assert_eq!(ids(&cases, "fail", ""), [""; 0]);
    assert_eq!(ids(&cases, "warn", ""), [""; 0]);
    let skipped = ids(&cases, "skip", "");
    assert!(skipped.iter().all(|id| id.starts_with("PKG-")), "{cases:?}");
    // The script's name can be told of.
    assert_eq!((skipped.len(), cases.len()), (12, 32), "{cases:?}");
}

#[test]
fn faults_of_the_registration() {
    let rest = "REG-06 REG-07 REG-08 TEL-01 TEL-02 TEL-03 ALL_AFTER";
    let from_3 = "REG-03 REG-04 REG-05 REG-06 REG-07 REG-08 TEL-01 TEL-02 TEL-03 ALL_AFTER";
    let from_2 = "REG-02 REG-03 REG-04 REG-05 REG-06 REG-07 REG-08 TEL-01 TEL-02 TEL-03 ALL_AFTER";
    let from_5 = "REG-05 REG-06 REG-07 REG-08 TEL-01 TEL-02 TEL-03 ALL_AFTER";
    variants(&[
        (
            "no-registration",
            "fail",
            "REG-01",
            "it ended with exit status: 1 before it registered",
            from_2,
        ),
        ("get", "fail", "REG-02", "it called by GET", rest),
        (
            "no-address",
            "fail",
            "REG-02",
            "without FunctionGraph-Extension-Address",
            from_3,
        ),
        (
            "wrong-name",
            "fail",
            "REG-03",
            "it registers as `night_watch.py`, and was booted as `extensionNightWatch.sh`",
            rest,
        ),
        (
            "wrong-port",
            "fail",
            "REG-04",
            "it registers 127.0.0.1:8091",
            from_5,
        ),
        (
            "registers-first",
            "fail",
            "REG-05",
            "when its call came, nobody listened at 127.0.0.1:",
            "",
        ),
    ]);
}

#[test]
fn faults_after_the_registration() {
    variants(&[
        (
            "registers-twice",
            "fail",
            "REG-06",
            "2 calls, of which the first was answered with 200",
            "",
        ),
        (
            "no-retry",
            "fail",
            "REG-07",
            "after a 503 it ended with exit status: 1; after a reset it ended with exit status: 1",
            "",
        ),
        (
            "exits-0",
            "fail",
            "REG-08",
            "refused with 400, it ended with exit status: 0",
            "",
        ),
        (
            "goes-on",
            "fail",
            "REG-08",
            "refused with 400, it went on for 8s and longer",
            "",
        ),
    ]);
}

#[test]
fn faults_of_invocations() {
    variants(&[
        (
            "handler-fails",
            "fail",
            "INV-01",
            r#"answered with 500: {"error": "the vault\nis sealed"}"#,
            "END-02 FRZ-01 INV-02 INV-03 INV-04 INV-05",
        ),
        ("serial", "warn", "INV-02", "all in ", ""),
        (
            "silent-close",
            "warn",
            "INV-03",
            "it closes the connection without `Connection: close`",
            "",
        ),
        (
            "lenient",
            "fail",
            "INV-04",
            "an empty body was answered with 200",
            "",
        ),
        (
            "crash",
            "fail",
            "INV-04",
            "an empty body was not answered",
            "END-01",
        ),
        ("closed-world", "fail", "INV-05", "answered with 400", ""),
        (
            "stale",
            "fail",
            "FRZ-01",
            "the event that came while it was stopped: answered with 500",
            "",
        ),
    ]);
}

#[test]
fn faults_of_telemetry() {
    variants(&[
        (
            "subscribes-first",
            "fail",
            "TEL-01",
            "the subscription was refused: no extension is registered",
            "TEL-02 TEL-03",
        ),
        (
            "strict-json",
            "warn",
            "TEL-02",
            "trailing commas: answered with 400",
            "",
        ),
        (
            "untrimmed",
            "fail",
            "TEL-02",
            "stray spaces inside strings: answered with 400",
            "",
        ),
        (
            "known-only",
            "fail",
            "TEL-03",
            "an unknown subtype: answered with 400",
            "",
        ),
    ]);
}

#[test]
fn faults_of_the_end() {
    variants(&[
        (
            "deaf",
            "fail",
            "END-01",
            "it did not end in 5.0s and had to be killed",
            "END-02",
        ),
        ("exits-3", "fail", "END-01", "exit status: 3, ", "END-02"),
        (
            "hangs-up",
            "fail",
            "END-02",
            "after SIGTERM it was not answered: ",
            "",
        ),
    ]);
}
