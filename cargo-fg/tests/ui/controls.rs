//! Tests of the commands of the page.

use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::json;

use super::{start, start_python};
use crate::dev::running::{Running, TestContext, fixture, stderr};

#[test]
fn commands_control_the_instance_like_keys() {
    let context = TestContext::new();
    let (mut dev, page) = start_python(&context, &[]);
    let mut events = page.all_events();
    for _ in 0..2 {
        assert_eq!(page.execute("freeze", "{}"), json!({}));
    }
    events.state(|state| state["frozen"] == true);
    page.execute("thaw", "");
    page.execute("thaw", "{}");
    events.state(|state| state["frozen"] == false);
    page.execute("freeze", "{}");
    page.execute("invoke", r#"{"trace_id": "thaws"}"#);
    dev.line("invoked #2 thaws ");
    page.execute("shutdown", "{}");
    dev.line("stopped extensionNightWatch.sh ");
    dev.line("waiting for a file to be saved, or for Rebuild on the page");
    events.state(|state| state["instance"] == "none");
    let no_instance = "no instance is running; rebuild to boot one";
    for command in ["freeze", "thaw", "invoke", "shutdown"] {
        assert_eq!(page.rejected(command, "{}", 409), no_instance);
    }
    page.execute("rebuild", "{}");
    events.state(|state| state["instance"] == "up");
    // A boot is followed by one invocation, as on a terminal.
    dev.line("invoked #3 ");
    // Each change was printed once.
    let count = |start: &str| {
        dev.seen()
            .iter()
            .filter(|line| line.starts_with(start))
            .count()
    };
    assert_eq!((count("frozen "), count("thawed ")), (2, 1));
}

#[test]
fn rebuild_during_a_build_is_rejected() {
    let context = TestContext::new();
    let directory = context.directory.path();
    // A Cargo that waits for a line in this pipe, if there is one.
    let (pipe, cargo) = (directory.join("pipe"), directory.join("cargo"));
    let script = format!(
        "#!/bin/sh\nif [ -p '{0}' ]; then read -r line < '{0}'; fi\nexec '{1}' \"$@\"\n",
        pipe.display(),
        std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
    );
    fs::write(&cargo, script).unwrap();
    fs::set_permissions(&cargo, Permissions::from_mode(0o755)).unwrap();
    let mut command = context.fg(&["dev", "-p", "hello", "--ui"]);
    command.env("CARGO", &cargo);
    let (mut dev, page) = start(command);
    dev.line("invoked #1 ");
    let mut events = page.all_events();

    mkfifo(&pipe, Mode::S_IRWXU).unwrap();
    page.execute("rebuild", "{}");
    events.state(|state| state["building"] == true);
    let error = page.rejected("rebuild", "{}", 409);
    assert_eq!(error, "a build is running; wait until it has finished");
    let mut line = fs::File::options().write(true).open(&pipe).unwrap();
    fs::remove_file(&pipe).unwrap();
    line.write_all(b"\n").unwrap();
    events.kind("build");
    events.state(|state| state["building"] == false);
    dev.line("invoked #2 ");
}

#[test]
fn page_sees_that_an_invocation_thaws_the_instance() {
    let context = TestContext::new();
    let (_dev, page) = start_python(&context, &[]);
    let mut events = page.all_events();
    page.execute("freeze", "{}");
    events.state(|state| state["frozen"] == true);
    page.execute("invoke", r#"{"duration": "10m"}"#);
    events.state(|state| state["frozen"] == false);
    // That was before the invocation finished.
    page.execute("shutdown", "{}");
    let (invoked, _) = events.entry(|entry| entry["kind"] == "invoked" && entry["n"] == 2);
    assert_eq!(invoked["function"]["outcome"], "canceled");
}

#[test]
fn invocations_have_the_requested_parameters() {
    let context = TestContext::new();
    let (_dev, page) = start_python(&context, &[]);
    let mut events = page.all_events();
    page.execute(
        "invoke",
        r#"{"payload": {"base64": "/w=="}, "outcome": "error", "duration": "20ms", "logs": ["a", "b"], "trace_id": "one",
            "count": 1, "concurrency": null}"#,
    );
    let (entry, _) = events.entry(|entry| entry["kind"] == "invoked" && entry["trace_id"] == "one");
    assert_eq!(entry["function"]["outcome"], "error");
    assert!(entry["function"]["d"].as_f64().unwrap() >= 20.0, "{entry}");
}

#[test]
fn invalid_commands_are_rejected() {
    let context = TestContext::new();
    let (mut dev, page) = start_python(&context, &[]);
    for (command, body, error) in [
        ("invoke", "[]", "invalid body: invalid type: "),
        ("invoke", "{", "invalid body: EOF "),
        (
            "invoke",
            r#"{"x": 1}"#,
            "unknown field `x`; expected payload, outcome, ",
        ),
        (
            "invoke",
            r#"{"payload": 1}"#,
            "a payload is a text or `{\"base64\": …}`",
        ),
        (
            "invoke",
            r#"{"outcome": "maybe"}"#,
            "unknown outcome `maybe`",
        ),
        ("invoke", r#"{"duration": "5"}"#, "`5` is not a duration; "),
        ("invoke", r#"{"logs": "line"}"#, "invalid type: "),
        ("invoke", r#"{"trace_id": ""}"#, "a trace ID has 1 to 256 "),
        (
            "invoke",
            r#"{"trace_id": "a\r\nb"}"#,
            "a trace ID has 1 to 256 ",
        ),
        (
            "invoke",
            r#"{"trace_id": "a", "count": 2}"#,
            "`trace_id` is for one invocation",
        ),
        (
            "invoke",
            r#"{"count": 0}"#,
            "`count` must be a number from 1 to 1000000",
        ),
        (
            "invoke",
            r#"{"count": 1000001}"#,
            "`count` must be a number from 1 to 1000000",
        ),
        (
            "invoke",
            r#"{"count": "2"}"#,
            "`count` must be a number from 1 to 1000000",
        ),
        (
            "invoke",
            r#"{"concurrency": 1001}"#,
            "`concurrency` must be a number from 1 to 1000",
        ),
        (
            "invoke",
            r#"{"concurrency": 1.5}"#,
            "`concurrency` must be a number from 1 to 1000",
        ),
        ("freeze", r#"{"x": 1}"#, "invalid body: unknown field `x`"),
        ("faults", "{}", "invalid body: missing field `faults`"),
        (
            "faults",
            r#"{"faults": "frieze"}"#,
            "unknown fault `frieze`; expected one of register-slow, ",
        ),
        (
            "faults",
            r#"{"faults": "freeze=2"}"#,
            "`2` in `freeze=2` is not a probability ",
        ),
    ] {
        let actual = page.rejected(command, body, 400);
        assert!(actual.starts_with(error), "{body}: {actual}");
    }
    // None of them had an effect.
    page.execute("invoke", r#"{"trace_id": "valid"}"#);
    dev.line("invoked #2 valid ");
}

#[test]
fn payloads_that_are_too_large_are_rejected() {
    let context = TestContext::new();
    let (mut dev, page) = start_python(&context, &[]);
    let largest = 6 * 1024 * 1024;
    let body = |size: usize| format!(r#"{{"payload": "{}"}}"#, "x".repeat(size));
    page.execute("invoke", &body(largest));
    dev.line("invoked #2 ");
    let error = "the payload is too large: FunctionGraph accepts at most 6 MB";
    assert_eq!(page.rejected("invoke", &body(largest + 1), 413), error);
    let batch = format!(
        r#"{{"payload": "{}", "count": 1000, "concurrency": 86}}"#,
        "x".repeat(largest)
    );
    let error =
        "the payloads in flight would have more than 512 MB; choose a smaller `concurrency`";
    assert_eq!(page.rejected("invoke", &batch, 400), error);
    let error = "the body is too large; a payload has at most 6 MB";
    assert_eq!(page.rejected("freeze", &" ".repeat(70_000), 413), error);
    // Its size is known before it is sent.
    let host = format!("127.0.0.1:{}", page.0);
    let headers = [
        ("host", &*host),
        ("content-type", "application/json"),
        ("content-length", "99999999999"),
    ];
    assert_eq!(
        page.request("POST", "/api/invoke", &headers, b"").status,
        413
    );
}

#[test]
fn real_function_has_no_chosen_outcome() {
    let context = TestContext::new();
    let mut command = context.python(&["--ui"]);
    command.arg("--function").arg(fixture("bootstrap"));
    let (mut dev, page) = start(command);
    dev.line("invoked #1 ");
    page.all_events().state(|state| state["synthetic"] == false);
    for (field, value) in [
        ("outcome", r#""ok""#),
        ("duration", r#""1s""#),
        ("logs", "[]"),
    ] {
        let error = page.rejected("invoke", &format!(r#"{{"{field}": {value}}}"#), 400);
        let expected = format!("cannot set `{field}`: it applies to the synthetic function, ");
        assert!(error.starts_with(&expected), "{error}");
    }
    page.execute("invoke", r#"{"payload": "from the page"}"#);
    assert!(dev.line("result #2 ").ends_with(": from the page"));
}

#[test]
fn batches_are_sent_and_stopped() {
    let context = TestContext::new();
    let (mut dev, page) = start_python(&context, &[]);
    page.execute("invoke", r#"{"count": 40, "concurrency": 4}"#);
    for _ in 0..40 {
        dev.line("invoked #");
    }
    let mut events = page.all_events();
    events.state(|state| state["batch"].is_null() && state["instance"] == "up");

    // It is slow, so that it is still running when it is stopped.
    page.execute(
        "invoke",
        r#"{"count": 1000000, "concurrency": 2, "duration": "50ms"}"#,
    );
    let state = events.state(|state| state["batch"]["finished"].as_u64() > Some(2));
    let batch = &state["batch"];
    assert_eq!(batch["count"], 1_000_000);
    let (sent, finished) = (
        batch["sent"].as_u64().unwrap(),
        batch["finished"].as_u64().unwrap(),
    );
    assert!((finished..=finished + 2).contains(&sent), "{batch}");
    let error = page.rejected("invoke", r#"{"count": 2}"#, 409);
    assert!(
        error.starts_with("other invocations are being sent; "),
        "{error}"
    );
    // A single one, for instance from another page, does not disturb it.
    page.execute("invoke", r#"{"trace_id": "single"}"#);
    dev.line("invoked #");
    // The batch continues without a page.
    drop(events);
    let mut events = page.all_events();
    events.state(|state| state["batch"]["finished"].as_u64() > Some(4));
    page.execute("invoke/stop", "{}");
    page.execute("invoke/stop", "{}");
    events.state(|state| state["batch"].is_null());
    assert_eq!(page.execute("invoke", r#"{"count": 2}"#), json!({}));
}

#[test]
fn batch_ends_with_its_instance() {
    let context = TestContext::new();
    let (_dev, page) = start_python(&context, &[]);
    let mut events = page.all_events();
    page.execute(
        "invoke",
        r#"{"count": 100, "concurrency": 2, "duration": "10m"}"#,
    );
    events.state(|state| state["batch"]["sent"] == 2);
    page.execute("shutdown", "{}");
    let warning = events.kind("warning");
    let message = warning["message"].as_str().unwrap();
    assert_eq!(
        message,
        "0 of 100 invocations of the page have finished; the others were canceled, because the instance was shut down"
    );
    events.state(|state| state["batch"].is_null() && state["instance"] == "none");
}

#[test]
fn faults_are_replaced() {
    let context = TestContext::new();
    let (mut dev, page) = start_python(&context, &["--fault", "event-late", "--seed", "7"]);
    let mut events = page.all_events();
    events.state(|state| state["faults"] == "event-late" && state["seed"] == 7);
    let set = page.execute("faults", r#"{"faults": " event-duplicate*1 "}"#);
    assert_eq!(set, json!({"faults": "event-duplicate*1", "seed": 7}));
    dev.line("faults --fault event-duplicate*1 --seed 7");
    events.state(|state| state["faults"] == "event-duplicate*1");
    page.execute("invoke", "{}");
    dev.line("fault event-duplicate: ");
    // Those of registrations apply to the next boot.
    page.execute("faults", r#"{"faults": "register-503"}"#);
    page.execute("rebuild", "{}");
    dev.line("fault register-503: ");
    dev.line("invoked #3 ");
    let none = page.execute("faults", r#"{"faults": ""}"#);
    assert_eq!(none, json!({"faults": "", "seed": null}));
    dev.line("faults none");
    dev.signal(Signal::SIGTERM);
    assert!(dev.wait_for_exit().1.success());
}

#[test]
fn page_and_invoke_work_at_the_same_time() {
    let context = TestContext::new();
    let (mut dev, page) = start_python(&context, &[]);
    let mut events = page.all_events();
    page.execute(
        "invoke",
        r#"{"count": 1000000, "concurrency": 2, "duration": "5ms"}"#,
    );
    events.state(|state| state["batch"]["sent"].as_u64() > Some(2));
    let output = context
        .fg(&["invoke", "-n", "10", "-c", "3"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    page.execute("invoke/stop", "{}");
    events.state(|state| state["batch"].is_null());
    page.execute("invoke", r#"{"trace_id": "last"}"#);
    dev.line_that("contains `last`", |line| line.contains(" last "));
}

#[test]
fn commands_wait_for_a_process_that_the_user_starts() {
    let context = TestContext::new();
    let arguments = [
        "dev",
        "--attach",
        "--script",
        "extensionNightWatch.sh",
        "--ui",
    ];
    let (mut dev, page): (Running, _) = start(context.fg(&arguments));
    dev.line("attach start extensionNightWatch.sh ");
    let error = "extensionNightWatch.sh has not registered; start it with the variables that dev has printed";
    for command in ["invoke", "freeze", "thaw"] {
        assert_eq!(page.rejected(command, "{}", 409), error);
    }
    page.all_events()
        .state(|state| state["instance"] == "booting");
    page.execute("shutdown", "{}");
    dev.line("waiting for Rebuild on the page");
}
