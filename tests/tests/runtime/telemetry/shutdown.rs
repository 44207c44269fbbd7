//! Tests of the shutdown of an extension that receives telemetry.

use fg_extension_tests::{Client, post, request};
use nix::sys::signal::Signal;
use serde_json::json;

use super::{counters, invoke, start_interactive, telemetry};

#[test]
fn everything_acknowledged_is_delivered_before_shutdown() {
    let mut extension = start_interactive();
    let port = extension.port();
    assert_eq!(post(port, "/", "[1]").status, 200);
    extension.wait_for("call 1: [1]");
    assert_eq!(post(port, "/", "[2]").status, 200);
    extension.signal(Signal::SIGTERM);
    extension.type_line("fail");
    extension.wait_for("call 2: [1]");
    extension.type_line("go on");
    extension.wait_for("call 3: [2]");
    extension.type_line("go on");
    let exited = extension.wait();
    assert_eq!(
        (exited.code, exited.stdout.as_str()),
        (
            Some(0),
            format!("done 3\nshutdown, {}\n", counters(2, 2, 0, 0, 0)).as_str()
        )
    );
}

#[test]
fn long_queue_delays_neither_shutdown_nor_invocations() {
    let mut extension = telemetry()
        .env("HANDLER", "block")
        .env("FG_SHUTDOWN_TIMEOUT", "2s")
        .registered();
    let port = extension.port();
    // The events are too large to be delivered together. They are sent in one batch so that they arrive at once.
    let batch = json!(vec!["x".repeat(130 * 1024); 45]).to_string();
    assert_eq!(post(port, "/", &batch).status, 200);
    assert_eq!(invoke(&extension), 200);
    extension.wait_for_start_of_line("TelemetryCounters { received: 45, delivered: ");
    let exited = extension.terminate();
    assert_eq!(exited.code, Some(1));
    assert!(
        exited.stderr.ends_with(
            " acknowledged telemetry events were not delivered within FG_SHUTDOWN_TIMEOUT (2s)\n"
        ),
        "{}",
        exited.stderr
    );
}

#[test]
fn shutdown_retries_the_handler_immediately() {
    let mut extension = telemetry()
        .env("HANDLER", "ask")
        .env("FG_SHUTDOWN_TIMEOUT", "1500ms")
        .registered();
    let port = extension.port();
    assert_eq!(post(port, "/", "[1]").status, 200);
    for call in 1..=6 {
        extension.wait_for(&format!("call {call}: [1]"));
        extension.type_line("fail");
    }
    // The pause before the next retry is now longer than the shutdown timeout.
    extension.signal(Signal::SIGTERM);
    extension.wait_for("call 7: [1]");
    extension.type_line("go on");
    let exited = extension.wait();
    assert_eq!(exited.code, Some(0), "{exited:?}");
}

#[test]
fn events_lost_during_the_shutdown_are_attributed_to_their_timeout() {
    let mut extension = telemetry()
        .env("HANDLER", "fail")
        .env("FG_TELEMETRY_TIMEOUT", "50ms")
        .env("FG_SHUTDOWN_TIMEOUT", "20s")
        .registered();
    let port = extension.port();
    // The batch and the signal arrive at the same time.
    extension.signal(Signal::SIGSTOP);
    let mut client = Client::connect(port);
    client.send(request("POST", "/", "[1, 2]"));
    extension.signal(Signal::SIGTERM);
    extension.signal(Signal::SIGCONT);
    assert_eq!(client.receive().status, 200);
    extension.wait_for("call 1: [1,2]");
    let exited = extension.wait();
    assert_eq!(exited.code, Some(1));
    assert!(
        exited.stderr.ends_with(
            "ERROR extensionTelemetry.sh: 2 acknowledged telemetry events were not delivered within \
             FG_TELEMETRY_TIMEOUT\n"
        ),
        "{}",
        exited.stderr
    );
}

#[test]
fn panic_of_an_aborted_handler_is_one_line() {
    let mut extension = telemetry()
        .env("HANDLER", "hang in drop")
        .env("FG_SHUTDOWN_TIMEOUT", "200ms")
        .registered();
    assert_eq!(post(extension.port(), "/", "[1]").status, 200);
    extension.wait_for("call 1: [1]");
    let exited = extension.terminate();
    assert_eq!(exited.code, Some(1));
    let lines: Vec<_> = exited.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].starts_with(
            "ERROR extensionTelemetry.sh: telemetry: panicked at tests/src/bin/telemetry.rs:"
        ) && lines[0].ends_with(": dropped a bomb"),
        "{lines:?}"
    );
    assert!(
        lines[1].contains(" 1 acknowledged telemetry event was not delivered within "),
        "{lines:?}"
    );
}

#[test]
fn undelivered_events_are_counted_at_shutdown() {
    for (shutdown, message) in [
        (
            false,
            "ERROR extensionTelemetry.sh: 3 acknowledged telemetry events were not delivered within \
             FG_SHUTDOWN_TIMEOUT (200ms)",
        ),
        (
            true,
            "ERROR extensionTelemetry.sh: the extension failed to shut down, and 3 acknowledged telemetry events \
             were not delivered: the disk is full",
        ),
    ] {
        let mut start = telemetry()
            .env("HANDLER", "hang")
            .env("FG_SHUTDOWN_TIMEOUT", "200ms");
        if shutdown {
            start = start.env("SHUTDOWN", "fail");
        }
        let mut extension = start.registered();
        let port = extension.port();
        assert_eq!(post(port, "/", "[1]").status, 200);
        extension.wait_for("call 1: [1]");
        assert_eq!(post(port, "/", "[2, 3]").status, 200);
        let exited = extension.terminate();
        assert_eq!(
            (
                exited.code,
                exited.stdout.as_str(),
                exited.stderr.trim_end()
            ),
            (
                Some(1),
                format!("shutdown, {}\n", counters(3, 0, 0, 3, 0)).as_str(),
                message
            )
        );
    }
}
