//! The contents of an instance: several extensions, a real function, an environment, and an attached process.

use std::net::TcpListener;
use std::process::{Command, Stdio};

use super::running::{Running, TestContext, after_prefix, fixture, lines, night_watch, stderr};

#[test]
fn several_extensions_share_an_instance() {
    let (context, python) = TestContext::with_second_port();
    let also = format!(
        "extensionNightWatch.sh=env FG_EXTENSION_PORT={} FG_TELEMETRY_PORT= python3 '{}'",
        python.port(),
        night_watch().display()
    );
    let output = context
        .fg(&["dev", "-p", "hello", "--also", &also])
        .args(["--invocations", "2"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let lines = lines(&output);
    let registered = after_prefix(&lines, "registered ");
    for (i, (script, port)) in [
        ("extensionHello.sh", context.lease.port()),
        ("extensionNightWatch.sh", python.port()),
    ]
    .into_iter()
    .enumerate()
    {
        let expected = format!("{script} at 127.0.0.1:{port}, ");
        assert!(registered[i].starts_with(&expected), "{lines:#?}");
        let responses = lines.iter().filter(|line| {
            line.starts_with("invoked #") && line.contains(&format!(" {script} 200 in "))
        });
        assert_eq!(responses.count(), 2, "{lines:#?}");
        let printed = format!("stdout {script}: ");
        assert!(!after_prefix(&lines, &printed).is_empty(), "{lines:#?}");
    }
}

#[test]
fn port_that_another_extension_has_is_reported_with_its_owner() {
    let context = TestContext::new();
    // Without script names, the setting applies to both.
    let output = context
        .fg(&["dev", "-p", "hello", "--also", "audit-log"])
        .args(["--invocations", "1"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let port = context.lease.port();
    let stderr = stderr(&output);
    let last = stderr.lines().last().unwrap();
    assert!(
        last.starts_with("error: extensionAuditLog.sh exited with status 1 before it registered; ")
            && last.contains(&format!("port {port} is in use by hello (pid ")),
        "{stderr}"
    );
    let lines = lines(&output);
    let hint = format!(
        "stderr extensionAuditLog.sh: ERROR extensionAuditLog.sh: cannot listen on 127.0.0.1:{port}: Address already in use \
         (os error 98); set FG_EXTENSION_PORT to a free port from 8081 to 8090, as in `extensionAuditLog.sh=<port>`"
    );
    assert!(lines.contains(&hint), "{lines:#?}");
    // The other one shuts down cleanly.
    let stopped = after_prefix(&lines, "stopped extensionHello.sh in ");
    assert!(stopped[0].ends_with(", exited with status 0"), "{lines:#?}");
}

#[test]
fn real_function_is_invoked() {
    let context = TestContext::new();
    let bootstrap = fixture("bootstrap");
    let mut command = context.python(&["--invocations", "2", "--function"]);
    let output = command.arg(&bootstrap).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let lines = lines(&output);
    let received = after_prefix(&lines, "function received an event");
    assert_eq!(received.len(), 2, "{lines:#?}");
    let results = after_prefix(&lines, "result #");
    assert_eq!(results.len(), 2, "{lines:#?}");
    for result in results {
        assert!(
            result.contains(" ok in ") && result.ends_with(" ms: {}"),
            "{result}"
        );
    }
}

#[test]
fn missing_function_is_an_error() {
    let context = TestContext::new();
    let output = context
        .python(&["--invocations", "1", "--function", "/no/such"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("/no/such"), "{}", stderr(&output));
}

#[test]
fn process_started_by_the_user_is_attached() {
    let context = TestContext::new();
    let mut dev = Running::start(context.fg(&[
        "dev",
        "--attach",
        "--script",
        "extensionNightWatch.sh",
        "--invocations",
        "2",
        "--env",
        "GREETING=good night",
    ]));
    dev.line("attach ");
    let mut exports = Vec::new();
    while !exports
        .iter()
        .any(|line: &String| line.contains("RUNTIME_FUNC_VERSION"))
    {
        exports.push(dev.line("export "));
    }
    assert!(
        exports.contains(&"export GREETING='good night'".to_owned()),
        "{exports:?}"
    );
    // Paste the lines into a shell.
    let script = format!(
        "{}\nexec python3 '{}'",
        exports.join("\n"),
        night_watch().display()
    );
    let mut debugged = Command::new("sh")
        .args(["-c", &script])
        .env("FG_EXTENSION_PORT", context.lease.port().to_string())
        .env("FG_TELEMETRY_PORT", "")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    dev.line("registered extensionNightWatch.sh at ");
    dev.line("invoked #2 ");
    let (_, status) = dev.wait_for_exit();
    assert!(status.success());
    // `dev` does not stop a process that it has not started.
    assert!(debugged.try_wait().unwrap().is_none());
    debugged.kill().unwrap();
    debugged.wait().unwrap();
}

#[test]
fn api_has_the_chosen_port() {
    let context = TestContext::new();
    // A port that was free a moment ago.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let dev = || {
        let mut command = context.python(&["--invocations", "1", "--api-port", &port]);
        command.output().unwrap()
    };
    let output = dev();
    assert_eq!(output.status.code(), Some(1));
    let expected = format!(
        "error: cannot use --api-port {port}: the port is in use by {} (pid {}); choose another port\n",
        std::fs::read_to_string("/proc/self/comm").unwrap().trim(),
        std::process::id()
    );
    assert_eq!(stderr(&output), expected);
    drop(listener);
    // Twice, since connections of the first run remain for a while.
    for _ in 0..2 {
        let output = dev();
        assert!(output.status.success(), "{}", stderr(&output));
        let platform = format!("platform EXTENSION_API_ADDR=127.0.0.1:{port}");
        assert_eq!(lines(&output)[0], platform);
    }
}

#[test]
fn settings_are_in_the_environment_or_in_user_data() {
    let context = TestContext::new();
    let file = context.directory.path().join("dev.env");
    std::fs::write(&file, "A=file\nB=file\n").unwrap();
    let script = "echo A=$A B=$B C=$C user data: $RUNTIME_USERDATA >&2; exit 1";
    let mut dev = context.fg(&["dev", "--script", "extensionA.sh", "--cmd"]);
    dev.arg(format!("sh -c '{script}'"))
        .args([
            "--env",
            "B=option",
            "--user-data",
            "C=user \"data\"",
            "--invocations",
            "1",
        ])
        .arg("--env-file")
        .arg(&file);
    let output = dev.output().unwrap();
    let expected = r#" A=file B=option C= user data: {"C":"user \"data\""}"#;
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains(expected), "{stdout}");
    assert_eq!(output.status.code(), Some(1));

    let mut check = context.fg(&["check", "--script", "extensionA.sh", "--cmd"]);
    check
        .arg(format!("sh -c '{script}'"))
        .args(["--user-data", "C=user data", "REG-01", "--env-file"])
        .arg(&file);
    let output = check.output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let expected = r#"A=file B=file C=user data user data: {"C":"user data"}"#;
    assert!(stdout.contains(expected), "{stdout}");
}

#[test]
fn invalid_options_are_rejected() {
    let context = TestContext::new();
    for (arguments, expected) in [
        (&["--env", "GREETING"][..], "expected NAME=VALUE"),
        (&["--env", "=x"], "expected NAME=VALUE"),
        (&["--user-data", "x"], "expected NAME=VALUE"),
        (&["--user-data", "A B=x"], "letters, digits and `_`"),
        (
            &["--user-data", "EXTENSION_API_ADDR=x:1"],
            "the platform sets EXTENSION_API_ADDR",
        ),
        (
            &["--user-data", "A=x", "--env", "RUNTIME_USERDATA={}"],
            "--user-data sets RUNTIME_USERDATA; do not set it",
        ),
        (
            &["--env-file", "/no/such.env"],
            "cannot read /no/such.env: ",
        ),
        (&["--interval", "often"], "often"),
        (&["--invocations", "0"], "0 is not in 1.."),
        (&["--api-port", "0"], "0 is not in 1.."),
        (
            &["--api-port", "8085"],
            "cannot use --api-port 8085: ports 8081 to 8090 are those of extensions",
        ),
        (&["--seed", "1"], "--fault"),
        (
            &["--replay", "a", "--invocations", "2"],
            "cannot be used with",
        ),
        (
            &["--script", "extensionA.sh"],
            "<--cmd <COMMAND>|--zip <FILE>|--attach>",
        ),
        (
            &["--attach", "--script", "nonsense"],
            "script name `nonsense` does not start with `extension`",
        ),
        (
            &["--also", "nonsense=python3"],
            "script name `nonsense` does not start with `extension`",
        ),
        (
            &["--also", "extensionA.sh="],
            "the command for extensionA.sh is empty",
        ),
        (&["--also", "extensionA.sh='"], "cannot split the command"),
        (&["--fault", "frieze"], "unknown fault `frieze`"),
        (
            &["--replay", "/no/such"],
            "cannot read the recording /no/such",
        ),
    ] {
        let arguments = [&["dev", "-p", "hello"], arguments].concat();
        let output = context.fg(&arguments).output().unwrap();
        assert!(!output.status.success(), "{arguments:?}");
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}
