//! Extensions in other languages, each with its standard library only: a correct one passes, and a fault is one finding.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use fg_conformance::ExtensionUnderTest;
use fg_conformance::Outcome::{self, Fail, Skip, Warn};
use tokio::task::JoinSet;

use crate::support::{SCRIPT, check, ids};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/foreign");
/// The compiler of Go caches the standard library here.
const GO_CACHE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/go-cache");

/// The value of `FAULT`, and the case that must find it. Only these cases are run.
type Fault = (&'static str, Outcome, &'static str, &'static str);

/// Returns whether the program can be run, and prints that the test is skipped if it cannot.
fn is_installed(program: &str, version: &str, test: &str) -> bool {
    let command = Command::new(program)
        .arg(version)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let is_installed = command.is_ok_and(|status| status.success());
    if !is_installed {
        let line = format!("SKIPPED {test}: {program} is not installed\n");
        // Unlike `eprintln!`, this is not captured by the test harness.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
    is_installed
}

fn compile(command: &mut Command) {
    let output = command.output().expect("a compiler");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{message}");
}

fn source(name: &str) -> String {
    format!("{SOURCES}/{name}")
}

/// Checks that the extension without a fault passes all cases.
async fn assert_passes(extension: ExtensionUnderTest) {
    let report = check(extension, &[]).await;
    assert_eq!(report.count(Fail) + report.count(Warn), 0, "{report}");
    let mut skipped = ids(&report, Skip, "").into_iter();
    let is_expected = |id: &str| {
        id.starts_with("PKG-") || id.starts_with("TEL-") || ["RES-03", "SET-01"].contains(&id)
    };
    assert!(skipped.all(is_expected), "{report}");
}

/// Checks in parallel that the extension without a fault passes, and that each fault is found.
async fn check_all(extension: ExtensionUnderTest, faults: &[Fault]) {
    let mut checks = JoinSet::new();
    checks.spawn(assert_passes(extension.clone()));
    for &(fault, outcome, id, detail) in faults {
        let extension = extension.clone().env("FAULT", fault);
        checks.spawn(async move {
            let report = check(extension, &[id]).await;
            assert_eq!(ids(&report, outcome, detail), [id], "{fault}: {report}");
        });
    }
    let mut failed = 0;
    while let Some(checked) = checks.join_next().await {
        // The panic of the task has been printed.
        failed += usize::from(checked.is_err());
    }
    assert_eq!(failed, 0, "extensions without the expected findings");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn node() {
    if !is_installed("node", "--version", "node") {
        return;
    }
    let extension = ExtensionUnderTest::command(SCRIPT, "node", [source("night_watch.mjs")]);
    let faults = [
        ("all-interfaces", Warn, "RES-04", "listens on [::]:"),
        (
            "unhandled-rejection",
            Fail,
            "INV-04",
            "no response to a body that is not JSON: ",
        ),
        ("slow", Warn, "INV-07", ""),
        ("polls", Warn, "RES-01", "used at least "),
        (
            "keeps-descriptor",
            Warn,
            "RES-02",
            "file descriptors: about 1.00 more per event",
        ),
        ("keeps-memory", Warn, "RES-02", "memory: about "),
        ("exits-at-once", Fail, "END-02", "no response to "),
    ];
    check_all(extension, &faults).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn go() {
    if !is_installed("go", "version", "go") {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let program = directory.path().join("night_watch");
    compile(
        Command::new("go")
            .args(["build", "-o"])
            .arg(&program)
            .arg(source("night_watch.go"))
            .envs([
                ("GO111MODULE", "off"),
                ("GOFLAGS", ""),
                ("GOPROXY", "off"),
                ("CGO_ENABLED", "0"),
            ])
            .env("GOCACHE", Path::new(GO_CACHE)),
    );
    let extension = ExtensionUnderTest::command(SCRIPT, program, [] as [&str; 0]);
    let faults = [
        ("all-interfaces", Warn, "RES-04", "listens on [::]:"),
        (
            "panics-on-malformed",
            Fail,
            "INV-04",
            "no response to an empty body: ",
        ),
        (
            "keeps-descriptor",
            Warn,
            "RES-02",
            "file descriptors: about 1.00 more per event",
        ),
        ("keeps-goroutine", Warn, "RES-02", "memory: about "),
        ("exits-at-once", Fail, "END-02", "no response to "),
    ];
    check_all(extension, &faults).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn java() {
    if !is_installed("javac", "-version", "java") {
        return;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let classes = directory.path();
    compile(
        Command::new("javac")
            .arg("-d")
            .arg(classes)
            .arg(source("NightWatch.java")),
    );
    // Starts faster, and with few threads.
    let options = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"];
    let mut arguments: Vec<_> = options.map(OsStr::new).into();
    arguments.extend([classes.as_os_str(), "NightWatch".as_ref()]);
    let extension = ExtensionUnderTest::command(SCRIPT, "java", arguments);
    let faults = [
        ("all-interfaces", Warn, "RES-04", "listens on [::]:"),
        (
            "keeps-thread",
            Warn,
            "RES-02",
            "threads: about 1.00 more per event",
        ),
        (
            "exits-143",
            Warn,
            "END-01",
            "expected exit status 0, got 143",
        ),
        ("hook-hangs", Fail, "END-01", "still running "),
    ];
    check_all(extension, &faults).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_drops_half_a_request_gets_a_warning() {
    let report = check(drops_partial(), &["INV", "END"]).await;
    let detail = "responded to the ";
    assert_eq!(ids(&report, Warn, detail), ["END-02"], "{report}");
    assert_eq!(ids(&report, Warn, ""), ["END-02"], "{report}");
    assert_eq!(report.count(Fail), 0, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_raises_sigterm_again_gets_a_warning() {
    let extension = drops_partial().env("FAULT", "raises-sigterm-again");
    let report = check(extension, &["END-01", "END-02"]).await;
    let detail = "expected exit status 0, but it handled SIGTERM and died from it ";
    assert_eq!(ids(&report, Warn, detail), ["END-01"], "{report}");
    assert_eq!(report.count(Fail), 0, "{report}");
}

/// Returns an extension in Python, which the other tests need, too.
fn drops_partial() -> ExtensionUnderTest {
    ExtensionUnderTest::command(SCRIPT, "python3", [source("drops_partial.py")])
}
