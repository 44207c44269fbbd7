//! A real function: its exits, time-outs and errors, and HTTP functions.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use super::rebuild::{MANIFEST, foreign};
use super::running::{Running, TestContext, after_prefix, fixture, lines, stderr};

/// No invocation but the first, and those of `invoke`.
const RARELY: [&str; 2] = ["--interval", "1h"];

#[test]
fn function_that_exits_is_reported_and_started_again() {
    let context = TestContext::new();
    let mut command = context.python(&RARELY);
    command.arg("--function").arg(fixture("bootstrap"));
    let mut dev = Running::start(command);
    dev.line("invoked #1 ");
    let output = context.fg(&["invoke", "exit"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let lines_of_exit = lines(&output);
    let result = after_prefix(&lines_of_exit, "result #2 error in ")[0];
    assert!(
        result.ends_with(" ms: FunctionExited: the function exited with status 3"),
        "{result}"
    );
    // What the function printed.
    assert!(
        lines_of_exit.contains(&"function out of stock".to_owned()),
        "{lines_of_exit:#?}"
    );
    dev.line("exited the function exited with status 3; the next invocation starts it again");
    let output = context.fg(&["invoke", "{}"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn invocation_that_takes_too_long_times_out() {
    let context = TestContext::new();
    let mut command = context.python(&RARELY);
    command.args(["--timeout", "300ms", "--function"]);
    command.arg(fixture("bootstrap"));
    let mut dev = Running::start(command);
    dev.line("invoked #1 ");
    let output = context.fg(&["invoke", "hang"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let lines = lines(&output);
    let result = after_prefix(&lines, "result #2 timeout in ")[0];
    assert!(
        result.ends_with(" ms: FunctionTimeout: the function did not respond within 300ms"),
        "{result}"
    );
    dev.line("exited the function was killed by SIGKILL, since an invocation timed out; ");
    let output = context.fg(&["invoke", "{}"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn error_of_a_function_is_shown_in_full() {
    let context = TestContext::new();
    let mut command = context.python(&RARELY);
    command.arg("--function").arg(fixture("bootstrap"));
    let mut dev = Running::start(command);
    dev.line("invoked #1 ");
    let shelf = "shelf ".repeat(100);
    let error = format!(r#"{{"errorType": "fail", "errorMessage": "no stock\n  at {shelf}1"}}"#);
    let output = context.fg(&["invoke", &error]).output().unwrap();
    let printed = lines(&output);
    assert!(
        printed.contains(&format!("result   at {shelf}1")),
        "{printed:#?}"
    );
    assert!(
        dev.line("result #2 error in ")
            .ends_with(" ms: fail: no stock")
    );
    dev.line(&format!("result   at {shelf}1"));
    let arguments = ["invoke", &error, "--output", "json"];
    let output = context.fg(&arguments).output().unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    let event: serde_json::Value = serde_json::from_str(line.lines().last().unwrap()).unwrap();
    assert_eq!(event["function"]["response"], error.as_str());
}

/// Starts `dev` with an HTTP function. If the function of another test has the port, tries again.
fn start_http_function(context: &TestContext) -> Running {
    loop {
        let mut command = context.python(&RARELY);
        command.args(["--http", "--function"]);
        command.arg(fixture("http_function"));
        command.stderr(Stdio::piped());
        let mut dev = Running::start(command);
        let invoked = dev.find_line(|line| line.starts_with("invoked #1 "));
        if invoked.is_some() {
            return dev;
        }
        let errors: Vec<_> = dev.errors().collect();
        let is_port_in_use = |line: &String| line.starts_with("error: port 8000 is in use by ");
        assert!(errors.iter().any(is_port_in_use), "{errors:#?}");
    }
}

#[test]
fn http_function_is_invoked() {
    let context = TestContext::new();
    let _dev = start_http_function(&context);
    for (path, outcome) in [("/orders", "ok"), ("/fail", "error")] {
        let event = format!(r#"{{"httpMethod": "GET", "path": "{path}"}}"#);
        let output = context.fg(&["invoke", &event]).output().unwrap();
        let lines = lines(&output);
        let result = after_prefix(&lines, "result ")[0];
        let status = if outcome == "ok" { 200 } else { 404 };
        assert!(
            result.contains(&format!(" {outcome} in "))
                && result.ends_with(&format!(" ms, status {status}: {path}")),
            "{result}"
        );
    }
    // The port is in use now.
    let mut command = context.python(&["--invocations", "1", "--http", "--function"]);
    let output = command.arg(fixture("http_function")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = stderr(&output);
    assert!(
        stderr.starts_with("error: port 8000 is in use by ")
            && stderr.contains(" (pid ")
            && stderr.ends_with("), and an HTTP function must listen on it; stop that process\n"),
        "{stderr}"
    );
}

#[test]
fn invalid_options_of_the_function_are_reported() {
    let context = TestContext::new();
    for (arguments, expected) in [
        (&["--http"][..], "--function <FILE>"),
        (&["--timeout", "0s"], "must be longer than zero"),
        (&["--timeout", "3"], "not a duration"),
        (&["--init-timeout", "3s"], "--function <FILE>"),
    ] {
        let output = context.python(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
    }
}

/// Writes an executable file.
pub(super) fn write_function(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn saved_function_is_rebooted_with_a_package() {
    let context = TestContext::new();
    let directory = context.directory.path();
    fs::create_dir(directory.join("src")).unwrap();
    fs::write(directory.join("Cargo.toml"), MANIFEST).unwrap();
    fs::write(directory.join("src/main.rs"), foreign()).unwrap();
    let function = directory.join("function.py");
    let text = fs::read_to_string(fixture("bootstrap")).unwrap();
    write_function(&function, &text);
    let mut command = context.fg(&["dev", "--interval", "1h", "--function", "function.py"]);
    command
        .current_dir(directory)
        .env("CARGO_TARGET_DIR", directory.join("target"))
        .stderr(Stdio::null());
    let mut dev = Running::start(command);
    dev.line("invoked #1 ");

    fs::write(&function, text.replace("received an", "noticed the")).unwrap();
    assert_eq!(dev.line("changed "), "changed function.py");
    dev.line("stopped ");
    dev.lines_in_any_order(["function noticed the event", "invoked #2 "]);

    // A function that cannot be run does not replace the instance.
    fs::write(&function, text.replace("#!/usr", "#!/no")).unwrap();
    let failed = dev.line("failed ");
    assert!(
        failed.contains("its interpreter /no/bin/env; ")
            && failed.ends_with("; the current instance keeps running"),
        "{failed}"
    );
}

#[test]
fn function_and_files_are_checked_before_the_build() {
    let context = TestContext::new();
    let directory = context.directory.path();
    let script = directory.join("function.sh");
    write_function(&script, "#!/bin/sh\r\nexit\r\n");
    let plain = directory.join("plain");
    fs::write(&plain, "#!/bin/sh\n").unwrap();
    let [script, plain, directory] =
        [script.as_path(), plain.as_path(), directory].map(|path| path.to_str().unwrap());
    for (arguments, expected) in [
        (
            &["--function", script][..],
            format!("cannot run the function {script}: line 1 ends with a carriage return; save "),
        ),
        (
            &["--function", plain],
            format!("{plain}: it is not executable; make it executable: chmod +x {plain}"),
        ),
        (
            &["--function", directory],
            format!("{directory}: it is a directory; pass the file to execute"),
        ),
        (
            &["--http", "--function", script, "--api-port", "8000"],
            "cannot use --api-port 8000 with --http: an HTTP function listens on this port; "
                .to_owned(),
        ),
        (
            &["--record", "/no/such/file"],
            "cannot write the recording /no/such/file: No such file".to_owned(),
        ),
        (
            &["--record", directory],
            format!("cannot write the recording {directory}: Is a directory"),
        ),
    ] {
        // The package cannot be built, which is not reported.
        let arguments = [&["dev", "-p", "no-such-package"], arguments].concat();
        let output = context.fg(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let stderr = stderr(&output);
        assert!(stderr.contains(&expected), "{expected}: {stderr}");
    }
}

#[test]
fn restored_instance_gets_the_events_of_a_restoration() {
    let (context, telemetry) = TestContext::with_second_port();
    let output = context
        .fg(&["dev", "-p", "fg-extension-tests", "--bin", "foreign"])
        .args(["--invocations", "3", "--restore"])
        .env("FG_TELEMETRY_PORT", telemetry.port().to_string())
        .output()
        .unwrap();
    let lines = lines(&output);
    // The extension prints the telemetry that it receives.
    let printed = after_prefix(&lines, "stderr ").join("\n");
    for event in ["restoreStart", "restoreRuntimeDone", "restoreReport"] {
        let count = printed.matches(&format!("\"platform.{event}\"")).count();
        assert_eq!(count, 2, "{event}: {printed}");
    }
}
