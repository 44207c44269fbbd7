//! Tests of how the page starts and ends with `dev`.

use std::fs::{self, Permissions};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::http::Address;
use super::{start, start_python};
use crate::dev::json::events;
use crate::dev::running::{Running, TestContext, stderr};

#[test]
fn port_is_chosen() {
    let context = TestContext::new();
    // If the port is in use, or another test uses it, the second page has another one.
    let _taken = TcpListener::bind(("127.0.0.1", 8700));
    let (_dev, page) = start_python(&context, &[]);
    assert_ne!(page.0, 8700);
    assert!(!(8081..=8090).contains(&page.0));
}

#[test]
fn page_leaves_the_port_of_the_api_free() {
    let context = TestContext::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    let (mut dev, page) = start(context.python(&["--ui", "--api-port", &port]));
    assert_ne!(page.0.to_string(), port);
    dev.line("invoked #1 ");
    // The API of the next instance has the same port.
    page.execute("rebuild", "{}");
    dev.line(&format!("platform EXTENSION_API_ADDR=127.0.0.1:{port}"));
    dev.line("invoked #2 ");
}

#[test]
fn fixed_port_is_used_or_rejected() {
    let context = TestContext::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken_port = taken.local_addr().unwrap().port();
    let name = fs::read_to_string("/proc/self/comm").unwrap();
    let owner = format!("{} (pid {})", name.trim(), std::process::id());
    for (arguments, error, status) in [
        (
            &[&*format!("--ui={taken_port}")][..],
            format!(
                "error: cannot use --ui={taken_port}: the port is in use by {owner}; choose another port\n"
            ),
            1,
        ),
        (
            &["--ui=8085"],
            "error: cannot use --ui=8085: ports 8081 to 8090 are those of extensions; choose another port\n".to_owned(),
            1,
        ),
        (
            &["--ui=45123", "--api-port", "45123"],
            "error: cannot use --ui=45123 with --api-port 45123: choose another port for one of them\n".to_owned(),
            1,
        ),
        (&["--ui=0"], "error: invalid value '0' for '--ui".to_owned(), 2),
        (&["--ui=x"], "error: invalid value 'x' for '--ui".to_owned(), 2),
        (
            &["--ui", "9000"],
            "error: unexpected argument '9000' found; to choose the port of the page, write --ui=9000\n".to_owned(),
            2,
        ),
    ] {
        let output = context.python(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(status));
        let text = stderr(&output);
        assert!(text.starts_with(&error), "{text}");
    }
    drop(taken);
    let (dev, page) = start(context.python(&[&format!("--ui={taken_port}")]));
    assert_eq!(page.0, taken_port);
    // A connection that was open does not keep the port in use.
    let _open = page.all_events();
    dev.signal(Signal::SIGTERM);
    assert!(dev.wait_for_exit().1.success());
    let (_dev, page) = start(context.python(&[&format!("--ui={taken_port}")]));
    assert_eq!(page.0, taken_port);
}

#[test]
fn page_stays_after_the_last_invocation() {
    let context = TestContext::new();
    let arguments = ["--ui", "--invocations", "3"];
    let (mut dev, page) = start(context.python(&arguments));
    dev.line("stopped ");
    let address = page.0;
    dev.line(&format!(
        "waiting for Ctrl-C; until then, the page stays at http://127.0.0.1:{address}/"
    ));
    let mut stream = page.all_events();
    stream.state(|state| state["instance"] == "ended");
    let (end, _) = stream.entry(|entry| entry["kind"] == "end");
    assert_eq!(end["ok"], true);
    let error = "the run has ended; start cargo fg dev again";
    for command in ["invoke", "freeze", "rebuild", "shutdown"] {
        assert_eq!(page.rejected(command, "{}", 409), error);
    }
    // `cargo fg invoke` does not find it anymore.
    let output = context.fg(&["invoke"]).output().unwrap();
    assert!(stderr(&output).starts_with("error: no cargo fg dev is running"));
    dev.signal(Signal::SIGINT);
    assert!(dev.wait_for_exit().1.success());
}

