//! `cargo fg check` as a command. What the checks find is tested in `fg-conformance`.

mod page;
mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use notify::{RecursiveMode, Watcher};

use self::support::{SCRIPT, cases, check, ids, night_watch};

#[test]
fn examples_pass_all_cases() {
    let examples = [
        ("hello", false),
        ("audit-log", false),
        ("own-main", false),
        ("telemetry-archive", true),
    ];
    thread::scope(|scope| {
        for (package, subscribes) in examples {
            scope.spawn(move || example_passes(package, subscribes));
        }
    });
}

fn example_passes(package: &str, subscribes: bool) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (mut command, _leases) = check(&["-p", package, "--format", "json"]);
    command
        .env("AUDIT_LOG", directory.path().join("audit.log"))
        .env("ARCHIVE_FILE", directory.path().join("telemetry.jsonl"));
    let output = command.output().expect("cargo fg runs");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let cases = cases(&output);
    // A debug build is linked dynamically, and may need a newer glibc.
    let warned = ids(&cases, "warn", "");
    assert!(warned.iter().all(|id| id == "PKG-07"), "{cases:?}");
    let passed = ids(&cases, "pass", "");
    let telemetry = if subscribes { "TEL" } else { "END" };
    for prefix in [
        "REG", "INV", "FRZ", "RES-01", "RES-02", "RES-04", "END", telemetry,
    ] {
        let all = cases.keys().filter(|id| id.starts_with(prefix));
        assert!(
            all.clone().all(|id| passed.contains(id)) && all.count() > 0,
            "{cases:?}"
        );
    }
    let silent = ids(
        &cases,
        "skip",
        "the extension did not subscribe to telemetry",
    );
    assert_eq!(silent.len(), if subscribes { 0 } else { 4 }, "{cases:?}");
}

#[test]
fn handler_that_blocks_is_one_failure() {
    let blocks = |arguments: &[&str], behavior: &str, detail: &str| {
        let (mut command, _leases) = check(arguments);
        let behavior = format!("BEHAVIOR={behavior}");
        command.args(["--format", "json", "--env", &behavior]);
        let start = Instant::now();
        let output = command.output().unwrap();
        let elapsed = start.elapsed();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let cases = cases(&output);
        assert_eq!(ids(&cases, "fail", detail), ["INV-01"], "{cases:?}");
        assert_eq!(ids(&cases, "fail", "").len(), 1, "{cases:?}");
        // END-01 too, although the process is killed.
        let blocked = ids(&cases, "skip", "blocked by INV-01");
        assert_eq!(blocked.len(), 20, "{cases:?}");
        elapsed
    };
    let package = ["-p", "fg-extension-tests", "--bin", "fixture"];
    let unresponsive = "no response within 10s, nor to an invalid event";
    blocks(&package, "block forever", unresponsive);
    let warned = "the handler blocks its thread: the response took 2.";
    blocks(&package, "block for seconds", warned);

    // The fixture is built now. Its output is a pipe that somebody holds open, but does not read.
    let fixture = Path::new(env!("CARGO_BIN_EXE_cargo-fg")).with_file_name("fixture");
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let (pipe, fixture) = (pipe.display(), fixture.display());
    let unread = format!("sh -c 'exec 3<> \"{pipe}\" > \"{pipe}\" && exec \"{fixture}\"'");
    let arguments = ["--cmd", &unread, "--script", "extensionFixture.sh"];
    let elapsed = blocks(&arguments, "print forever", unresponsive);
    assert!(elapsed < Duration::from_secs(30), "{elapsed:?}");
}

#[test]
fn a_passing_selection_exits_with_status_0() {
    let output = night_watch(
        "",
        &["--format", "json", "reg-03", "BUD", "--budget", "rss=1GB"],
    );
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let cases = cases(&output);
    assert_eq!(ids(&cases, "pass", ""), ["BUD-02", "REG-03"]);
    assert_eq!(ids(&cases, "skip", "no limit set; "), ["BUD-01"]);
}

