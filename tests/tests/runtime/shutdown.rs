//! Tests of the shutdown: invocations in flight, signals, and the shutdown request.

use std::process::Command;
use std::time::Duration;

use fg_extension_tests::{Client, Extension, Start, event, post, request};
use nix::sys::signal::Signal;

const FIXTURE: &str = env!("CARGO_BIN_EXE_fixture");
const BY_HAND: &str = env!("CARGO_BIN_EXE_by_hand");
const INVOKE: &str = "/extension/invoke";

/// Starts an extension with one invocation in flight.
fn start_with_invocation_in_flight(start: Start) -> (Extension, Client) {
    let mut extension = start.registered();
    let mut client = Client::connect(extension.port());
    client.send(request("POST", INVOKE, event("hold")));
    extension.wait_for("invoked hold");
    (extension, client)
}

/// Opens a connection and sends one invocation over it.
fn idle(extension: &Extension) -> Client {
    let mut client = Client::connect(extension.port());
    assert_eq!(
        client
            .send(request("POST", INVOKE, event("1")))
            .receive()
            .status,
        200
    );
    client
}

#[test]
fn invocations_in_flight_finish_before_the_exit() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let (mut extension, mut client) =
            start_with_invocation_in_flight(Start::new(FIXTURE).env("FG_SHUTDOWN_TIMEOUT", "20s"));
        // The shutdown closes idle connections, including one that never sent a request.
        let mut idle = idle(&extension);
        let mut silent = Client::connect(extension.port());
        extension.signal(signal);
        assert!(idle.is_closed() && silent.is_closed());
        extension.type_line("go on");
        assert_eq!(client.receive().status, 200);
        let exited = extension.wait();
        assert_eq!(
            (exited.code, exited.stderr.as_str()),
            (Some(0), ""),
            "{signal}"
        );
        assert!(exited.stdout.ends_with("handled hold\n"));
    }
}

#[test]
fn signal_that_arrives_while_its_handler_is_installed_is_not_lost() {
    let directory = tempfile::tempdir().expect("a directory");
    let trace = directory.path().join("trace");
    let under_strace = |option: &str| {
        let script = format!(
            "exec strace -f -o '{}' -e trace=rt_sigaction {option} \"$0\"",
            trace.display()
        );
        Start::by_script(FIXTURE, &script)
    };
    if !Command::new("strace")
        .arg("-V")
        .output()
        .is_ok_and(|output| output.status.success())
    {
        eprintln!(
            "SKIPPED: strace is not installed, so the signal cannot be sent at the right moment"
        );
        return;
    }
    // The first run shows which call installs the handler, and the second one receives the signal right after that call.
    let extension = under_strace("").registered();
    assert_eq!(
        post(extension.port(), "/extension/shutdown", "").status,
        200
    );
    assert_eq!(extension.wait().code, Some(0));
    let calls = std::fs::read_to_string(&trace).expect("strace wrote the calls");
    let position = calls
        .lines()
        .filter(|line| line.contains("rt_sigaction("))
        .position(|line| line.contains("rt_sigaction(SIGTERM, {"))
        .expect("a handler of SIGTERM is installed");
    let inject = format!(
        "-e inject=rt_sigaction:signal=SIGTERM:when={}",
        position + 1
    );
    assert_eq!(under_strace(&inject).registered().wait().code, Some(0));
    let calls = std::fs::read_to_string(&trace).expect("strace wrote the calls");
    assert!(calls.contains("--- SIGTERM"), "no signal was sent: {calls}");
}

#[test]
fn shutdown_request_over_http_shuts_down() {
    let (mut extension, mut client) =
        start_with_invocation_in_flight(Start::new(FIXTURE).env("FG_SHUTDOWN_TIMEOUT", "20s"));
    assert_eq!(
        post(
            extension.port(),
            "/extension/shutdown",
            r#"{"reason":"idle"}"#
        )
        .status,
        200
    );
    extension.type_line("go on");
    assert_eq!(client.receive().status, 200);
    assert_eq!(extension.wait().code, Some(0));
}