#[test]
fn page_stays_after_a_failure_and_the_exit_status_is_that_of_the_run() {
    let context = TestContext::new();
    let mut command = context.python(&["--ui", "--invocations", "2"]);
    command.env("FAULT", "handler-fails").stderr(Stdio::piped());
    let (mut dev, page) = start(command);
    dev.line("failed 2 of 2 invocations failed");
    dev.line("waiting for Ctrl-C; ");
    let (end, _) = page.all_events().entry(|entry| entry["kind"] == "end");
    assert_eq!(end["ok"], false);
    assert_eq!(end["message"], "2 of 2 invocations failed");
    let mut errors = dev.errors();
    dev.signal(Signal::SIGTERM);
    assert_eq!(dev.wait_for_exit().1.code(), Some(1));
    assert_eq!(
        errors.next().as_deref(),
        Some("error: 2 of 2 invocations failed")
    );
    // In JSON output, too, the failure is reported while the page stays.
    let mut command = context.python(&["--ui", "--invocations", "1", "--output", "json"]);
    command.env("FAULT", "exits-early").stdout(Stdio::piped());
    let mut dev = Running::start(command);
    dev.line_that("is the event of the failure", |line| {
        line.contains(r#""event":"failed""#) && line.contains("before it registered")
    });
    dev.signal(Signal::SIGTERM);
    assert_eq!(dev.wait_for_exit().1.code(), Some(1));
}

#[test]
fn page_does_not_stay_after_a_signal_during_the_last_shutdown() {
    let context = TestContext::new();
    let mut command = context.python(&["--ui", "--invocations", "1"]);
    command.env("FAULT", "ignores-sigterm");
    let (dev, page) = start(command);
    page.all_events().kind("shutdown");
    dev.signal(Signal::SIGTERM);
    let (lines, status) = dev.wait_for_exit();
    assert_eq!(status.code(), Some(1));
    let is_stopped = |line: &String| line.starts_with("stopped ");
    assert!(lines.iter().any(is_stopped), "{lines:#?}");
    let waits = |line: &String| line.starts_with("waiting ");
    assert!(!lines.iter().any(waits), "{lines:#?}");
}

#[test]
fn failed_boot_waits_for_the_page() {
    let context = TestContext::new();
    let file = context.directory.path().join("fails");
    fs::write(&file, "").unwrap();
    // It does not watch this file.
    let script = format!(
        "import os, runpy\nassert not os.path.exists({:?})\nrunpy.run_path({:?}, run_name='__main__')\n",
        file.display().to_string(),
        crate::dev::running::night_watch().display().to_string()
    );
    let program = context.directory.path().join("extension.py");
    fs::write(&program, script).unwrap();
    let (mut dev, page) = start(context.python_at(&program, &["--ui"]));
    dev.line("failed extensionNightWatch.sh exited with status 1 before it registered");
    dev.line("waiting for a file to be saved, or for Rebuild on the page");
    let mut events = page.all_events();
    events.state(|state| state["instance"] == "none");
    fs::remove_file(&file).unwrap();
    page.execute("rebuild", "{}");
    events.state(|state| state["instance"] == "up");
    dev.line("invoked #1 ");
    assert!(!dev.seen().iter().any(|line| line.starts_with("invoked #2")));
}

#[test]
fn open_page_does_not_delay_the_exit() {
    let context = TestContext::new();
    let (dev, page) = start_python(&context, &[]);
    // They do not read what they receive.
    let streams: Vec<_> = (0..20).map(|_| page.all_events()).collect();
    dev.signal(Signal::SIGINT);
    assert!(dev.wait_for_exit().1.success());
    for stream in streams {
        assert_eq!(stream.rest().last().unwrap()["kind"], "end");
    }
}

#[test]
fn page_is_an_event_of_json_output() {
    let context = TestContext::new();
    let mut command = context.python(&["--ui", "--output", "json", "--interval", "1h"]);
    command.stdout(Stdio::piped());
    let mut dev = Running::start(command);
    let line = dev.line_that("is the event of the page", |line| {
        line.contains(r#""event":"page""#)
    });
    let event: serde_json::Value = serde_json::from_str(&line).unwrap();
    let page = Address::of(event["url"].as_str().unwrap());
    assert_eq!(page.get("/").status, 200);
    dev.signal(Signal::SIGTERM);
    dev.wait_for_exit();
    // Without the option, there is no page.
    let output = context
        .python(&["--invocations", "1", "--output", "json"])
        .output()
        .unwrap();
    assert!(events(&output).iter().all(|event| event["event"] != "page"));
}

#[test]
fn export_is_written_at_the_end() {
    let context = TestContext::new();
    let file = context.directory.path().join("page.html");
    let path = file.to_str().unwrap();
    let mut command = context.python(&["--invocations", "2", "--export", path]);
    command.env("FAULT", "handler-fails");
    let output = command.output().unwrap();
    // Without a page, `dev` exits as always.
    assert_eq!(output.status.code(), Some(1));
    let html = fs::read_to_string(&file).unwrap();
    assert!(html.contains(r#""kind":"end","ok":false"#));

    let mut dev = Running::start(context.python(&["--interval", "1h", "--export", path]));
    dev.line("invoked #1 ");
    dev.signal(Signal::SIGINT);
    assert!(dev.wait_for_exit().1.success());
    let html = fs::read_to_string(&file).unwrap();
    assert!(html.contains(r#""kind":"end","ok":true"#));

    let output = context
        .python(&["--export", "/no/such/directory/page.html"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).starts_with("error: "),
        "{}",
        stderr(&output)
    );
}

/// Creates programs that replace those that open a browser.
fn fake_browsers(context: &TestContext, script: &str) -> String {
    let directory = context.directory.path().join("bin");
    fs::create_dir(&directory).unwrap();
    let names = [
        "xdg-open",
        "gio",
        "gnome-open",
        "kde-open",
        "kde-open5",
        "kde-open6",
        "wslview",
        "powershell.exe",
    ];
    for name in names {
        let file = directory.join(name);
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
    }
    let path = std::env::var("PATH").unwrap();
    format!("{}:{path}", directory.display())
}

/// Returns the command on a terminal, with these programs.
fn on_terminal(dev: &Command, path: &str) -> Running {
    let arguments = [dev.get_program()].into_iter().chain(dev.get_args());
    let line = shell_words::join(arguments.map(|argument| argument.to_str().unwrap()));
    let mut command = Command::new("script");
    command
        .args([
            "--quiet",
            "--return",
            "--flush",
            "--command",
            &line,
            "/dev/null",
        ])
        .envs(
            dev.get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .env("PATH", path)
        .stdin(Stdio::piped());
    Running::start(command)
}

#[test]
fn key_opens_the_page_in_the_browser() {
    let context = TestContext::new();
    let opened = context.directory.path().join("opened");
    let script = format!(
        "echo noise; echo noise >&2; echo \"$1\" > {}",
        opened.display()
    );
    let path = fake_browsers(&context, &script);
    let mut dev = on_terminal(&context.python(&[]), &path);
    let mut keyboard = dev.child.stdin.take().unwrap();
    let keys = dev.line("keys ");
    assert!(
        keys.contains("o page") && keys.len() + "        ".len() <= 80,
        "{keys}"
    );
    dev.line("page press o to open a page that shows the instance");
    dev.line("invoked #1 ");
    keyboard.write_all(b"o").unwrap();
    let page = dev.line("page http://");
    let page = page.trim_start_matches("page ");
    let mut events = Address::of(page).all_events();
    // What happened before the page was opened is there, too.
    events.entry(|entry| entry["kind"] == "invoked" && entry["n"] == 1);
    let url = wait_for_line(&opened);
    assert_eq!(url, page);
    // The page is the same if the key is pressed again.
    fs::remove_file(&opened).unwrap();
    keyboard.write_all(b"o").unwrap();
    assert_eq!(wait_for_line(&opened), url);
    keyboard.write_all(b"q").unwrap();
    let (lines, status) = dev.wait_for_exit();
    assert!(status.success());
    assert!(
        !lines
            .iter()
            .any(|line| line.contains("noise") || line.starts_with("page ")),
        "{lines:#?}"
    );
}

/// Waits until the file has a line.
fn wait_for_line(file: &std::path::Path) -> String {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        assert!(Instant::now() < until, "{} is not written", file.display());
        match fs::read_to_string(file) {
            Ok(text) if text.ends_with('\n') => return text.trim_end().to_owned(),
            _ => std::thread::yield_now(),
        }
    }
}

#[test]
fn page_is_announced_if_no_browser_can_be_opened() {
    let context = TestContext::new();
    let path = fake_browsers(&context, "exit 3");
    let mut dev = on_terminal(&context.python(&["--ui", "--invocations", "1"]), &path);
    let mut keyboard = dev.child.stdin.take().unwrap();
    let page = dev.line("page http://");
    let url = page.trim_start_matches("page ");
    dev.line(&format!(
        "waiting for q or Ctrl-C; until then, the page stays at {url}"
    ));
    keyboard.write_all(b"o").unwrap();
    dev.line(&format!(
        "page no browser could be opened here; open {url} in one"
    ));
    keyboard.write_all(b"?").unwrap();
    dev.line("keys o page, q quit");
    keyboard.write_all(b"q").unwrap();
    assert!(dev.wait_for_exit().1.success());
}
