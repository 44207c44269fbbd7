//! Tests of the lifecycle of an extension with state: `init`, invocations with a timeout, `shutdown`.

use fg_extension_tests::{Client, ScriptedPlatform, ScriptedResponse, Start, event, post, request};
use nix::sys::signal::Signal;

const FORWARDER: &str = env!("CARGO_BIN_EXE_forwarder");
const INVOKE: &str = "/extension/invoke";

fn forwarder() -> Start {
    Start::new(FORWARDER)
}

#[test]
fn shutdown_runs_once_after_the_last_invocation() {
    for by_http in [false, true] {
        let mut extension = forwarder().registered();
        let mut client = Client::connect(extension.port());
        client.send(request("POST", INVOKE, event("hold")));
        extension.wait_for("invoked hold");
        if by_http {
            assert_eq!(
                post(extension.port(), "/extension/shutdown", "").status,
                200
            );
        } else {
            extension.signal(Signal::SIGTERM);
        }
        extension.type_line("go on");
        assert_eq!(client.receive().status, 200);
        let exited = extension.wait();
        assert_eq!(
            (exited.code, exited.stdout.as_str(), exited.stderr.as_str()),
            (
                Some(0),
                "handled hold\nshutdown of helloWorld after 1\n",
                ""
            )
        );
    }
}

#[test]
fn failing_init_exits_with_status_1() {
    for (behavior, message) in [
        ("fail", r"cannot load\nthe secrets"),
        ("panic", "panicked at tests/src/bin/forwarder.rs:"),
    ] {
        let platform = ScriptedPlatform::start([ScriptedResponse::registered()]);
        let exited = forwarder().env("INIT", behavior).with(&platform).run();
        assert_eq!((exited.code, exited.stdout.as_str()), (Some(1), "init\n"));
        let line = exited.stderr.as_str();
        assert!(
            line.starts_with(&format!(
                "ERROR extensionForwarder.sh: the extension failed to initialize: {message}"
            )),
            "{line}"
        );
        assert_eq!(line.lines().count(), 1, "{line}");
    }
}

#[test]
fn sigterm_during_init_exits_without_shutdown() {
    let mut extension = forwarder().env("INIT", "hang").registered();
    extension.wait_for("init");
    let exited = extension.terminate();
    assert_eq!((exited.code, exited.stdout.as_str()), (Some(0), ""));
}

#[test]
fn failing_shutdown_is_reported_and_exits_with_status_1() {
    for (behavior, message) in [
        (
            "fail",
            "the extension failed to shut down: the disk is full\n",
        ),
        (
            "panic",
            "the extension failed to shut down: panicked at tests/src/bin/forwarder.rs:",
        ),
        (
            "bomb",
            "the extension failed to shut down: panicked at tests/src/bin/forwarder.rs:",
        ),
        (
            "hang",
            "the extension did not shut down within FG_SHUTDOWN_TIMEOUT (200ms)\n",
        ),
    ] {
        let mut extension = forwarder()
            .env("SHUTDOWN", behavior)
            .env("FG_SHUTDOWN_TIMEOUT", "200ms")
            .registered();
        extension.wait_for("init");
        let exited = extension.terminate();
        assert_eq!(
            (exited.code, exited.stdout.as_str()),
            (Some(1), "shutdown of helloWorld after 0\n"),
            "{exited:?}"
        );
        let line = exited.stderr.as_str();
        assert!(
            line.starts_with(&format!("ERROR extensionForwarder.sh: {message}")),
            "{line}"
        );
        assert_eq!(line.lines().count(), 1, "{line}");
    }
}

