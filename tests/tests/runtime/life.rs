//! The life of an extension with state: `init`, invocations with a timeout, `shutdown`.

use fg_extension_tests::{Answer, Client, ScriptedPlatform, Start, event, post, request};
use nix::sys::signal::Signal;

const FORWARDER: &str = env!("CARGO_BIN_EXE_forwarder");
const INVOKE: &str = "/extension/invoke";

fn forwarder() -> Start {
    Start::new(FORWARDER)
}

#[test]
fn shutdown_comes_once_after_the_last_invocation() {
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
        let ended = extension.wait();
        assert_eq!(
            (ended.code, ended.stdout.as_str(), ended.stderr.as_str()),
            (
                Some(0),
                "handled hold\nshutdown of helloWorld after 1\n",
                ""
            )
        );
    }
}

#[test]
fn failing_init_ends_the_process() {
    for (how, told) in [
        ("fail", r"no secrets\nto be had"),
        ("panic", "panicked at tests/src/bin/forwarder.rs:"),
    ] {
        let platform = ScriptedPlatform::start([Answer::registered()]);
        let ended = forwarder().env("INIT", how).with(&platform).run();
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), "init\n"));
        let line = ended.stderr.as_str();
        assert!(
            line.starts_with(&format!(
                "ERROR extensionForwarder.sh: the extension failed to initialise: {told}"
            )),
            "{line}"
        );
        assert_eq!(line.lines().count(), 1, "{line}");
    }
}

#[test]
fn end_before_init_is_done_has_nothing_to_shut_down() {
    let mut extension = forwarder().env("INIT", "hang").registered();
    extension.wait_for("init");
    let ended = extension.terminate();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
}

#[test]
fn failing_shutdown_is_told() {
    for (how, told) in [
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
            "the extension did not shut down in time; FG_SHUTDOWN_TIMEOUT, 200ms, sets how long the shutdown may take\n",
        ),
    ] {
        let mut extension = forwarder()
            .env("SHUTDOWN", how)
            .env("FG_SHUTDOWN_TIMEOUT", "200ms")
            .registered();
        extension.wait_for("init");
        let ended = extension.terminate();
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(1), "shutdown of helloWorld after 0\n"),
            "{ended:?}"
        );
        let line = ended.stderr.as_str();
        assert!(
            line.starts_with(&format!("ERROR extensionForwarder.sh: {told}")),
            "{line}"
        );
        assert_eq!(line.lines().count(), 1, "{line}");
    }
}

#[test]
fn handler_that_hangs_leaves_time_for_shutdown() {
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
            "errorMessage": "the extension ended before its handler did",
        }})
    );
    let ended = extension.wait();
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), "dropped\nshutdown of helloWorld after 0\n")
    );
    let line = ended.stderr.as_str();
    assert!(
        line.starts_with(
            "WARN extensionForwarder.sh: aborted what was still in flight 75ms after the shutdown began, invocations: 1; "
        ),
        "{line}"
    );
    assert_eq!(line.lines().count(), 1, "{line}");
}

#[test]
fn handler_that_panics_as_it_is_given_up_is_told() {
    let mut extension = forwarder().env("FG_SHUTDOWN_TIMEOUT", "100ms").registered();
    let mut client = Client::connect(extension.port());
    client.send(request("POST", INVOKE, event("bomb")));
    extension.wait_for("invoked bomb");
    extension.signal(Signal::SIGTERM);
    let response = client.receive();
    assert_eq!(response.status, 500);
    assert_eq!(response.json()["errorInfo"]["errorType"], "HandlerPanic");
    let ended = extension.wait();
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), "dropped\nshutdown of helloWorld after 0\n")
    );
    let lines: Vec<_> = ended.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{}", ended.stderr);
    assert!(
        lines[1].starts_with(
            "ERROR extensionForwarder.sh: an invocation that was aborted failed: panicked at tests/src/bin/forwarder.rs:"
        ) && lines[1].ends_with(": dropped a bomb"),
        "{}",
        lines[1]
    );
}

#[test]
fn handlers_end_before_shutdown_even_without_time() {
    let mut extension = forwarder().env("FG_SHUTDOWN_TIMEOUT", "0s").registered();
    let mut client = Client::connect(extension.port());
    client.send(request("POST", INVOKE, event("hang")));
    extension.wait_for("invoked hang");
    let ended = extension.terminate();
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(0), "dropped\nshutdown of helloWorld after 0\n")
    );
}

#[test]
fn event_that_arrives_beside_shutdown_is_not_handled() {
    let mut extension = forwarder()
        .env("FG_SHUTDOWN_TIMEOUT", "3s")
        .env("SHUTDOWN", "hang")
        .registered();
    let event = request("POST", INVOKE, event("late"));
    let (first, rest) = event.split_at(event.len() - 5);
    let mut client = Client::connect(extension.port());
    client.send(first);
    extension.wait_for("init");
    extension.signal(Signal::SIGTERM);
    extension.wait_for("shutdown of helloWorld after 0");
    let response = client.send(rest).receive();
    assert_eq!(response.status, 500);
    assert_eq!(response.json()["errorInfo"]["errorType"], "ShuttingDown");
    assert_eq!(extension.wait().stdout, "");
}

#[test]
fn handler_that_takes_too_long_is_dropped() {
    let mut extension = forwarder().registered();
    let response = post(extension.port(), INVOKE, event("hang"));
    assert_eq!(response.status, 500);
    assert_eq!(
        response.json(),
        serde_json::json!({"errorInfo": {
            "errorType": "HandlerTimeout",
            "errorMessage": "it took longer than its timeout, 2s",
        }})
    );
    extension.wait_for("dropped");
    assert_eq!(post(extension.port(), INVOKE, event("quick")).status, 200);
    let ended = extension.terminate();
    assert_eq!(
        (ended.code, ended.stderr.as_str()),
        (
            Some(0),
            "ERROR extensionForwarder.sh: invocation hang failed: it took longer than its timeout, 2s\n"
        )
    );
}