#[test]
fn a_warning_exits_with_status_0() {
    let output = night_watch("serial", &["--format", "json", "INV-02"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(
        ids(&cases(&output), "warn", "all 64 succeeded in "),
        ["INV-02"]
    );
}

#[test]
fn a_failure_exits_with_status_1_and_prints_a_report() {
    let output = night_watch("handler-fails", &["INV-01", "INV-05"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.starts_with("extensionNightWatch.sh  python3 "),
        "{text}"
    );
    // Standard output is a pipe, so there are no colors.
    assert!(
        text.contains("\n  FAIL  INV-01  responds to an invocation with status 200\n"),
        "{text}"
    );
    assert!(
        text.contains("\n0 passed, 1 failed, 0 warnings, 1 skipped, in "),
        "{text}"
    );
}

#[test]
fn junit_report_counts_failures() {
    let output = night_watch("wrong-name", &["--format", "junit", "REG"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let xml = String::from_utf8(output.stdout).unwrap();
    let report = quick_junit::Report::deserialize_from_str(&xml).unwrap();
    assert_eq!((report.tests, report.failures), (9, 1), "{xml}");
}

#[test]
fn an_interrupted_check_leaves_no_files_or_processes() {
    let directory = tempfile::tempdir().unwrap();
    let (alive, temporary) = (directory.path().join("alive"), directory.path().join("tmp"));
    nix::unistd::mkfifo(&alive, nix::sys::stat::Mode::S_IRWXU).unwrap();
    std::fs::create_dir(&temporary).unwrap();
    // The process keeps the pipe open until it exits.
    let sleeper = format!("sh -c 'exec sleep 600 > {}'", alive.display());
    let (mut command, _leases) = check(&["--cmd", &sleeper, "--script", SCRIPT]);
    let command = command.env("TMPDIR", &temporary).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let mut pipe = std::fs::File::open(&alive).unwrap();
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();

    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stderr.ends_with(b"error: interrupted\n"));
    assert_eq!(pipe.read(&mut [0]).unwrap(), 0);
    assert_eq!(std::fs::read_dir(temporary).unwrap().count(), 0);
}

/// Writes a ZIP of 120 MB, which takes a while to unpack.
fn write_large_zip(path: &Path) -> zip::result::ZipResult<()> {
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path)?);
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    zip.start_file("extension/extensionLarge.sh", options)?;
    zip.write_all(b"#!/bin/sh\n")?;
    let block = vec![0; 1 << 20];
    for i in 0..4 {
        zip.start_file(format!("extension/{i}"), options)?;
        for _ in 0..30 {
            zip.write_all(&block)?;
        }
    }
    zip.finish()?;
    Ok(())
}

#[test]
fn a_signal_while_a_zip_is_unpacked_leaves_no_files() {
    let directory = tempfile::tempdir().unwrap();
    let zip = directory.path().join("large.zip");
    write_large_zip(&zip).unwrap();
    for (command, signal) in [
        ("check", Signal::SIGTERM),
        ("check", Signal::SIGINT),
        ("dev", Signal::SIGTERM),
        ("dev", Signal::SIGINT),
    ] {
        let temporary = directory.path().join(format!("{command}-{signal}"));
        std::fs::create_dir(&temporary).unwrap();
        let (sender, changes) = mpsc::channel();
        let mut watcher = notify::recommended_watcher(sender).unwrap();
        watcher
            .watch(&temporary, RecursiveMode::NonRecursive)
            .unwrap();
        let fg = Command::new(env!("CARGO_BIN_EXE_cargo-fg"))
            .args(["fg", command, "--zip"])
            .arg(&zip)
            .env("TMPDIR", &temporary)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The temporary directory has been created.
        changes.recv().unwrap().unwrap();
        kill(Pid::from_raw(fg.id().cast_signed()), signal).unwrap();
        let output = fg.wait_with_output().unwrap();
        // Removing many files may take so long that the shutdown is reported.
        assert!(
            output.stderr.ends_with(b"error: interrupted\n"),
            "{output:?}"
        );
        let status = if command == "check" { 2 } else { 1 };
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
    }
}

#[test]
fn cases_are_listed_and_explained() {
    let output = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-fg"));
        let output = command.arg("check").args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let list = output(&["--list"]);
    assert_eq!(list.lines().count(), 48, "{list}");
    assert!(
        list.contains("\nREG-05  I  2707        listens before it registers\n"),
        "{list}"
    );
    let text = output(&["--explain", "TEL-02"]);
    assert!(
        text.starts_with("TEL-02  accepts telemetry events as the documentation shows them\n\n"),
        "{text}"
    );
    for part in [
        "\n  mark    D: documented by Huawei Cloud\n",
        "\n  source  functiongraph_06_2713 (API reference)\n",
        "\n  How to fix it:\n  Trim names, ",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_check_that_cannot_run_exits_with_status_2() {
    let python = "python3 -c 'raise OSError(98, \"in use\")'";
    for (arguments, message) in [
        (
            &["REG-10", "-p", "hello"][..],
            "error: unknown case `REG-10`; the cases are PKG-01 to PKG-15, REG-01 to REG-09, INV-01 to INV-08, FRZ-01 to FRZ-02, \
             TEL-01 to TEL-04, RES-01 to RES-04, SET-01, END-01 to END-03, BUD-01 to BUD-02\n",
        ),
        (
            &["--explain", "x"],
            "error: unknown case `x`; the cases are PKG-01",
        ),
        (&["-p", "nonsense", "REG"], "has no package `nonsense`; "),
        (
            &["--zip", "/no/such.zip"],
            "error: cannot read /no/such.zip: No such file",
        ),
        (
            &["--cmd", "no-such-program", "--script", SCRIPT],
            "error: cannot find no-such-program: No such file",
        ),
        (&["--cmd", "python3"], "--script <NAME>"),
        (&["--script", SCRIPT], "<--cmd <COMMAND>|--zip <FILE>>"),
        (
            &["--budget", "start=soon"],
            "`soon` is not a duration; write it as `start=50ms`",
        ),
        (&["--env", "FAULT"], "expected NAME=VALUE"),
        (
            &["--format", "xml"],
            "[possible values: human, json, junit]",
        ),
        // The test uses the port, not the extension.
        (
            &["--cmd", python, "--script", SCRIPT, "--format", "json"],
            "error: the extension exited before it registered, and port ",
        ),
    ] {
        let (mut command, leases) = check(arguments);
        let _listener = TcpListener::bind(("127.0.0.1", leases[0].port())).unwrap();
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains(message), "{arguments:?}: {stderr}");
        assert!(
            output.stdout.is_empty(),
            "{arguments:?}: {:?}",
            output.stdout
        );
    }
}
