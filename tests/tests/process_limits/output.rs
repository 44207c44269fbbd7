//! Standard streams that are full, closed, or a full device, in every combination.

use std::fs::File;
use std::time::{Duration, Instant};

use fg_extension_tests::{Extension, ScriptedPlatform, ScriptedResponse, Start, Stream};

use super::ledger::Ledger;
use super::{LEDGER, boot, invoke};

/// Where a stream may lead to, as a redirection in a shell. Descriptor 9 is a pipe whose reader is gone.
const OUTPUTS: [&str; 5] = [
    // A pipe that is read.
    "",
    "/dev/full",
    "/dev/null",
    "&9",
    // Not open. The standard library opens /dev/null instead.
    "&-",
];

/// Returns a start of the extension with these streams.
fn start(stdin: &str, stdout: &str, stderr: &str) -> Start {
    let output = |descriptor, to: &str| match to {
        "" => String::new(),
        to => format!("{descriptor}>{to}"),
    };
    // The reader opens the pipe, and exits. Only then does the extension start.
    let script = format!(
        "pipe=$LEDGER.pipe; mkfifo \"$pipe\"; : <\"$pipe\" & exec 9>\"$pipe\"; wait; \
         exec \"$0\" {stdin} {} {}",
        output(1, stdout),
        output(2, stderr)
    );
    Start::by_script(LEDGER, &script)
}

/// Invokes the extension, posts telemetry, and shuts it down. Everything must work, and in time.
#[track_caller]
fn assert_works(extension: Extension, ledger: &Ledger, what: &str) {
    for trace_id in ["1", "log", "flood", "1"] {
        assert_eq!(invoke(&extension, trace_id), 200, "{what}");
        assert_eq!(ledger.post(extension.port(), 3), 200, "{what}");
    }
    let start = Instant::now();
    let exited = extension.terminate();
    // The shutdown has 2 s, and the log 200 ms.
    let elapsed = start.elapsed();
    assert!(elapsed < Duration::from_secs(8), "{what}: {elapsed:?}");
    let balance = ledger.assert_balanced(&exited);
    assert_eq!((balance.acknowledged, balance.lost), (12, 0), "{what}");
}

#[test]
fn extension_works_whatever_its_streams_are() {
    for (i, stdout) in OUTPUTS.into_iter().enumerate() {
        for (j, stderr) in OUTPUTS.into_iter().enumerate() {
            // Not open in every second combination.
            let stdin = ["", "<&-"][(i + j) % 2];
            let ledger = Ledger::new();
            let what = format!("{stdin} 1>{stdout} 2>{stderr}");
            let extension = boot(start(stdin, stdout, stderr), &ledger);
            assert_works(extension, &ledger, &what);
        }
    }
}

#[test]
fn extension_works_if_nobody_reads_its_output() {
    for (script, stream) in [
        ("exec \"$0\"", Stream::Stderr),
        ("exec \"$0\" 2>&1", Stream::Stdout),
        // A parent may have made the pipe non-blocking.
        (
            "python3 -c 'import os; os.set_blocking(2, False)' && exec \"$0\"",
            Stream::Stderr,
        ),
    ] {
        let ledger = Ledger::new();
        let start = Start::by_script(LEDGER, script).unread(stream);
        let extension = boot(start, &ledger);
        // The pipe is full before anything else is tried.
        assert_eq!(invoke(&extension, "flood"), 200, "{script}");
        assert_works(extension, &ledger, script);
    }
}

/// After a write to a pipe without a reader has failed, later lines are written.
#[test]
fn log_is_written_to_a_reader_that_comes_later() {
    let ledger = Ledger::new();
    let pipe = ledger.file() + ".pipe";
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("coreutils are installed").success());
    // Either side waits for the other to open the pipe.
    let path = pipe.clone();
    let reader = std::thread::spawn(move || File::open(path).expect("the pipe exists"));
    let start = Start::by_script(LEDGER, "exec \"$0\" 2>\"$LEDGER.pipe\"");
    let extension = boot(start, &ledger);
    drop(reader.join().expect("no panic"));
    for trace_id in ["log", "1", "1", "log", "1", "1"] {
        assert_eq!(invoke(&extension, trace_id), 200);
        assert_eq!(ledger.post(extension.port(), 1), 200);
    }
    let mut reader = File::open(&pipe).expect("the pipe exists");
    assert_eq!(invoke(&extension, "log"), 200);
    let exited = extension.terminate();
    // The pipe ends now, so this does not wait.
    let log = std::io::read_to_string(&mut reader).expect("the log can be read");
    assert!(log.ends_with(": a line\n"), "{log}");
    assert_eq!(ledger.assert_balanced(&exited).acknowledged, 6);
}

/// The status is correct even if the reason cannot be printed.
#[test]
fn exit_status_says_so_if_the_log_cannot() {
    for stderr in OUTPUTS {
        // The start-up fails.
        let ledger = Ledger::new();
        let rejecting =
            ScriptedPlatform::start([ScriptedResponse::status("400 Bad Request", "no")]);
        let exited = start("", "", stderr)
            .env("LEDGER", ledger.file())
            .with(&rejecting)
            .run();
        assert_eq!(exited.code, Some(1), "2>{stderr}: {exited:?}");
        let is_printed = exited.stderr.contains(" rejected the registration ");
        assert_eq!(is_printed, stderr.is_empty(), "{exited:?}");

        // Acknowledged telemetry is lost.
        let ledger = Ledger::new();
        let hanging = start("", "", stderr)
            .env("HANDLER", "hang")
            .env("FG_SHUTDOWN_TIMEOUT", "100ms");
        let extension = boot(hanging, &ledger);
        assert_eq!(ledger.post(extension.port(), 3), 200);
        let exited = extension.terminate();
        assert_eq!(exited.code, Some(1), "2>{stderr}: {exited:?}");
        assert_eq!(ledger.count(), 0);
        if stderr.is_empty() {
            assert_eq!(ledger.assert_balanced(&exited).lost, 3);
        }
    }
    // Nobody reads the pipe, which is full.
    let ledger = Ledger::new();
    let hanging = Start::new(LEDGER)
        .unread(Stream::Stderr)
        .env("HANDLER", "hang")
        .env("FG_SHUTDOWN_TIMEOUT", "100ms");
    let extension = boot(hanging, &ledger);
    assert_eq!(invoke(&extension, "flood"), 200);
    assert_eq!(ledger.post(extension.port(), 3), 200);
    assert_eq!(extension.terminate().code, Some(1));
}
