//! Tests of how `dev` stops after failures: ports in use, crashes, and failed invocations.

use std::io::{PipeWriter, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::signal::Signal;

use super::running::{Running, TestContext, after_prefix, lines, stderr};

#[test]
fn port_in_use_names_its_owner() {
    let context = TestContext::new();
    let _other_listener = TcpListener::bind(("127.0.0.1", context.lease.port())).unwrap();
    let port_owner = format!(
        "port {} is in use by {} (pid {})\n",
        context.lease.port(),
        std::fs::read_to_string("/proc/self/comm").unwrap().trim(),
        std::process::id()
    );
    let hello = context.fg(&["dev", "-p", "hello", "--invocations", "1"]);
    // The message of Python does not contain the port.
    let python = context.python(&["--invocations", "1"]);
    for (mut command, script) in [
        (hello, "extensionHello.sh"),
        (python, "extensionNightWatch.sh"),
    ] {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let stderr_text = stderr(&output);
        let prefix = format!("error: {script} exited with status 1 before it registered; ");
        let last = stderr_text.lines().last().unwrap().to_owned() + "\n";
        assert!(
            last.starts_with(&prefix) && last.contains(port_owner.trim()),
            "{stderr_text}"
        );
        assert_eq!(
            stderr_text.matches("before it registered").count(),
            1,
            "{stderr_text}"
        );
    }
}

#[test]
fn unexpected_exit_is_reported_once() {
    let context = TestContext::new();
    let output = context
        .python(&["--invocations", "2", "--interval", "1h"])
        .env("FAULT", "dies")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let lines = lines(&output);
    assert_eq!(
        after_prefix(&lines, "exited "),
        ["extensionNightWatch.sh unexpectedly: it exited with status 3"],
        "{lines:#?}"
    );
    assert_eq!(
        stderr(&output),
        "error: extensionNightWatch.sh exited unexpectedly\n"
    );
}

#[test]
fn booted_extensions_shut_down_when_another_fails_to_boot() {
    let context = TestContext::new();
    let output = context
        .python(&["--invocations", "1", "--also", "extensionOther.sh=false"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let lines = lines(&output);
    let stopped = after_prefix(&lines, "stopped extensionNightWatch.sh in ");
    assert!(stopped[0].ends_with(", exited with status 0"), "{lines:#?}");
    assert_eq!(
        stderr(&output),
        "error: extensionOther.sh exited with status 1 before it registered\n"
    );
}

#[test]
fn invocation_that_crashed_the_extension_is_reported() {
    let context = TestContext::new();
    let output = context
        .python(&["--invocations", "1"])
        .env("FAULT", "dies")
        .output()
        .unwrap();
    let lines = lines(&output);
    let invoked = after_prefix(&lines, "invoked #1 ");
    assert!(
        invoked.len() == 1 && invoked[0].contains(" failed in "),
        "{lines:#?}"
    );
}

#[test]
fn invocation_without_status_200_is_a_failure() {
    let context = TestContext::new();
    let output = context
        .python(&["--invocations", "2"])
        .env("FAULT", "handler-fails")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let lines = lines(&output);
    for line in after_prefix(&lines, "invoked #") {
        assert!(
            line.contains(" 500 in ")
                && line.ends_with(r#" ms: {"error": "the vault\nis sealed"}"#),
            "{line}"
        );
    }
    assert_eq!(stderr(&output), "error: 2 of 2 invocations failed\n");
}

#[test]
fn second_interrupt_kills() {
    let context = TestContext::new();
    let mut command = context.python(&[]);
    command
        .env("FAULT", "ignores-sigterm")
        .stderr(Stdio::piped());
    let mut dev = Running::start(command);
    dev.line("registered ");
    let mut errors = dev.errors();
    let mut connection = TcpStream::connect(("127.0.0.1", context.lease.port())).unwrap();
    dev.signal(Signal::SIGINT);
    let message = "shutting down; press Ctrl-C again to kill";
    assert_eq!(errors.next().as_deref(), Some(message));
    dev.signal(Signal::SIGINT);
    let (lines, status) = dev.wait_for_exit();
    assert_eq!(status.code(), Some(130));
    assert!(after_prefix(&lines, "stopped ").is_empty(), "{lines:#?}");
    // The connection is closed when the extension is killed.
    assert!(matches!(connection.read(&mut [0]), Ok(0) | Err(_)));
    assert!(!context.directory.path().join("cargo-fg").exists());
}

#[test]
fn second_interrupt_removes_the_unpacked_zip() {
    let context = TestContext::new();
    let [zip, temporary] = ["a.zip", "tmp"].map(|name| context.directory.path().join(name));
    std::fs::create_dir(&temporary).unwrap();
    super::rebuild::pack(&zip, "pid");
    let mut command = context.fg(&["dev", "--zip"]);
    command
        .arg(&zip)
        .env("FG_TELEMETRY_PORT", "")
        .env("FAULT", "ignores-sigterm")
        .env("TMPDIR", &temporary);
    let mut dev = Running::start(command);
    dev.line("registered ");
    let unpacked = || {
        let files = std::fs::read_dir(&temporary).unwrap();
        let names = files.map(|file| file.unwrap().file_name());
        names
            .filter(|name| name.to_str().unwrap().starts_with("cargo-fg-"))
            .count()
    };
    assert_eq!(unpacked(), 1);
    dev.signal(Signal::SIGINT);
    dev.signal(Signal::SIGQUIT);
    assert_eq!(dev.wait_for_exit().1.code(), Some(130));
    assert_eq!(unpacked(), 0);
}

#[test]
fn second_interrupt_kills_while_stderr_is_blocked() {
    let context = TestContext::new();
    let (_unread, writer) = std::io::pipe().unwrap();
    fill(&writer);
    let mut command = context.python(&[]);
    command.env("FAULT", "ignores-sigterm").stderr(writer);
    let mut dev = Running::start(command);
    dev.line("registered ");
    dev.signal(Signal::SIGINT);
    // The message is being written.
    let until = Instant::now() + Duration::from_secs(60);
    while !thread_names(dev.child.id()).any(|name| name.trim() == "shutdown-notice") {
        assert!(Instant::now() < until);
        std::thread::yield_now();
    }
    dev.signal(Signal::SIGINT);
    assert_eq!(dev.wait_for_exit().1.code(), Some(130));
}

/// Writes to a pipe until it is full.
fn fill(pipe: &PipeWriter) {
    fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    let mut writer = pipe;
    while writer.write(&[b'x'; 4096]).is_ok() {}
    fcntl(pipe, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
}

fn thread_names(pid: u32) -> impl Iterator<Item = String> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
}

#[test]
fn killed_dev_leaves_no_extension() {
    let context = TestContext::new();
    let mut dev = Running::start(context.python(&[]));
    dev.line("registered ");
    // The connection is closed when the extension exits.
    let mut connection = TcpStream::connect(("127.0.0.1", context.lease.port())).unwrap();
    dev.signal(Signal::SIGKILL);
    assert!(matches!(connection.read(&mut [0]), Ok(0) | Err(_)));
    assert!(!dev.wait_for_exit().1.success());
}
