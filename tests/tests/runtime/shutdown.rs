//! The end of an extension.

use fg_extension_tests::{Client, Extension, Start, event, post, request};
use nix::sys::signal::Signal;

const FIXTURE: &str = env!("CARGO_BIN_EXE_fixture");
const BY_HAND: &str = env!("CARGO_BIN_EXE_by_hand");
const INVOKE: &str = "/extension/invoke";

/// An extension with one invocation in flight.
fn start_with_pending_request(start: Start) -> (Extension, Client) {
    let mut extension = start.registered();
    let mut client = Client::connect(extension.port());
    client.send(request("POST", INVOKE, event("hold")));
    extension.wait_for("invoked hold");
    (extension, client)
}

/// A connection that has been used.
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
fn requests_in_flight_are_finished() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let (mut extension, mut client) =
            start_with_pending_request(Start::new(FIXTURE).env("FG_SHUTDOWN_TIMEOUT", "20s"));
        // A connection that idles is closed at the end, and so is one that never said anything.
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
fn platform_requests_shutdown_over_http() {
    let (mut extension, mut client) =
        start_with_pending_request(Start::new(FIXTURE).env("FG_SHUTDOWN_TIMEOUT", "20s"));
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
fn event_that_arrives_with_sigterm_is_handled() {
    // The process is stopped while both arrive, so it finds them together.
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
fn unfinished_requests_are_aborted_and_reported() {
    for (timeout, text) in [("160ms", "120ms"), ("0s", "0s")] {
        let (extension, mut client) =
            start_with_pending_request(Start::new(FIXTURE).env("FG_SHUTDOWN_TIMEOUT", timeout));
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
fn events_are_queued_during_init() {
    let mut extension = Start::new(BY_HAND).registered();
    extension.wait_for("init");
    let mut client = Client::connect(extension.port());
    client.send(request("POST", INVOKE, event("1")));
    extension.type_line("go on");
    assert_eq!(client.receive().status, 200);
    extension.wait_for("invoked beside helloWorld");
    assert_eq!(extension.terminate().code, Some(0));
}

#[test]
fn failing_init_is_returned_from_run() {
    for (line, message) in [
        (
            "fail",
            "the extension failed to initialize: no secrets to be had\n",
        ),
        ("panic", r"no secrets\nto be had"),
    ] {
        let mut extension = Start::new(BY_HAND).registered();
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