#[test]
fn invocation_that_arrives_with_sigterm_is_handled() {
    // The process is stopped while both arrive, so it receives them at the same time.
    let mut extension = Start::new(FIXTURE).registered();
    let mut idle = idle(&extension);
    extension.wait_for("handled 1");
    extension.signal(Signal::SIGSTOP);
    idle.send(request("POST", INVOKE, event("2")));
    let mut new = Client::connect(extension.port());
    new.send(request("POST", INVOKE, event("3")));
    extension.signal(Signal::SIGTERM);
    extension.signal(Signal::SIGCONT);
    assert_eq!((idle.receive().status, new.receive().status), (200, 200));
    assert_eq!(extension.wait().code, Some(0));
}

#[test]
fn invocations_that_take_too_long_are_aborted_and_reported() {
    for (timeout, text) in [("160ms", "120ms"), ("0s", "0s")] {
        let (extension, mut client) = start_with_invocation_in_flight(
            Start::new(FIXTURE).env("FG_SHUTDOWN_TIMEOUT", timeout),
        );
        extension.signal(Signal::SIGTERM);
        assert_eq!(client.receive().status, 500);
        let exited = extension.wait();
        assert_eq!((exited.code, exited.stdout.as_str()), (Some(0), ""));
        assert!(
            exited
                .stderr
                .starts_with(&format!(
                "WARN extensionFixture.sh: aborted 1 invocation still in flight {text} after the shutdown started;"
            )),
            "{exited:?}"
        );
        assert_eq!(exited.stderr.lines().count(), 1, "{exited:?}");
    }
}

#[test]
fn invocations_are_queued_during_init() {
    let mut extension = Start::new(BY_HAND).env("THREADS", "2").registered();
    extension.wait_for("init");
    let mut client = Client::connect(extension.port());
    client.send(request("POST", INVOKE, event("1")));
    extension.type_line("go on");
    assert_eq!(client.receive().status, 200);
    extension.wait_for("invoked with helloWorld");
    assert_eq!(extension.terminate().code, Some(0));
}

/// Only the generated `main` ends the process.
#[test]
fn blocked_handler_is_returned_from_run() {
    for threads in ["", "2"] {
        let mut extension = Start::new(BY_HAND)
            .env("THREADS", threads)
            .env("FG_SHUTDOWN_TIMEOUT", "100ms")
            .registered();
        extension.type_line("go on");
        let mut client = Client::connect(extension.port());
        client.send(request("POST", INVOKE, event("block")));
        extension.wait_for("invoked with helloWorld");
        extension.signal(Signal::SIGTERM);
        if threads.is_empty() {
            // The generated `main` would end the process 500 ms after the timeout.
            std::thread::sleep(Duration::from_secs(2));
            extension.type_line("go on");
        }
        extension.wait_for("run returned");
        let exited = extension.wait();
        assert_eq!(exited.code, Some(3), "{exited:?}");
        let error = "the extension did not shut down within FG_SHUTDOWN_TIMEOUT (100ms): a handler blocked its thread; \
                     use spawn_blocking\n";
        assert_eq!(exited.stderr.lines().last(), Some(error.trim_end()));
    }
}

#[test]
fn failing_init_is_returned_from_run() {
    for (line, message) in [
        (
            "fail",
            "the extension failed to initialize: cannot load the secrets\n",
        ),
        ("panic", r"cannot load\nthe secrets"),
    ] {
        let mut extension = Start::new(BY_HAND).env("THREADS", "2").registered();
        extension.wait_for("init");
        let mut waiting = Client::connect(extension.port());
        waiting.send(request("POST", INVOKE, event("1")));
        extension.type_line(line);
        assert!(waiting.is_closed());
        let exited = extension.wait();
        assert_eq!(exited.code, Some(2));
        assert!(exited.stderr.contains(message), "{}", exited.stderr);
        assert_eq!(exited.stderr.lines().count(), 1, "{}", exited.stderr);
    }
}
