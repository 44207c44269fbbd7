//! Tests of extensions that subscribe to their own log.

use std::process::{Command, Stdio};

use super::running::{Running, TestContext, fixture};

fn dev(context: &TestContext, arguments: &[&str]) -> Command {
    let script = fixture("subscriber.py").display().to_string();
    let command = format!("python3 '{script}' extensionA.sh {}", context.lease.port());
    let defaults = ["dev", "--cmd", &command, "--script", "extensionA.sh"];
    context.fg(&[&defaults, arguments].concat())
}

#[test]
fn extension_that_logs_its_own_log_is_named_once() {
    let context = TestContext::new();
    let mut command = dev(&context, &[]);
    command.env("LOOPS", "1").stderr(Stdio::piped());
    let mut dev = Running::start(command);
    let mut errors = dev.errors();
    let expected = "warning: extensionA.sh logs lines about the telemetry of its own lines, without an end; do not log for \
                    each event of the type `extension`, or do not subscribe to this type";
    assert_eq!(errors.next().as_deref(), Some(expected));
    // The delivery continues after the delays.
    for _ in 0..1000 {
        dev.line("stdout received extension");
    }
    dev.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(!errors.any(|line| line.starts_with("warning: ")));
}

#[test]
fn busy_extension_is_not_named() {
    let context = TestContext::new();
    let mut command = dev(&context, &["--interval", "3s", "--invocations", "2"]);
    command.env("LINES", "20000").stderr(Stdio::piped());
    let mut dev = Running::start(command);
    let mut errors = dev.errors();
    dev.line("stdout line 19999");
    assert_eq!(errors.next(), None);
    assert!(dev.wait_for_exit().1.success());
}
