//! `cargo fg dev`, as its users call it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// On a leased port: other tests run beside this one.
fn dev(arguments: &[&str]) -> (Command, fg_emulator::PortLease) {
    let lease = fg_emulator::PortLease::take().expect("a port of the platform's range");
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-fg"));
    command
        .args(["fg", "dev"])
        .args(arguments)
        .env("FG_EXTENSION_PORT", lease.port().to_string());
    (command, lease)
}

fn lines(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| line.trim().to_owned()).collect()
}

#[test]
fn three_invocations() {
    let (mut command, lease) = dev(&["-p", "hello", "--invocations", "3"]);
    let output = command.output().unwrap();
    let lines = lines(&output);
    assert!(output.status.success(), "{output:?}");
    assert!(
        lines[0].starts_with("platform EXTENSION_API_ADDR=127.0.0.1:"),
        "{lines:?}"
    );
    let registered = format!(
        "registered extensionHello.sh at 127.0.0.1:{}, ",
        lease.port()
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
        last.starts_with("stopped extensionHello.sh in ") && last.ends_with(", exit status: 0"),
        "{last}"
    );
    assert_eq!(lines.len(), 2 + 2 * 3 + 1, "{lines:?}");
}

#[test]
fn telemetry_is_shown() {
    let (events, telemetry) = fg_emulator::PortLease::take_pair().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_cargo-fg"))
        .args(["fg", "dev", "-p", "fg-extension-tests", "--bin", "foreign"])
        .args(["--invocations", "1"])
        .env("FG_EXTENSION_PORT", events.port().to_string())
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
            rest.starts_with("s, 200 in ") && rest.ends_with(" ms"),
            "{line}"
        );
        Some(events.parse::<usize>().unwrap())
    });
    // Three of the initialisation, three and two log lines of the invocation.
    assert_eq!(delivered.sum::<usize>(), 8, "{lines:?}");
    assert!(
        !lines.iter().any(|line| line.starts_with("lost")),
        "{lines:?}"
    );
}

#[test]
fn goes_on_until_it_is_interrupted() {
    // Ctrl-C; a service manager; a closed terminal.
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let (mut command, _lease) = dev(&["-p", "hello"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap())
            .lines()
            .map(Result::unwrap);
        assert!(lines.any(|line| line.trim().starts_with("invoked #2 ")));
        kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
        let last = lines.last().unwrap();
        assert!(
            last.trim().starts_with("stopped extensionHello.sh"),
            "{last}"
        );
        assert!(last.ends_with("exit status: 0"), "{last}");
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn ends_when_nobody_reads_its_output() {
    let (mut command, _lease) = dev(&["-p", "hello"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn port_taken_is_told_once() {
    let (mut command, lease) = dev(&["-p", "hello", "--invocations", "1"]);
    let _holder = std::net::TcpListener::bind(("127.0.0.1", lease.port())).unwrap();
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = [output.stdout.clone(), output.stderr.clone()].concat();
    let told = String::from_utf8(told).unwrap();
    assert_eq!(
        told.matches("ERROR extensionHello.sh: cannot listen on 127.0.0.1:")
            .count(),
        1,
        "{told}"
    );
    assert!(
        told.ends_with("error: extensionHello.sh ended with exit status: 1 before it registered\n"),
        "{told}"
    );
}

#[test]
fn what_is_no_extension_is_told() {
    for (package, said) in [
        (
            "cargo-fg",
            "is no extension: it has no `#[extension]` and does not call `fg_extension::run`\n",
        ),
        (
            "fg-emulator",
            "error: the package has no binary: an extension is a program\n",
        ),
        (
            "fg-extension-tests",
            "error: there are several binaries (bootstrap, by_hand, fixture, foreign, forwarder, host, telemetry): choose one with --bin\n",
        ),
        ("nonsense", "error: the build failed\n"),
    ] {
        let output = dev(&["--package", package]).0.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code() == Some(1) && stderr.ends_with(said),
            "{package}: {stderr}"
        );
    }
}