#[test]
fn hanging_handler_leaves_time_for_shutdown() {
    let mut extension = forwarder().env("FG_SHUTDOWN_TIMEOUT", "100ms").registered();
    let mut client = Client::connect(extension.port());
    client.send(request("POST", INVOKE, event("hang")));
    extension.wait_for("invoked hang");
    extension.signal(Signal::SIGTERM);
    let response = client.receive();
    assert_eq!(response.status, 500);
    assert_eq!(
        response.json(),
        serde_json::json!({"errorInfo": {
            "errorType": "ShuttingDown",
            "errorMessage": "the extension shut down before the handler completed",
        }})
    );
    let exited = extension.wait();
    assert_eq!(
        (exited.code, exited.stdout.as_str()),
        (Some(0), "dropped\nshutdown of helloWorld after 0\n")
    );
    let line = exited.stderr.as_str();
    assert!(
        line.starts_with(
            "WARN extensionForwarder.sh: aborted 1 invocation still in flight 75ms after the shutdown started; FG_SHUTDOWN_TIMEOUT is 100ms"
        ),
        "{line}"
    );
    assert_eq!(line.lines().count(), 1, "{line}");
}

#[test]
fn panic_of_an_aborted_handler_is_reported() {
    let mut extension = forwarder().env("FG_SHUTDOWN_TIMEOUT", "100ms").registered();
    let mut client = Client::connect(extension.port());
    client.send(request("POST", INVOKE, event("bomb")));
    extension.wait_for("invoked bomb");
    extension.signal(Signal::SIGTERM);
    let response = client.receive();
    assert_eq!(response.status, 500);
    assert_eq!(response.json()["errorInfo"]["errorType"], "HandlerPanic");
    let exited = extension.wait();
    assert_eq!(
        (exited.code, exited.stdout.as_str()),
        (Some(0), "dropped\nshutdown of helloWorld after 0\n")
    );
    let lines: Vec<_> = exited.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{}", exited.stderr);
    assert!(
        lines[1].starts_with(
            "ERROR extensionForwarder.sh: an aborted invocation failed: panicked at tests/src/bin/forwarder.rs:"
        ) && lines[1].ends_with(": dropped a bomb"),
        "{}",
        lines[1]
    );
}

#[test]
fn handlers_are_dropped_before_shutdown_runs() {
    let mut extension = forwarder().env("FG_SHUTDOWN_TIMEOUT", "0s").registered();
    let mut client = Client::connect(extension.port());
    client.send(request("POST", INVOKE, event("hang")));
    extension.wait_for("invoked hang");
    let exited = extension.terminate();
    assert_eq!(
        (exited.code, exited.stdout.as_str()),
        (Some(0), "dropped\nshutdown of helloWorld after 0\n")
    );
}

#[test]
fn invocation_that_is_incomplete_during_shutdown_is_not_handled() {
    let mut extension = forwarder()
        .env("FG_SHUTDOWN_TIMEOUT", "3s")
        .env("SHUTDOWN", "hang")
        .registered();
    let event = request("POST", INVOKE, event("late"));
    let mut client = Client::connect(extension.port());
    client.send(&event[..event.len() - 5]);
    extension.wait_for("init");
    extension.signal(Signal::SIGTERM);
    extension.wait_for("shutdown of helloWorld after 0");
    assert!(client.is_closed());
    assert_eq!(extension.wait().stdout, "");
}

#[test]
fn handler_is_dropped_at_its_timeout() {
    let mut extension = forwarder().registered();
    let response = post(extension.port(), INVOKE, event("hang"));
    assert_eq!(response.status, 500);
    assert_eq!(
        response.json(),
        serde_json::json!({"errorInfo": {
            "errorType": "HandlerTimeout",
            "errorMessage": "the handler exceeded its timeout of 2s",
        }})
    );
    extension.wait_for("dropped");
    assert_eq!(post(extension.port(), INVOKE, event("quick")).status, 200);
    let exited = extension.terminate();
    assert_eq!(
        (exited.code, exited.stderr.as_str()),
        (
            Some(0),
            "ERROR extensionForwarder.sh: invocation hang failed: the handler exceeded its timeout of 2s\n"
        )
    );
}
