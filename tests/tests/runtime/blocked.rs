//! Tests of what stops a process, or a part of it: handlers that block, output that nobody reads, freezes, panics.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use fg_extension_tests::{
    Client, ExitedProcess, Extension, ScriptedPlatform, ScriptedResponse, Start, Stream, event,
    post, request,
};
use nix::sys::signal::Signal;

const FIXTURE: &str = env!("CARGO_BIN_EXE_fixture");
const FORWARDER: &str = env!("CARGO_BIN_EXE_forwarder");
const TELEMETRY: &str = env!("CARGO_BIN_EXE_telemetry");
const PANICKING_SUBSCRIBER: &str = env!("CARGO_BIN_EXE_panicking_subscriber");
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

/// Asserts that the only line is a warning that this method blocked its thread.
#[track_caller]
fn assert_reported(exited: &ExitedProcess, subject: &str) {
    assert_eq!(exited.code, Some(0), "{exited:?}");
    let seconds = exited
        .stderr
        .split_once(&format!(".sh: {subject} blocked its thread for "))
        .filter(|(before, _)| before.starts_with("WARN extension") && !before.contains('\n'))
        .and_then(|(_, line)| line.strip_suffix(" s; use spawn_blocking\n"))
        .and_then(|seconds| seconds.parse::<f64>().ok());
    assert!(seconds.is_some_and(|seconds| seconds >= 0.1), "{exited:?}");
}

#[test]
fn method_that_blocks_its_thread_is_reported() {
    let extension = Start::new(FIXTURE).registered();
    assert_eq!(invoke(&extension, "block"), 200);
    assert_reported(&extension.terminate(), "the handler");

    for method in ["INIT", "SHUTDOWN"] {
        let extension = Start::new(FORWARDER)
            .env(method, "block")
            .env("FG_SHUTDOWN_TIMEOUT", "20s")
            .registered();
        assert_eq!(invoke(&extension, "1"), 200);
        let exited = extension.terminate();
        match method {
            "INIT" => assert_reported(&exited, "`init`"),
            // Nothing else needs the thread by then.
            _ => assert_eq!((exited.code, exited.stderr.as_str()), (Some(0), "")),
        }
    }

    let mut extension = Start::new(TELEMETRY)
        .env("HANDLER", "block for long")
        .registered();
    assert_eq!(post(extension.port(), "/", "[1]").status, 200);
    extension.wait_for("done 1");
    assert_reported(&extension.terminate(), "`telemetry`");
}

/// The handler needs little time, but has to wait for it.
#[test]
fn handler_without_cpu_is_not_reported() {
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    let cpus = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .expect("the status contains the CPUs");
    let cpu = cpus.trim().split([',', '-']).next().expect("there is one");
    let mut busy = Command::new("taskset")
        .args(["-c", cpu, "sh", "-c", "while :; do :; done"])
        .spawn()
        .expect("util-linux is installed");
    let extension = Start::new("taskset")
        .args(["-c", cpu, "nice", "-n", "10", FIXTURE])
        .registered();
    let start = Instant::now();
    for _ in 0..3 {
        assert_eq!(invoke(&extension, "compute"), 200);
    }
    let elapsed = start.elapsed();
    let exited = extension.terminate();
    busy.kill().expect("the process runs");
    busy.wait().expect("the process ends");
    // Otherwise, the CPU was free.
    assert!(elapsed > Duration::from_millis(300), "{elapsed:?}");
    assert_eq!((exited.code, exited.stderr.as_str()), (Some(0), ""));
}

/// The freeze begins before the second thread has noticed anything.
#[test]
fn freeze_during_init_is_not_reported() {
    let mut extension = Start::new(FORWARDER).env("INIT", "ask").registered();
    extension.wait_for("init");
    freeze(&extension);
    extension.type_line("go on");
    assert_eq!(invoke(&extension, "quick"), 200);
    let exited = extension.terminate();
    assert_eq!(exited.code, Some(0));
    // The time after the freeze may be long enough for a report.
    assert!(!exited.stderr.contains("for 2."), "{exited:?}");
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
        // A signal that arrives during the start-up would end the process with status 0.
        assert_eq!(invoke(&extension, "1"), 200);
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
    let response = client.receive();
    assert_eq!(response.status, 200, "{}", response.json());
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

/// The subscription, the delivery and the listener are started again if the author's `tracing` subscriber panics.
#[test]
fn panic_of_a_part_of_the_runtime_does_not_stop_it() {
    let start = |panic_at: &str, first: ScriptedResponse| {
        let responses = [ScriptedResponse::registered(), first];
        let platform = ScriptedPlatform::start(
            responses
                .into_iter()
                .chain([ScriptedResponse::status("200 OK", "{}")]),
        );
        let extension = Start::with_telemetry_port(PANICKING_SUBSCRIBER)
            .with(&platform)
            .env("PANIC_AT", panic_at);
        let telemetry_port = extension.telemetry_port();
        (extension.start(), telemetry_port)
    };
    let panicked = "panicked at tests/src/bin/panicking_subscriber.rs:";

    let (mut extension, _) = start("subscription attempt 1 failed", ScriptedResponse::Close);
    extension.wait_for_start_of_line("subscription attempt 1 failed");
    extension.wait_for_start_of_line(&format!("a task {panicked}"));
    extension.wait_for_start_of_line("subscribed to telemetry");
    assert_eq!(extension.terminate().code, Some(0));

    let subscribed = || ScriptedResponse::status("200 OK", "{}");
    let (mut extension, port) = start("the handler failed", subscribed());
    extension.wait_for_start_of_line("subscribed to telemetry");
    assert_eq!(post(port, "/", "[1, 2]").status, 200);
    extension.wait_for_start_of_line(&format!("telemetry: {panicked}"));
    extension.wait_for("2 events, 0 lost");
    assert_eq!(extension.terminate().code, Some(0));

    let (mut extension, port) = start("cannot accept connections", subscribed());
    extension.wait_for_start_of_line("subscribed to telemetry");
    extension.limit_descriptors(3);
    let mut clients = [Client::connect(extension.port()), Client::connect(port)];
    extension.wait_for_start_of_line(&format!("a task {panicked}"));
    extension.limit_descriptors(100);
    for (client, path) in clients.iter_mut().zip([INVOKE, "/"]) {
        let body = if path == "/" {
            "[1]".to_owned()
        } else {
            event("1")
        };
        assert_eq!(
            client.send(request("POST", path, body)).receive().status,
            200
        );
    }
    assert_eq!(extension.terminate().code, Some(0));
}

#[test]
fn closed_output_does_not_stop_an_extension() {
    for (script, status) in [
        // A closed descriptor is replaced by /dev/null at the start.
        (r#""$0" <&- >&- 2>&-; echo "status $?""#, 200),
        // `println!` panics if the reader is gone. Log lines are lost.
        (r#"exec 3>&1; { "$0"; echo "status $?" >&3; } | :"#, 500),
        (
            r#"exec 3>&1; { "$0"; echo "status $?" >&3; } 2>&1 >/dev/null | :"#,
            200,
        ),
    ] {
        let extension = Start::by_script(FIXTURE, script).registered();
        // The reader may still be there at first.
        while invoke(&extension, "1") != status {}
        for trace_id in ["1", "log"] {
            assert_eq!(invoke(&extension, trace_id), status, "{script}");
        }
        assert_eq!(
            post(extension.port(), "/extension/shutdown", "").status,
            200
        );
        let exited = extension.wait();
        assert!(
            exited.stdout.ends_with("status 0\n"),
            "{script}: {exited:?}"
        );
    }
}
