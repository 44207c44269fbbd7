//! Tests of what stops a process, or a part of it: handlers that block, output that nobody reads, freezes.

use std::thread;
use std::time::{Duration, Instant};

use fg_extension_tests::{Client, Extension, Start, Stream, event, post, request};
use nix::sys::signal::Signal;

const FIXTURE: &str = env!("CARGO_BIN_EXE_fixture");
const FORWARDER: &str = env!("CARGO_BIN_EXE_forwarder");
const INVOKE: &str = "/extension/invoke";

/// Longer than any timeout that the process must not be charged with.
const FREEZE: Duration = Duration::from_millis(2500);

fn invoke(extension: &Extension, trace_id: &str) -> u16 {
    post(extension.port(), INVOKE, event(trace_id)).status
}

/// Stops the process for a while.
fn freeze(extension: &Extension) {
    extension.signal(Signal::SIGSTOP);
    thread::sleep(FREEZE);
    extension.signal(Signal::SIGCONT);
}

#[test]
fn log_lines_that_nobody_reads_do_not_block() {
    let extension = Start::new(FIXTURE).unread(Stream::Stderr).registered();
    for trace_id in ["flood", "flood", "1"] {
        assert_eq!(invoke(&extension, trace_id), 200);
    }
    assert_eq!(extension.terminate().code, Some(0));
}

#[test]
fn dropped_log_lines_are_counted() {
    let mut extension = Start::new(FIXTURE).unread(Stream::Stderr).registered();
    assert_eq!(invoke(&extension, "flood"), 200);
    extension.read_stderr();
    let (mut written, mut dropped) = (0, 0);
    // Every line is either written or counted.
    while written + dropped < 400 {
        let line = extension.error_line();
        let count = line
            .strip_prefix("WARN extensionFixture.sh: dropped ")
            .and_then(|line| line.split_once(" log line"));
        match count {
            Some((count, _)) => dropped += count.parse::<u32>().expect("a number"),
            None => {
                let end = format!(" {}", "x".repeat(1000));
                assert!(line.ends_with(&end), "{line}");
                written += 1;
            }
        }
    }
    // The queue holds 64 KB, the pipe as much, and so do the lines that the thread is writing.
    assert!((50..250).contains(&written), "{written} lines");
    // Later lines are written again.
    assert_eq!(invoke(&extension, "log"), 200);
    assert_eq!(
        extension.terminate().stderr,
        "WARN extensionFixture.sh: fixture: two\\nlines attempt=3\n"
    );
}

#[test]
fn handler_that_blocks_its_thread_is_reported() {
    let extension = Start::new(FIXTURE).registered();
    assert_eq!(invoke(&extension, "block"), 200);
    let exited = extension.terminate();
    assert_eq!(exited.code, Some(0));
    let seconds = exited
        .stderr
        .strip_prefix("WARN extensionFixture.sh: the handler blocked its thread for ")
        .and_then(|line| line.strip_suffix(" s; use spawn_blocking\n"))
        .and_then(|seconds| seconds.parse::<f64>().ok());
    assert!(seconds.is_some_and(|seconds| seconds >= 0.3), "{exited:?}");
}

#[test]
fn handler_that_blocks_past_its_timeout_has_timed_out() {
    let extension = Start::new(FORWARDER).registered();
    let response = post(extension.port(), INVOKE, event("block"));
    assert_eq!(response.status, 500);
    assert_eq!(response.json()["errorInfo"]["errorType"], "HandlerTimeout");
}

#[test]
fn sigterm_ends_a_process_whose_handler_blocks() {
    for (trace_id, unread) in [
        ("block forever", None),
        ("print forever", Some(Stream::Stdout)),
    ] {
        let mut start = Start::new(FIXTURE).env("FG_SHUTDOWN_TIMEOUT", "500ms");
        if let Some(stream) = unread {
            start = start.unread(stream);
        }
        let mut extension = start.registered();
        let mut client = Client::connect(extension.port());
        client.send(request("POST", INVOKE, event(trace_id)));
        if unread.is_none() {
            extension.wait_for(&format!("invoked {trace_id}"));
        }
        let start = Instant::now();
        let exited = extension.terminate();
        assert!(start.elapsed() >= Duration::from_millis(500));
        assert_eq!(exited.code, Some(1), "{exited:?}");
        let error = "ERROR extensionFixture.sh: the extension did not shut down within FG_SHUTDOWN_TIMEOUT (500ms): \
                     a handler blocked its thread; use spawn_blocking\n";
        assert_eq!(exited.stderr, error);
    }
}

#[test]
fn freeze_is_not_charged_to_the_timeout_of_a_handler() {
    let mut extension = Start::new(FORWARDER).registered();
    let mut client = Client::connect(extension.port());
    client.send(request("POST", INVOKE, event("hold")));
    extension.wait_for("invoked hold");
    // The timeout is 2 s.
    freeze(&extension);
    // By then, the timers that are due have fired.
    assert_eq!(invoke(&extension, "quick"), 200);
    extension.type_line("go on");
    assert_eq!(client.receive().status, 200);
    let exited = extension.terminate();
    assert_eq!((exited.code, exited.stderr.as_str()), (Some(0), ""));
}

#[test]
fn freeze_is_not_charged_to_the_shutdown() {
    let mut extension = Start::new(FIXTURE)
        .env("FG_SHUTDOWN_TIMEOUT", "2s")
        .env("FG_LOG", "info")
        .registered();
    let mut client = Client::connect(extension.port());
    client.send(request("POST", INVOKE, event("hold")));
    extension.wait_for("invoked hold");
    extension.signal(Signal::SIGTERM);
    let line = "INFO extensionFixture.sh: received SIGTERM; shutting down";
    while extension.error_line() != line {}
    freeze(&extension);
    extension.type_line("go on");
    assert_eq!(client.receive().status, 200);
    let exited = extension.wait();
    assert_eq!((exited.code, exited.stderr.as_str()), (Some(0), ""));
}

#[test]
fn panic_of_a_task_is_logged_in_one_line() {
    let extension = Start::new(FIXTURE).registered();
    assert_eq!(invoke(&extension, "task"), 200);
    let exited = extension.terminate();
    let line = exited.stderr.as_str();
    assert!(
        line.starts_with("ERROR extensionFixture.sh: a task panicked at tests/src/bin/fixture.rs:")
            && line.ends_with(": a task\\npanicked\n")
            && line.lines().count() == 1,
        "{line}"
    );
}
