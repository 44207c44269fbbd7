//! Tests of extensions that cannot receive telemetry, because a port is in use or another one has subscribed.

use std::net::TcpListener;
use std::process::Command;

use super::running::{Running, TestContext, fixture, lines, stderr};

/// Returns the command `cargo fg dev` for an extension that subscribes on this port.
fn telemetry(context: &TestContext, port: u16, arguments: &[&str]) -> Command {
    let package = ["dev", "-p", "fg-extension-tests", "--bin", "telemetry"];
    let mut command = context.fg(&[&package, arguments].concat());
    command.env("FG_TELEMETRY_PORT", port.to_string());
    command
}

#[test]
fn telemetry_port_of_another_process_is_an_error() {
    let (context, other) = TestContext::with_second_port();
    let _listener = TcpListener::bind(("127.0.0.1", other.port())).unwrap();
    let mut command = telemetry(&context, other.port(), &["--invocations", "1"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{:#?}", lines(&output));
    let expected = format!(
        "error: extensionTelemetry.sh cannot listen on port {}: it is in use by {} (pid {}); give each extension its own \
         ports",
        other.port(),
        std::fs::read_to_string("/proc/self/comm").unwrap().trim(),
        std::process::id()
    );
    let stderr = stderr(&output);
    assert_eq!(stderr.lines().last(), Some(&*expected), "{stderr}");
}

#[test]
fn telemetry_port_of_another_extension_is_an_error() {
    let (context, other) = TestContext::with_second_port();
    let hello = format!(
        "extensionHello.sh={},extensionTelemetry.sh={}",
        context.lease.port(),
        other.port()
    );
    let also = format!(
        "extensionTelemetry.sh={}",
        super::super::target_directory()
            .join("debug/telemetry")
            .display()
    );
    // Builds the extension that `--also` names by its path.
    let build = telemetry(&context, other.port(), &["--invocations", "1"])
        .env("FG_EXTENSION_PORT", context.lease.port().to_string())
        .output()
        .unwrap();
    assert!(build.status.success(), "{}", stderr(&build));
    let output = context
        .fg(&["dev", "-p", "hello", "--also", &also])
        .args(["--invocations", "1"])
        .env("FG_EXTENSION_PORT", hello)
        .env("FG_TELEMETRY_PORT", context.lease.port().to_string())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = stderr(&output);
    let last = stderr.lines().last().unwrap();
    let port = context.lease.port();
    let expected = format!(
        "error: extensionTelemetry.sh cannot listen on port {port}: it is in use by hello (pid "
    );
    assert!(
        last.starts_with(&expected)
            && last.ends_with(", extensionHello.sh); give each extension its own ports"),
        "{stderr}"
    );
}

#[test]
fn conflict_is_reported_once_while_files_are_watched() {
    let (context, other) = TestContext::with_second_port();
    let _listener = TcpListener::bind(("127.0.0.1", other.port())).unwrap();
    let mut dev = Running::start(telemetry(&context, other.port(), &["--interval", "10ms"]));
    let failed = dev.line("failed extensionTelemetry.sh cannot listen on port ");
    assert!(
        failed.ends_with("; give each extension its own ports; the current instance keeps running"),
        "{failed}"
    );
    for _ in 0..5 {
        dev.line("invoked #");
    }
    let failures = dev.seen().iter().filter(|line| line.starts_with("failed "));
    assert_eq!(failures.count(), 1, "{:#?}", dev.seen());
}

#[test]
fn extension_that_tries_the_next_port_is_correct() {
    let (context, other) = TestContext::with_second_port();
    let _listener = TcpListener::bind(("127.0.0.1", other.port())).unwrap();
    let script = fixture("subscriber.py").display().to_string();
    let (port, busy) = (context.lease.port(), other.port());
    let run = format!(
        "echo port {busy} is in use, trying {port} && exec python3 '{script}' extensionA.sh {port}"
    );
    let command = shell_words::join(["sh", "-c", &run]);
    let output = context
        .fg(&["dev", "--cmd", &command, "--script", "extensionA.sh"])
        .args(["--invocations", "1"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let printed = format!("stdout port {busy} is in use, trying {port}");
    assert!(lines(&output).contains(&printed), "{:#?}", lines(&output));
    assert_eq!(stderr(&output), "");
}

#[test]
fn second_subscriber_is_an_error() {
    let (context, other) = TestContext::with_second_port();
    let script = fixture("subscriber.py").display().to_string();
    let first = format!("python3 '{script}' extensionA.sh {}", context.lease.port());
    let second = format!(
        "extensionB.sh=python3 '{script}' extensionB.sh {}",
        other.port()
    );
    let output = context
        .fg(&["dev", "--cmd", &first, "--script", "extensionA.sh"])
        .args(["--also", &second, "--invocations", "1"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{:#?}", lines(&output));
    let expected = "error: extensionB.sh receives no telemetry: extensionA.sh has already subscribed, and a function can \
                    have only one subscriber; remove one of them\n";
    assert_eq!(stderr(&output), expected);
}
