//! Tests of `cargo fg invoke`.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;

use super::json::events;
use super::running::{Running, TestContext, after_prefix, fixture, lines, stderr};

/// An interval so long that `dev` sends no second invocation on its own.
const RARELY: [&str; 2] = ["--interval", "1h"];

#[test]
fn invocations_are_sent_and_summarized() {
    let context = TestContext::new();
    let mut dev = Running::start(context.python(&RARELY));
    dev.line("invoked #1 ");

    let output = context.fg(&["invoke"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let [line] = &lines(&output)[..] else {
        panic!("{output:?}")
    };
    assert!(
        line.starts_with("invoked #2 ") && line.contains(" 200 in "),
        "{line}"
    );
    // `dev` prints the same line.
    assert_eq!(&dev.line("invoked #2 "), line);

    let output = context
        .fg(&["invoke", "-n", "20", "-c", "4"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let lines = lines(&output);
    assert_eq!(after_prefix(&lines, "invoked #").len(), 20, "{lines:#?}");
    let summary = lines.last().unwrap();
    assert!(
        summary.starts_with("summary 20 invocations, 0 failed, "),
        "{summary}"
    );

    dev.signal(Signal::SIGTERM);
    let (rest, status) = dev.wait_for_exit();
    assert_eq!(after_prefix(&rest, "invoked #").len(), 20, "{rest:#?}");
    assert!(status.success());
}

#[test]
fn synthetic_function_has_the_requested_outcome_and_duration() {
    let context = TestContext::new();
    let mut dev = Running::start(context.python(&RARELY));
    dev.line("invoked #1 ");
    let arguments = [
        "--outcome",
        "error",
        "--duration",
        "20ms",
        "--output",
        "json",
    ];
    let output = context
        .fg(&[&["invoke"], &arguments[..]].concat())
        .output()
        .unwrap();
    // The requested outcome is a success, even if it is `error`.
    assert!(output.status.success(), "{}", stderr(&output));
    let [event] = &events(&output)[..] else {
        panic!("{output:?}")
    };
    assert_eq!(event["function"]["outcome"], "error");
    assert!(
        event["function"]["duration_ms"].as_f64().unwrap() >= 20.0,
        "{event}"
    );
    assert!(dev.line("result #2 ").starts_with("result #2 error in "));
}

#[test]
fn failed_invocations_exit_with_status_1() {
    let context = TestContext::new();
    let mut command = context.python(&RARELY);
    command.env("FAULT", "handler-fails");
    let mut dev = Running::start(command);
    dev.line("invoked #1 ");
    let output = context.fg(&["invoke", "-n", "2"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(lines(&output)[2].starts_with("summary 2 invocations, 2 failed, "));
}

#[test]
fn payload_is_text_or_a_file_or_stdin() {
    let context = TestContext::new();
    let mut command = context.python(&RARELY);
    command.arg("--function").arg(fixture("bootstrap"));
    let mut dev = Running::start(command);
    dev.line("invoked #1 ");
    let file = context.directory.path().join("event");
    std::fs::write(&file, "from a file").unwrap();
    let at_file = format!("@{}", file.display());
    for (payload, expected) in [("text", ": text"), (&at_file, ": from a file"), ("-", "ms")] {
        let output = context.fg(&["invoke", payload]).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let lines = lines(&output);
        let result = after_prefix(&lines, "result ")[0];
        assert!(result.ends_with(expected), "{result}");
    }
    let output = context.fg(&["invoke", "do fail"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));

    std::fs::write(&file, vec![b'x'; 6 * 1024 * 1024 + 1]).unwrap();
    for (arguments, expected) in [
        (
            &["@/no/such"][..],
            "error: cannot read the payload from /no/such: ",
        ),
        (
            &[&at_file],
            "error: the payload is too large: FunctionGraph accepts at most 6 MB\n",
        ),
        (
            &["--outcome", "error"],
            "error: cannot set --outcome or --duration: they apply to the synthetic function, ",
        ),
        (
            &["--outcome", "maybe"],
            "error: invalid value 'maybe' for '--outcome",
        ),
        (&["-n", "0"], "error: invalid value '0' for '--count"),
    ] {
        let output = context
            .fg(&[&["invoke"], arguments].concat())
            .output()
            .unwrap();
        assert!(!output.status.success());
        assert!(stderr(&output).starts_with(expected), "{}", stderr(&output));
    }
}

#[test]
fn dev_is_selected_by_its_pid() {
    let (context, other) = TestContext::with_second_port();
    let without_dev = context.fg(&["invoke"]).output().unwrap();
    assert_eq!(without_dev.status.code(), Some(1));
    assert!(
        stderr(&without_dev).starts_with("error: no cargo fg dev is running; start one"),
        "{}",
        stderr(&without_dev)
    );

    let mut first = Running::start(context.python(&RARELY));
    let mut command = context.python(&RARELY);
    command.env("FG_EXTENSION_PORT", other.port().to_string());
    let mut second = Running::start(command);
    first.line("invoked #1 ");
    second.line("invoked #1 ");
    let several = context.fg(&["invoke"]).output().unwrap();
    assert_eq!(several.status.code(), Some(1));
    let expected = stderr(&several);
    assert!(
        expected.starts_with("error: several cargo fg dev are running"),
        "{expected}"
    );
    for dev in [&first, &second] {
        let named = format!("{} (extensionNightWatch.sh in ", dev.child.id());
        assert!(expected.contains(&named), "{expected}");
    }
    let pid = second.child.id().to_string();
    let output = context.fg(&["invoke", "--dev", &pid]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    second.line("invoked #2 ");

    // A `dev` that does not respond has no effect on another.
    first.signal(Signal::SIGSTOP);
    let output = context.fg(&["invoke", "--dev", &pid]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    second.line("invoked #3 ");
    first.signal(Signal::SIGCONT);

    // The socket of a killed `dev` is ignored.
    second.signal(Signal::SIGKILL);
    second.wait_for_exit();
    let output = context.fg(&["invoke"]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    first.line("invoked #2 ");
    let unknown = context.fg(&["invoke", "--dev", "1"]).output().unwrap();
    assert_eq!(
        stderr(&unknown),
        "error: no cargo fg dev is running with pid 1\n"
    );
}

#[test]
fn dev_of_this_workspace_is_preferred() {
    let (context, other) = TestContext::with_second_port();
    let [here, elsewhere] = ["here", "elsewhere"].map(|name| {
        let directory = context.directory.path().join(name);
        std::fs::create_dir_all(directory.join("src")).unwrap();
        std::fs::write(directory.join("Cargo.lock"), "").unwrap();
        directory
    });
    let mut command = context.python(&RARELY);
    let mut far = Running::start({
        command.current_dir(&elsewhere);
        command
    });
    far.line("invoked #1 ");
    let invoke = || {
        let mut command = context.fg(&["invoke"]);
        command.current_dir(here.join("src")).output().unwrap()
    };
    // The only one is of another workspace, so it is named.
    let named = |dev: &Running, directory: &std::path::Path| {
        let directory = directory.display();
        format!(
            "dev {} (extensionNightWatch.sh in {directory})",
            dev.child.id()
        )
    };
    let output = invoke();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(lines(&output)[0], named(&far, &elsewhere));
    far.line("invoked #2 ");

    let mut command = context.python(&RARELY);
    // The workspace is that of `--manifest-path`.
    command
        .arg("--manifest-path")
        .arg(here.join("Cargo.toml"))
        .current_dir(&elsewhere)
        .env("FG_EXTENSION_PORT", other.port().to_string());
    let mut near = Running::start(command);
    near.line("invoked #1 ");
    let output = invoke();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(lines(&output)[0], named(&near, &elsewhere));
    near.line("invoked #2 ");
    // JSON output contains reports only.
    let mut command = context.fg(&["invoke", "--output", "json"]);
    let output = command.current_dir(&here).output().unwrap();
    assert_eq!(events(&output).len(), 1);
    near.line("invoked #3 ");

    // The directory of the sockets is removed with the last socket.
    let directory = context.directory.path().join("cargo-fg");
    for dev in [far, near] {
        assert!(directory.exists());
        dev.signal(Signal::SIGTERM);
        assert!(dev.wait_for_exit().1.success());
    }
    assert!(!directory.exists());
    assert!(!invoke().status.success());
    assert!(!directory.exists());
}

#[test]
fn socket_directory_accessible_to_others_is_rejected() {
    let context = TestContext::new();
    let directory = context.directory.path().join("cargo-fg");
    std::fs::create_dir(&directory).unwrap();
    std::fs::set_permissions(&directory, Permissions::from_mode(0o755)).unwrap();
    let expected = "cargo-fg for sockets: it must be a directory that only you can access; remove it, or set \
                    XDG_RUNTIME_DIR\n";
    let output = context.fg(&["invoke"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).ends_with(expected), "{}", stderr(&output));
    // `dev` works without the socket.
    let output = context.python(&["--invocations", "1"]).output().unwrap();
    assert!(output.status.success());
    let warning = "warning: cargo fg invoke cannot connect to this cargo fg dev: ";
    assert!(stderr(&output).starts_with(warning), "{}", stderr(&output));
    assert!(stderr(&output).ends_with(expected), "{}", stderr(&output));
}
