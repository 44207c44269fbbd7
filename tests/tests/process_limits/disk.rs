//! A full disk: the example `telemetry-archive` writes to /dev/full, and to a small file system.

use std::fs;
use std::process::Command;

use fg_extension_tests::{ExitedProcess, ScriptedPlatform, ScriptedResponse, Start, post};
use nix::sys::signal::Signal;

use super::report_skipped;

const ARCHIVE: &str = env!("CARGO_BIN_EXE_telemetry_archive");

/// The start of the last line of an extension that has lost this many events.
fn lost(events: usize) -> String {
    format!(
        "ERROR extensionTelemetryArchive.sh: {events} acknowledged telemetry events were not delivered within "
    )
}

#[track_caller]
fn assert_lost(exited: &ExitedProcess, events: usize, timeout: &str) {
    assert_eq!(exited.code, Some(1), "{exited:?}");
    let last = exited.stderr.lines().last().unwrap_or_default();
    assert_eq!(last, lost(events) + timeout);
    assert!(
        exited.stderr.contains("No space left on device"),
        "{exited:?}"
    );
    assert!(!exited.stderr.contains("panicked"), "{exited:?}");
}

#[test]
fn events_that_no_disk_stores_are_reported_as_lost() {
    for (timeout, at_shutdown) in [("100ms", false), ("10s", true)] {
        let platform = ScriptedPlatform::start([ScriptedResponse::registered()]);
        let mut extension = Start::new(ARCHIVE)
            .env("ARCHIVE_FILE", "/dev/full")
            .env("FG_TELEMETRY_TIMEOUT", timeout)
            .env("FG_SHUTDOWN_TIMEOUT", "1s")
            .with(&platform)
            .start();
        let _ = (platform.request(), platform.request());
        assert_eq!(post(extension.port(), "/", "[1, 2]").status, 200);
        // The events are lost before the shutdown, or not.
        while !at_shutdown && !extension.error_line().contains(" lost: ") {}
        extension.signal(Signal::SIGTERM);
        let exited = extension.wait();
        if at_shutdown {
            assert_lost(&exited, 2, "FG_SHUTDOWN_TIMEOUT (1s)");
        } else {
            assert_eq!(exited.code, Some(1), "{exited:?}");
            let expected = lost(2) + "FG_TELEMETRY_TIMEOUT\n";
            assert_eq!(exited.stderr, expected);
        }
    }
}

/// Starts the example in a mount namespace with a file system of 64 KB. Returns `None` if that is not allowed.
///
/// The file system can be read through the working directory of the process.
fn start_on_small_disk(test: &str) -> Option<(Start, ScriptedPlatform)> {
    let mount = "mount -t tmpfs -o size=64k tmpfs /mnt";
    let allowed = Command::new("unshare")
        .args(["--mount", "sh", "-c", mount])
        .output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        report_skipped(test, "`unshare --mount` or mounting a tmpfs is not allowed");
        return None;
    }
    let platform = ScriptedPlatform::start([ScriptedResponse::registered()]);
    let script = format!("{mount} && cd /mnt && exec \"$0\"");
    let start = Start::new("unshare")
        .args(["--mount", "sh", "-c", &script, ARCHIVE])
        .env("ARCHIVE_FILE", "/mnt/archive")
        .env("FG_SHUTDOWN_TIMEOUT", "1s")
        .with(&platform);
    Some((start, platform))
}

/// A batch of one event of about this many bytes, which is the number `n` and padding.
fn batch(n: usize, bytes: usize) -> String {
    format!("[\"{n} {}\"]", "x".repeat(bytes))
}

/// Returns the numbers of the events in the file, each of which must be complete.
fn archived(text: &str) -> Vec<usize> {
    assert!(text.is_empty() || text.ends_with('\n'), "a line is cut");
    text.lines()
        .map(|line| {
            let event = line
                .strip_prefix('"')
                .and_then(|line| line.strip_suffix('"'));
            let number = event.and_then(|event| event.split(' ').next()?.parse().ok());
            number.unwrap_or_else(|| panic!("a part of an event: {line}"))
        })
        .collect()
}

#[test]
fn archive_on_a_small_disk_has_only_whole_events_and_the_rest_is_reported() {
    let test = "archive_on_a_small_disk_has_only_whole_events_and_the_rest_is_reported";
    let Some((start, platform)) = start_on_small_disk(test) else {
        return;
    };
    let extension = start.start();
    let _ = (platform.request(), platform.request());
    // Opened now, so that it can be read when the process, and with it the file system, is gone.
    let path = format!("/proc/{}/cwd/archive", extension.id());
    let mut file = fs::File::open(path).expect("the file was created by `init`");
    for n in 0..10 {
        assert_eq!(post(extension.port(), "/", batch(n, 10_000)).status, 200);
    }
    let exited = extension.terminate();
    let text = std::io::read_to_string(&mut file).expect("the file can be read");
    let archived = archived(&text);
    // Of 64 KB.
    assert_eq!(archived, (0..6).collect::<Vec<_>>());
    assert_lost(&exited, 10 - archived.len(), "FG_SHUTDOWN_TIMEOUT (1s)");
}

#[test]
fn archive_continues_when_the_disk_has_space_again() {
    let test = "archive_continues_when_the_disk_has_space_again";
    let Some((start, platform)) = start_on_small_disk(test) else {
        return;
    };
    let mut extension = start.env("FG_SHUTDOWN_TIMEOUT", "15s").start();
    let _ = (platform.request(), platform.request());
    let directory = format!("/proc/{}/cwd", extension.id());
    let mut file = fs::File::open(format!("{directory}/archive")).expect("`init` created it");
    let other = format!("{directory}/other");
    fs::write(&other, vec![0; 48 * 1024]).expect("there is space");
    for n in 0..4 {
        assert_eq!(post(extension.port(), "/", batch(n, 10_000)).status, 200);
    }
    while !extension.error_line().contains("No space left on device") {}
    fs::remove_file(&other).expect("the file exists");
    let exited = extension.terminate();
    assert_eq!(exited.code, Some(0), "{exited:?}");
    let text = std::io::read_to_string(&mut file).expect("the file can be read");
    assert_eq!(archived(&text), [0, 1, 2, 3]);
}
