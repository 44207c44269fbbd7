//! A process that the user starts, and starts again.

use std::process::{Child, Command, Stdio};

use super::running::{Running, TestContext, lines, night_watch, stderr};

/// Starts the process that a debugger would start.
fn start(context: &TestContext, api_address: &str) -> Child {
    Command::new("python3")
        .arg(night_watch())
        .env("EXTENSION_API_ADDR", api_address)
        .env("FG_EXTENSION_PORT", context.lease.port().to_string())
        .env("FG_TELEMETRY_PORT", "")
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn attached_process_can_be_started_again() {
    let context = TestContext::new();
    let script = ["--attach", "--script", "extensionNightWatch.sh"];
    let arguments = [&["dev", "--interval", "1h"], &script[..]].concat();
    let mut dev = Running::start(context.fg(&arguments));
    let platform = dev.line("platform EXTENSION_API_ADDR=");
    let (_, api_address) = platform.split_once('=').unwrap();
    dev.line("attach ");
    // `invoke` does not wait for the user.
    let invoke = || context.fg(&["invoke"]).output().unwrap();
    let output = invoke();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stderr(&output),
        "error: cannot invoke: cargo fg dev waits for extensionNightWatch.sh to register; start it with the variables \
         that dev has printed\n"
    );

    let mut first = start(&context, api_address);
    dev.line("registered extensionNightWatch.sh at ");
    dev.line("invoked #1 ");
    first.kill().unwrap();
    first.wait().unwrap();
    let output = invoke();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        lines(&output)[0].contains("onnection refused"),
        "{output:?}"
    );
    dev.line("waiting for extensionNightWatch.sh to register again; ");

    let mut second = start(&context, api_address);
    let registered = dev.line("registered extensionNightWatch.sh at ");
    assert!(registered.ends_with(", started again"), "{registered}");
    let output = invoke();
    assert!(output.status.success(), "{}", stderr(&output));
    second.kill().unwrap();
    second.wait().unwrap();
}
