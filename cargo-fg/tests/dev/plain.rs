//! Lines for humans, without a terminal.

use std::net::TcpListener;
use std::process::Stdio;

use nix::sys::signal::Signal;

use super::running::{Running, TestContext, fixture, lines, stderr};

#[test]
fn stops_after_the_given_number_of_invocations() {
    let context = TestContext::new();
    let output = context
        .fg(&["dev", "-p", "hello", "--invocations", "3"])
        .output()
        .unwrap();
    let lines = lines(&output);
    assert!(output.status.success(), "{output:?}");
    assert!(
        lines[0].starts_with("platform EXTENSION_API_ADDR=127.0.0.1:"),
        "{lines:?}"
    );
    let registered = format!(
        "registered extensionHello.sh at 127.0.0.1:{}, ",
        context.lease.port()
    );
    assert!(lines[1].starts_with(&registered), "{lines:?}");
    let mut trace_ids = Vec::new();
    for (i, line) in lines
        .iter()
        .filter_map(|line| line.strip_prefix("invoked #"))
        .enumerate()
    {
        let [number, trace_id, status, ..] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        assert_eq!(
            (number, status),
            ((i + 1).to_string().as_str(), "200"),
            "{line}"
        );
        let printed =
            format!("stdout {trace_id} invoked sn:cn:yrk:1111:function:0@test@hello:latest");
        assert!(lines.contains(&printed), "{lines:?}");
        trace_ids.push(trace_id.to_owned());
    }
    trace_ids.sort();
    trace_ids.dedup();
    assert_eq!(trace_ids.len(), 3, "{lines:?}");
    let last = lines.last().unwrap();
    assert!(
        last.starts_with("stopped extensionHello.sh in ")
            && last.ends_with(", exited with status 0"),
        "{last}"
    );
    assert_eq!(lines.len(), 2 + 2 * 3 + 1, "{lines:?}");
}

#[test]
fn telemetry_is_shown() {
    let (context, telemetry) = TestContext::with_second_port();
    let output = context
        .fg(&["dev", "-p", "fg-extension-tests", "--bin", "foreign"])
        .args(["--invocations", "1"])
        .env("FG_TELEMETRY_PORT", telemetry.port().to_string())
        .output()
        .unwrap();
    let lines = lines(&output);
    let subscribed = format!(
        "subscribed http://127.0.0.1:{} platform, function",
        telemetry.port()
    );
    assert!(lines.contains(&subscribed), "{lines:?}");
    let delivered = lines.iter().filter_map(|line| {
        let (events, rest) = line.strip_prefix("telemetry ")?.split_once(" event")?;
        assert!(
            rest.trim_start_matches('s').starts_with(", 200 in ") && rest.ends_with(" ms"),
            "{line}"
        );
        Some(events.parse::<usize>().unwrap())
    });
    // Three events of the initialization, three of the invocation, and two log lines.
    assert_eq!(delivered.sum::<usize>(), 8, "{lines:?}");
    assert!(
        !lines.iter().any(|line| line.starts_with("lost")),
        "{lines:?}"
    );
}

#[test]
fn last_invocation_waits_for_a_late_subscription() {
    let (context, telemetry) = TestContext::with_second_port();
    let script = fixture("subscriber.py").display().to_string();
    let [port, telemetry] = [context.lease.port(), telemetry.port()];
    let command = format!("python3 '{script}' extensionA.sh {port} {telemetry}");
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let mut dev = context.fg(&["dev", "--cmd", &command, "--script", "extensionA.sh"]);
    dev.args(["--invocations", "1"]);
    dev.env("TEST_ADDR", listener.local_addr().unwrap().to_string());
    let mut dev = Running::start(dev);
    let (extension, _) = listener.accept().unwrap();
    // The extension subscribes after the last invocation.
    dev.line("invoked #1 ");
    drop(extension);
    dev.line(&format!(
        "subscribed http://127.0.0.1:{telemetry} extension"
    ));
    assert!(dev.wait_for_exit().1.success());
}

#[test]
fn runs_until_it_is_interrupted() {
    // Ctrl-C; a service manager; a closed terminal.
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let context = TestContext::new();
        let mut dev = Running::start(context.fg(&["dev", "-p", "hello"]));
        dev.line("invoked #2 ");
        dev.signal(signal);
        let (lines, status) = dev.wait_for_exit();
        let last = lines.last().unwrap();
        assert!(last.starts_with("stopped extensionHello.sh"), "{last}");
        assert!(last.ends_with("exited with status 0"), "{last}");
        assert!(status.success());
    }
}

#[test]
fn exits_when_its_output_is_closed() {
    let context = TestContext::new();
    let mut command = context.fg(&["dev", "-p", "hello"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn package_without_an_extension_is_reported() {
    for (package, expected) in [
        (
            "cargo-fg",
            "is not an extension: it neither uses `#[extension]` nor calls `fg_extension::run`\n",
        ),
        (
            "fg-emulator",
            "error: package `fg-emulator` has no binary, so it is not an extension; add a src/main.rs, or choose a package with -p\n",
        ),
        (
            "fg-extension-tests",
            "error: package `fg-extension-tests` has several binaries: bootstrap, by_hand, fixture, foreign, forwarder, host, http_function, ledger, panicking_subscriber, telemetry, telemetry_archive, twins; choose one with --bin, or with `default-run` in its Cargo.toml\n",
        ),
    ] {
        let context = TestContext::new();
        let output = context.fg(&["dev", "--package", package]).output().unwrap();
        let stderr = stderr(&output);
        assert!(
            output.status.code() == Some(1) && stderr.ends_with(expected),
            "{package}: {stderr}"
        );
    }
}
